# SPDX-License-Identifier: GPL-2.0-or-later
"""What of a branch's commits its tree still has.

A message claims: that a commit was reverted, that a commit is a backport of another.  The tree decides (see
history/taken_back).  A revert that took nothing back counts for nothing; what was taken back in other words,
or along with something else, is gone all the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from backport.errors import BackportError
from backport.gateway.commits import commit_patch
from backport.gateway.repository import Repo
from backport.history.statements import Statement, with_takers
from backport.history.taken_back import (
    Left,
    added_and_gone,
    is_any_there,
    is_taken_back,
    what_is_left,
)
from backport.survey.answers import answers_of
from series.errors import SeriesError
from series.model import FileChange, Oid


class Holding(Struct, frozen=True):
    """How much of a commit its branch still has, and which later commit ``by`` took the rest back."""

    left: Left
    by: Oid | None = None
    void: Oid | None = None
    """A later commit that says that it reverts it, and has taken nothing of it back."""
    emptied: tuple[bytes, ...] = ()
    """Files where it only added lines and none of them is there now: changed further, or taken back."""

    @property
    def is_gone(self) -> bool:
        """Whether the branch has nothing of it any more."""
        return self.left is Left.NONE


class Holdings:
    """What a tip holds of the commits below it; each is asked for once.

    Cost on Xen: 5 ms a commit.
    """

    def __init__(
        self,
        repo: Repo,
        tip: Oid,
        own: Sequence[Statement],
        *,
        believing: bool = False,
        following: bool = True,
    ) -> None:
        """``own``: the commits that count, newest first; ``believing``: messages are, and no tree is read.

        Without ``following`` what has another name at the tip has moved on: to follow a file costs a look at
        each commit, and upstream has thousands.
        """
        self._repo = repo
        self._answers = answers_of(repo)
        self._tip = tip
        self._said = {one.commit: by for one, by in with_takers(own)}
        self._believing = believing
        self._following = following
        self._found: dict[Oid, Holding] = {}
        self.unread: dict[Oid, str] = {}
        """Commits whose content could not be read, and why: of those the message was believed."""

    def of(self, commit: Oid) -> Holding:
        """What is left of one of the commits."""
        if commit not in self._found:
            self._found[commit] = self._look(commit)
        return self._found[commit]

    def said(self, commit: Oid) -> Oid | None:
        """The commit whose message says that it takes this one back."""
        return self._said.get(commit)

    def _look(self, commit: Oid) -> Holding:
        said = self._said.get(commit)
        stated = Holding(Left.NONE if said is not None else Left.ALL, said)
        if self._believing or len(self._repo.parents(commit)) != 1:
            return stated
        try:
            return self._kept(commit, said) or self._read(commit, said, stated)
        except (BackportError, SeriesError) as error:
            self.unread[commit] = str(error).split("\n", 1)[0]
            return stated

    def _read(self, commit: Oid, said: Oid | None, stated: Holding) -> Holding:
        """What the trees say, kept for the next time."""
        changes = commit_patch(self._repo, commit).changes
        if not changes:
            return stated
        found = self._asked(commit, changes, said)
        names = [[_text(one.old_path), _text(one.new_path)] for one in changes]
        rests_on, is_history = self._rests_on(commit, said, names)
        # Who took it back, the commits between say.
        if is_history or found.by not in (None, said):
            rests_on = (*rests_on, self._tip)
        self._answers.put(names, "names", commit)
        self._answers.put(
            [found.left.value, found.by, found.void, [*map(_text, found.emptied)]], *rests_on
        )
        return found

    def _kept(self, commit: Oid, said: Oid | None) -> Holding | None:
        """The same, where it is known and all that it rests on is as it was."""
        names = self._answers.get("names", commit)
        if names is None:
            return None
        rests_on, is_history = self._rests_on(commit, said, names)
        found = None if is_history else self._answers.get(*rests_on)
        found = found or self._answers.get(*rests_on, self._tip)
        if found is None:
            return None
        left, by, void, emptied = found
        return Holding(Left(left), by, void, tuple(x.encode("latin-1") for x in emptied))

    def _rests_on(
        self, commit: Oid, said: Oid | None, names: Sequence[Sequence[str | None]]
    ) -> tuple[tuple[str, ...], bool]:
        """What is asked, with what the files are now; and whether that is not all: one has no such name."""
        tree = self._repo.tree(self._tip)
        files: list[str] = []
        is_history = False
        for old, new in names:
            entries = [
                tree.entry(x.encode("latin-1")) if x is not None else None for x in (old, new)
            ]
            files += (f"{one.mode:o} {one.oid}" if one is not None else "" for one in entries)
            is_history |= new is not None and entries[1] is None
        return ("holding", commit, said or "", str(self._following), *files), is_history

    def _asked(self, commit: Oid, changes: Sequence[FileChange], said: Oid | None) -> Holding:
        now = Left.MOVED_ON
        if self._following or self._has_names(changes):
            now = self._left(self._tip, commit, changes)
        if said is not None and not self._is_void(said, commit, changes):
            if now is Left.ALL:  # put on again, in words of its own
                return Holding(now)
            if now is Left.PART and self._is_all_gone_since(said, commit, changes):
                now = Left.NONE
            # What others have made of it later is not what it was.
            return Holding(Left.NONE if now is Left.MOVED_ON else now, said)
        if now in (Left.PART, Left.NONE):
            return Holding(now, self._taker(commit, changes), said)
        emptied: tuple[bytes, ...] = ()
        if now is Left.MOVED_ON and self._following:
            emptied = added_and_gone(self._repo, self._repo.tree(self._tip), changes)
        return Holding(now, None, said, emptied)

    def _has_names(self, changes: Sequence[FileChange]) -> bool:
        tree = self._repo.tree(self._tip)
        return all(tree.entry(one.new_path) is not None for one in changes if one.new_path)

    def _is_void(self, revert: Oid, commit: Oid, changes: Sequence[FileChange]) -> bool:
        """Whether a commit that says that it takes another back leaves all of it there.

        One that takes it back with the white space mended is to be believed: it has worked there.
        """
        left = self._left(revert, commit, changes)
        if left is not Left.MOVED_ON:
            return left is Left.ALL
        trees = [self._repo.tree(one) for one in (revert, *self._repo.parents(revert)[:1])]
        paths = {path for one in changes for path in (one.old_path, one.new_path) if path}
        return all(len({tree.entry(path) for tree in trees}) == 1 for path in paths)

    def _is_all_gone_since(self, revert: Oid, commit: Oid, changes: Sequence[FileChange]) -> bool:
        """Whether a revert took back all of a commit, and what of it is not as it was before has moved on."""
        if self._left(revert, commit, changes) is not Left.NONE:
            return False
        return not is_any_there(self._repo, self._repo.tree(self._tip), self._tip, commit, changes)

    def _left(self, at: Oid, commit: Oid, changes: Sequence[FileChange]) -> Left:
        return what_is_left(self._repo, self._repo.tree(at), at, commit, changes)

    def _taker(self, commit: Oid, changes: Sequence[FileChange]) -> Oid:
        """The commit from which on some of it is gone."""
        line = self._line(commit)
        low, high = len(line) - 1, 0  # there at ``low``, lost at ``high``
        while low - high > 1:
            middle = (low + high) // 2
            tree = self._repo.tree(line[middle])
            if is_taken_back(self._repo, tree, line[middle], commit, changes):
                high = middle
            else:
                low = middle
        return line[high]

    def _line(self, commit: Oid) -> list[Oid]:
        """From the tip down to ``commit``, by the first parents that reach it."""
        line = [self._tip]
        while line[-1] != commit:
            first, *others = self._repo.parents(line[-1])
            reached = others and not self._repo.reaches(first, commit)
            line.append(
                next(one for one in others if self._repo.reaches(one, commit)) if reached else first
            )
        return line


def _text(path: bytes | None) -> str | None:
    return path.decode("latin-1") if path is not None else None
