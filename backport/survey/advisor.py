# SPDX-License-Identifier: GPL-2.0-or-later
"""What to do about a commit that a patch waits for: take it, adapt the patch without it, or wait.

Of 15 real conflicts 14 had their blockers named, and in 11 the maintainer adapted the patch instead of taking
them: so what is taken must go on by itself and bring nothing else along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from backport.counted import counted
from backport.errors import BackportError, UsageError
from backport.gateway.commits import commit_patch
from backport.gateway.repository import Repo
from backport.gateway.trees import TreeView
from backport.history.other_branch import Sibling
from backport.history.statements import Statement, standing
from backport.history.upstream import Blocker
from backport.survey.advice import Advice, Advised
from backport.survey.carriage import Carriage
from backport.survey.digging import Digger
from backport.survey.lineage import Lineage, lineage_between
from backport.survey.outlooks import Fate, Judge, View
from series.errors import SeriesError
from series.model import Oid, Patch

MOST_ADVISED = 8
"""Blockers of one patch that are looked into, at 0.1 to 1 s each on Xen."""


_WIDE = 10
"""Files; a commit that touches more is not taken for one fix."""


def advise(
    repo: Repo,
    commit: Oid,
    own: View,
    mended: Callable[[], Sequence[Statement]],
    pulls: Callable[[], Sequence[Oid]],
    on: Sequence[str] = (),
) -> Advised:
    """On a commit that a patch cannot do without.

    ``own`` is what would come of the commit by itself, ``mended`` finds what upstream has done since to mend
    it or to take it back and the branch lacks, ``pulls`` its own direct blockers, ``on`` are the newer
    branches that have it.

    Most are ruled out by what is cheap to know.  Only of the rest history is read, and last their lines are
    blamed, which costs more than all else.
    """
    wide = len(commit_patch(repo, commit).changes)
    if wide > _WIDE:
        return Advised(Advice.ADAPT, f"it changes {counted(wide, 'file')}")
    if own.fate is not Fate.GOES_ON:
        return Advised(Advice.ADAPT, f"it does not go on by itself: {own.fate}")
    if since := mended():
        first = since[-1]
        what = "reverted" if first.reverts else "mended"
        because = f"upstream has {what} it since: {first.commit[:12]} {first.subject!r}"
        return Advised(Advice.WAIT, because)
    if needed := pulls():
        return Advised(Advice.ADAPT, f"it needs {counted(len(needed), 'commit')} more")
    where = f", and {', '.join(on)} took it" if on else ""
    return Advised(Advice.TAKE, f"it goes on by itself and needs nothing else{where}")


def mended_since(lineage: Lineage) -> dict[Oid, list[Statement]]:
    """By commit: what upstream has done since to mend it, or to take it back.

    What upstream has reverted in its turn counts no more.
    """
    found: dict[Oid, list[Statement]] = {}
    for one in standing(lineage.upstream):
        for short in (*one.fixes, *one.amends, *one.reverts):
            whole = lineage.ids.find(short)
            if len(whole) == 1:
                found.setdefault(whole[0], []).append(one)
    return found


class Advisor:
    """Advises on what upstream has and a branch, which a run works on, lacks.

    As ``deps`` does, but for the tree that the run has come to.  Lines and names of the blockers are looked
    for in the history of the branch itself: git does not see yet what a run has made.
    """

    def __init__(
        self, repo: Repo, branch: str, onto: Oid, upstream: str, siblings: Iterable[Sibling]
    ) -> None:
        self._repo = repo
        self._branch = branch
        self._onto = onto
        self._upstream = upstream
        self._siblings = tuple(siblings)

    @cached_property
    def _lineage(self) -> Lineage:
        return lineage_between(self._repo, self._branch, self._onto, self._upstream)

    @cached_property
    def _carriage(self) -> Carriage:
        return Carriage(self._repo, self._lineage)

    @cached_property
    def _mended(self) -> dict[Oid, list[Statement]]:
        return mended_since(self._lineage)

    def advise(
        self, tree: TreeView, blockers: Iterable[Blocker], run: Sequence[Patch]
    ) -> tuple[Advised, ...]:
        """On each of ``blockers``, in their order.  ``tree`` is what the run has come to, by the patches of
        ``run``."""
        found = []
        for number, one in enumerate(blockers):
            if number >= MOST_ADVISED:
                found.append(
                    Advised(Advice.ADAPT, f"not looked into: only the first {MOST_ADVISED} are")
                )
            elif not one.sure:
                found.append(Advised(Advice.ADAPT, "the lines stand elsewhere, too"))
            else:
                found.append(self._advised(tree, one.commit, run))
        return tuple(found)

    def _advised(self, tree: TreeView, commit: Oid, run: Sequence[Patch]) -> Advised:
        have = {patch.commit for patch in run}

        def mended() -> list[Statement]:
            return [
                one
                for one in self._mended.get(commit, ())
                if one.commit not in have and self._carriage.is_lacked(one.commit)
            ]

        def pulls() -> list[Oid]:
            digger = Digger(self._repo, self._lineage, self._carriage, tree, run)
            return [one for one in digger.of_commit(commit) if one not in have]

        top = self._repo.branch_tip(self._upstream)
        judge = Judge(self._repo, self._onto, top, self._branch, self._siblings, tree, run)
        try:
            view = judge.view(commit, blockers=False)
            return advise(self._repo, commit, view, mended, pulls)
        except UsageError as error:  # the branches share no history
            return Advised(Advice.ADAPT, error.message)
        except (BackportError, SeriesError) as error:
            return Advised(Advice.ADAPT, f"not judged: {error}".split("\n", 1)[0])
