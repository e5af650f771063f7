# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a commit would go onto a branch as it is, and if not, why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct

from backport.errors import BackportError
from backport.gateway.commits import commit_patch
from backport.gateway.repository import Repo
from backport.gateway.trees import TreeView
from backport.history.doubts import doubted, put_on
from backport.history.index.ledger import ledger_of
from backport.history.missing_names import Suspect
from backport.history.other_branch import AsBranch, Sibling
from backport.history.siblings import Siblings, Versions
from backport.history.upstream import Blocker, Deed, find_blockers
from backport.pick.outcome import Picked
from backport.survey.answers import answers_of
from series.errors import SeriesError
from series.model import Oid, Patch, shown

_MOST_NAMED = 3
_ADVICE = re.compile(r": `backport [^`]*`[^;()]*")
"""What to do next in a run: there is none here."""


class Fate(StrEnum):
    """What would come of a commit."""

    GOES_ON = "goes on"
    DOUBT = "goes on, in doubt"
    """It names what the branch lacks."""
    THERE = "there already"
    NEEDS = "needs something"
    CONFLICTS = "conflicts"
    NO_CODE = "the code is not there"
    NOT_JUDGED = "not judged"


class View(Struct, frozen=True):
    """What would come of one commit: ``how`` it goes on or where it clashes, and what it waits for."""

    fate: Fate
    how: str = ""
    blockers: tuple[Blocker, ...] = ()


class Judge:
    """Puts commits on the tip of a branch, each by itself."""

    def __init__(
        self,
        repo: Repo,
        tip: Oid,
        upstream: Oid,
        branch: str,
        siblings: Iterable[Sibling],
        tree: TreeView | None = None,
        run: Sequence[Patch] = (),
    ) -> None:
        """``tree``: what a run has made of the tip's so far, by the patches of ``run``."""
        self._repo = repo
        self._tip = tip
        self._tree = tree if tree is not None else repo.tree(tip)
        self._run = run
        self._upstream = upstream
        self._branch = branch
        siblings = tuple(siblings)
        self._answers = answers_of(repo) if tree is None and not run else None
        """Of a run that is at work nothing is kept."""
        self._rests_on = (tip, branch, repr(siblings))
        versions = Versions(repo, ledger_of(repo))
        self._siblings = Siblings(repo, tip, siblings, (), versions=versions)

    def view(self, commit: Oid, *, blockers: bool = True) -> View:
        """What would come of a commit; ``blockers``: also what it waits for, at some 0.5 s a conflict."""
        if len(self._repo.parents(commit)) != 1:
            return View(Fate.NOT_JUDGED, "a merge, or a root commit")
        history = (self._upstream,) if blockers else ()
        rests_on = ("view", commit, *self._rests_on, *history)
        if self._answers is not None and (kept := self._answers.get(*rests_on)) is not None:
            return _from_json(kept)
        try:
            found = self.view_of(commit_patch(self._repo, commit), blockers=blockers)
        except (BackportError, SeriesError) as error:
            return View(Fate.NOT_JUDGED, str(error).split("\n", 1)[0])
        if self._answers is not None:
            self._answers.put(_to_json(found), *rests_on)
        return found

    def view_of(self, patch: Patch, *, blockers: bool = True) -> View:
        """What would come of a patch."""
        # It is no item of a run: what one has made of its own first patch is no version of this.
        chosen = self._siblings.choose(self._tree, patch)
        picked = chosen.picked
        if picked.clean:
            if picked.already or not patch.changes:
                return View(Fate.THERE, "the tree has all of it")
            how = str(chosen.how or picked.how)
            if doubts := self._doubts(chosen.patch, picked.tree):
                return View(Fate.DOUBT, "; ".join((how, *doubts)))
            if isinstance(chosen.how, AsBranch) and chosen.notes:
                how = chosen.notes[0]
            return View(Fate.GOES_ON, how)
        clashes = _clashes(picked)
        if all(clash.ours is None for clash in picked.clashes):
            return View(Fate.NO_CODE, clashes)
        if not blockers:
            return View(Fate.CONFLICTS, clashes)
        found = find_blockers(
            self._repo, self._upstream, self._tip, patch, picked.clashes, frozenset()
        )
        sure = tuple(one for one in found if one.sure)
        return View(Fate.NEEDS if sure else Fate.CONFLICTS, clashes, sure or found)

    def _doubts(self, patch: Patch, result: TreeView) -> tuple[str, ...]:
        where = put_on(self._repo, self._siblings, patch, self._tree, result)
        if where is None:
            return ()
        # git does not see what a run has made: that its patches bring something must be known from these.
        number, tree = len(self._run), self._repo.tree(self._tip)
        suspects = [Suspect(number, patch, where)]
        found = doubted(self._repo, tree, suspects, [*self._run, patch], self._branch)
        return found.get(number, ())


def _to_json(view: View) -> list[Any]:
    blockers = [
        [
            x.commit,
            x.subject,
            x.path.decode("latin-1"),
            [y.decode("latin-1") for y in x.lines],
            x.deed.value,
            x.sure,
        ]
        for x in view.blockers
    ]
    return [view.fate.value, view.how, blockers]


def _from_json(found: list[Any]) -> View:
    fate, how, blockers = found
    return View(
        Fate(fate),
        how,
        tuple(
            Blocker(
                Oid(commit),
                subject,
                path.encode("latin-1"),
                tuple(line.encode("latin-1") for line in lines),
                Deed(deed),
                sure,
            )
            for commit, subject, path, lines, deed, sure in blockers
        ),
    )


def _clashes(picked: Picked) -> str:
    few = [f"{shown(c.path)}: {_ADVICE.sub('', c.reason)}" for c in picked.clashes[:_MOST_NAMED]]
    more = len(picked.clashes) - len(few)
    return "; ".join(few) + (f"; and {more} more" if more else "")
