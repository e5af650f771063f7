# SPDX-License-Identifier: GPL-2.0-or-later
"""What a branch carries of upstream, under ids of its own.

That a commit names another as its origin, or has its subject, is a claim.  It counts for nothing where the
tree has nothing of that commit any more (see holding), and where it makes none of its origin's change, though
that goes on as it is.  Where it makes a part of the change and the rest goes on, it is carried in part.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum

from msgspec import Struct

from backport.errors import BackportError
from backport.gateway.commits import commit_patch
from backport.gateway.repository import Repo
from backport.history.presence import ABBREVIATED
from backport.history.statements import Statement, by_origin
from backport.history.taken_back import Left
from backport.pick.outcome import How, Picked
from backport.pick.patch import pick_patch
from backport.survey.answers import answers_of
from backport.survey.holding import Holding, Holdings
from backport.survey.lineage import Lineage
from series.errors import SeriesError
from series.lines import split_lines
from series.model import Oid, Patch, shown
from series.reading.patch_ids import fingerprint

_TELLING = re.compile(rb"\w")
"""A line of braces or nothing belongs to nobody."""


class Share(StrEnum):
    """How much of its origin's change a commit makes."""

    ALL = "all of it"
    PART = "a part of it"
    NONE = "nothing of it"


class Carried(Struct, frozen=True):
    """What stands for a commit of upstream: ``here`` is the commit of the branch."""

    here: Statement
    holding: Holding
    share: Share = Share.ALL

    @property
    def is_there(self) -> bool:
        """Whether the branch has it, be it in part."""
        return not self.holding.is_gone and self.share is not Share.NONE

    @property
    def is_whole(self) -> bool:
        """Whether no part of it is known to be missing."""
        held = self.holding.left is not Left.PART and not self.holding.emptied
        return self.is_there and held and self.share is Share.ALL

    def explain(self) -> str:
        """In words: what became of it on the branch, where that is not all that there is to it."""
        named = self.here.commit[:12]
        if self.holding.left in (Left.PART, Left.NONE):
            part = "part of it " if self.holding.left is Left.PART else "it "
            by = f"{self.holding.by[:12]} " if self.holding.by is not None else ""
            return f"the branch had it as {named}, and {by}has taken {part}back"
        if self.share is Share.NONE:
            return f"the branch names it in {named}, which makes none of its changes"
        if self.share is Share.ALL:
            paths = ", ".join(map(shown, self.holding.emptied))
            return (
                f"the branch has it as {named}, but no line that it added to {paths} is there now"
            )
        return f"the branch has it as {named}, but not all of it: the rest goes on"


def telling_lines(patch: Patch) -> Counter[tuple[bytes, bytes]]:
    """What a patch adds and takes away, wherever: a stable branch has files under other names."""
    return Counter(
        (line.op, _bare(line.text))
        for change in patch.changes
        for hunk in change.hunks
        for line in hunk.lines
        if line.op != b" " and _TELLING.search(line.text)
    )


class Carriage:
    """What a branch carries; each commit of upstream is looked for once."""

    def __init__(self, repo: Repo, lineage: Lineage, *, believing: bool = False) -> None:
        """``believing``: messages are, and no tree is read."""
        self._repo = repo
        self._answers = answers_of(repo)
        self._lineage = lineage
        self._believing = believing
        self.holdings = Holdings(repo, lineage.tip, lineage.own, believing=believing)
        self._by_origin = by_origin(lineage.own)
        self._by_subject: dict[str, list[Statement]] = {}
        for one in lineage.own:
            if not one.origins:
                self._by_subject.setdefault(one.subject, []).append(one)
        self._found: dict[tuple[Oid, str], Carried | None] = {}

    def of(self, commit: Oid) -> Carried | None:
        """What names a commit of upstream as its origin; of several, what has most of it."""
        return self._best(commit, "", self._by_origin.get(commit[:ABBREVIATED], ()))

    def by_subject(self, commit: Oid, subject: str) -> Carried | None:
        """What has the subject and names no origin."""
        return self._best(commit, subject, self._by_subject.get(subject, ()))

    def stated(self, commit: Oid, subject: str, *, revert: bool) -> tuple[Carried | None, str]:
        """What messages alone say of a commit; a ``revert`` is not known by its subject."""
        named = self._by_origin.get(commit[:ABBREVIATED], ())
        for one in named:
            if self.holdings.said(one.commit) is None:
                return Carried(one, Holding(Left.ALL)), "carried"
        if not revert and (alike := self._by_subject.get(subject)):
            return Carried(alike[0], Holding(Left.ALL)), "subject"
        return None, ""

    def is_subject_there(self, subject: str) -> bool:
        """Whether a commit that names no origin has the subject, and is still there."""
        return any(
            not self.holdings.of(one.commit).is_gone for one in self._by_subject.get(subject, ())
        )

    def holds(self, origin: str) -> bool:
        """Whether the branch has something that names ``origin``, which upstream need not have."""
        return any(not self.holdings.of(x.commit).is_gone for x in self._by_origin.get(origin, ()))

    def has(self, commit: Oid) -> bool:
        """Whether the branch has that upstream commit, as itself or under an id of its own."""
        if commit in self._lineage.shared:
            return True
        found = self.of(commit)
        return found is not None and found.is_there

    def is_lacked(self, commit: Oid) -> bool:
        """Whether upstream has it and the branch does not, under no id."""
        if commit not in self._lineage.upstream_ids:
            return False
        found = self.of(commit)
        return found is None or not found.is_there

    def _best(self, commit: Oid, key: str, candidates: Iterable[Statement]) -> Carried | None:
        if (commit, key) not in self._found:
            best: Carried | None = None
            for one in candidates:
                carried = self._carried(commit, one)
                if best is None or _rank(carried) > _rank(best):
                    best = carried
                if best.is_whole:
                    break
            self._found[commit, key] = best
        return self._found[commit, key]

    def _carried(self, commit: Oid, one: Statement) -> Carried:
        holding = self.holdings.of(one.commit)
        if holding.is_gone or self._believing:
            return Carried(one, holding)
        try:
            return Carried(one, holding, self._share(one.commit, commit))
        except (BackportError, SeriesError) as error:
            self.holdings.unread[one.commit] = str(error).split("\n", 1)[0]
            return Carried(one, holding)

    def _share(self, own: Oid, origin: Oid) -> Share:
        """How much of the origin's change a commit makes.

        What is missing of an adapted backport was mostly left out on purpose, and clashes: only what would
        go on is said to be missing.
        """
        if len(self._repo.parents(own)) != 1 or len(self._repo.parents(origin)) != 1:
            return Share.ALL
        alone = ("share", own, origin)
        on_tip = (*alone, self._lineage.tip)
        kept = self._answers.get(*alone) or self._answers.get(*on_tip)
        if kept is not None:
            return Share(kept)
        found, by_words = self._read_share(own, origin)
        self._answers.put(found.value, *(alone if by_words else on_tip))
        return found

    def _read_share(self, own: Oid, origin: Oid) -> tuple[Share, bool]:
        """The same, read; and whether the two commits say it, wherever the branch stands."""
        here, there = commit_patch(self._repo, own), commit_patch(self._repo, origin)
        if fingerprint(here.changes) == fingerprint(there.changes):
            return Share.ALL, True
        theirs = telling_lines(there)
        missing = theirs - telling_lines(here)
        if theirs and not missing:
            return Share.ALL, True
        objects, tree = self._repo.objects, self._repo.tree(self._lineage.tip)
        picked = pick_patch(objects, tree, there, lambda: self._repo.made_on(there))
        if not picked.clean or picked.already:
            return Share.ALL, False
        if theirs and all(line not in missing for line in self._edits(picked)):
            return Share.ALL, False
        has_some = any(one.had or one.how is How.ALREADY for one in picked.changes)
        return (Share.PART if has_some or missing != theirs else Share.NONE), False

    def _edits(self, picked: Picked) -> Iterator[tuple[bytes, bytes]]:
        """The lines that a pick would change on the branch."""
        tree = self._repo.tree(self._lineage.tip)
        for path in {change.path for change in picked.changes}:
            old, new = (Counter(split_lines(one.read(path) or b"")) for one in (tree, picked.tree))
            yield from ((b"+", _bare(line)) for line in new - old)
            yield from ((b"-", _bare(line)) for line in old - new)


def _rank(carried: Carried) -> int:
    return carried.is_there + carried.is_whole


def _bare(line: bytes) -> bytes:
    return b"".join(line.split())
