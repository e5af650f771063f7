# SPDX-License-Identifier: GPL-2.0-or-later
"""Line history: every hunk carried back to one coordinate system, deleted lines kept as tombstones.

A file is a row of runs: untouched base lines, lines that a patch wrote, lines that a patch removed.
Going along a valid order, each edit is looked up in that row, and whoever wrote, removed or inserted
next to what it touches is found there.  Neighbours count: two insertions at one place, or a removal
beside an insertion, conflict in a three-way merge although they share no line.

On a real series of 77 patches this gives in 0.2 s what 214 s of trial swaps give; overlap without
neighbours misses edges that break most reorderings.  Base texts are not needed, only line numbers.

Cost: some hundred steps for each edit (`series.graph.runs`), and one for each neighbour that is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from msgspec import Struct, field

from series.graph.runs import BASE, ENDLESS, Run, Runs
from series.model import FileChange, Hunk
from series.placement.stated import pre_image_line

How = Literal["touch", "adjacent"]

_MOST_GONE = 64
"""Removed runs without a live line between them, counted from an edit, whose patches it is beside.  The
nearest come last, and follow the others; two patches that revert each other leave one each time."""


class Contact(Struct, frozen=True):
    """Patch ``later`` edits lines that ``earlier`` wrote or removed, or lines beside them.

    ``lines`` are first and last, 1-based, in the file as ``later`` finds it.
    """

    earlier: int
    later: int
    how: How
    path: bytes
    lines: tuple[int, int]


class _Edit(Struct, frozen=True, eq=False):
    """One group of removed and added lines, by the run that marks its place."""

    patch: int
    delta: int
    mark: Run


class LineHistory:
    """The history of one file.  ``reach`` is how many lines beside an edit belong to it:
    1 for three-way merges, 3 where a patch file with three lines of context must fit."""

    def __init__(self, reach: int = 1, creator: int | None = None) -> None:
        self.reach = reach
        self.runs = Runs(None if creator is not None else Run(ENDLESS, BASE))
        self.edits: list[_Edit] = []

    def add(self, patch: int, path: bytes, hunks: Sequence[Hunk]) -> list[Contact]:
        """Enter the hunks of ``patch``, whose line numbers must be those of the pre-image."""
        found: dict[tuple[int, How], tuple[int, int]] = {}
        shift = 0
        for hunk in hunks:
            for at, removed, added in _groups(hunk, pre_image_line(hunk)):
                span = (at + 1, at + max(removed, 1))
                for other, how in self._edit(patch, at + shift, removed, added):
                    first, last = found.get((other, how), span)
                    found[other, how] = (min(first, span[0]), max(last, span[1]))
                shift += added - removed
        return [
            Contact(other, patch, how, path, span)
            for (other, how), span in found.items()
            if other != patch
        ]

    def _edit(self, patch: int, at: int, removed: int, added: int) -> list[tuple[int, How]]:
        """One edit at 0-based live line ``at``; who is touched and who is beside."""
        runs = self.runs
        first = last = runs.cut(at)
        touched: list[tuple[int, How]] = []
        left = removed
        while left and last is not None:
            if last.live:
                if last.size > left:
                    runs.split(last, left)
                left -= last.size
                if last.author != BASE:
                    touched.append((last.author, "touch"))
                runs.kill(last, patch)
            elif last.killer != patch:
                # Lines removed from between: whoever removed them was here before.
                touched.append((last.killer, "adjacent"))
            last = last.after
        reach = self.reach
        if reach > 1 and not removed:
            one, two = self._at(runs.ahead(first), reach), self._at(runs.behind(last), reach)
            touched += [(author, "adjacent") for author in sorted(one & two - {BASE, patch})]
        before = runs.live_before(first) if reach > 1 else 0
        # With no more lines before it than its context takes, the hunk begins the file: also what was
        # removed from in front of that context concerns it.
        begins = reach > 1 and before <= reach
        touched += self._beside(runs.ahead(first), patch, ENDLESS if begins else reach)
        if reach > 1 and not before:
            # A hunk whose context begins the file fits there only (git's match_beginning), so what
            # is put before that context concerns it too.
            reach += 1
        touched += self._beside(runs.behind(last), patch, reach)
        mark = Run(added, patch)
        runs.insert(last, mark)
        self.edits.append(_Edit(patch, added - removed, mark))
        return touched

    def _beside(
        self, neighbours: Iterable[Run], patch: int, reach: int
    ) -> Iterator[tuple[int, How]]:
        gone = 0
        for run in neighbours:
            if not run.live:
                gone += 1
                if gone > _MOST_GONE:
                    return
                yield run.killer, "adjacent"
                if run.author != BASE:
                    yield run.author, "adjacent"
                continue
            gone = 0
            if run.author not in (BASE, patch):
                yield run.author, "adjacent"
            reach -= run.size
            if reach <= 0:
                return

    def _at(self, neighbours: Iterable[Run], distance: int) -> set[int]:
        """Whose edits are just so many lines away.

        A hunk with edits on both sides of six lines of context holds these six together, though three
        are what an edit by itself has.
        """
        found: set[int] = set()
        for run in neighbours:
            if distance:
                distance -= run.size if run.live else 0
                if distance < 0:
                    return set()
            else:
                found |= {run.author, run.killer}
                if run.live and run.size:
                    return found
        return found

    def places(self) -> dict[int, list[tuple[int, int]]]:
        """For each patch its edits as (place in the common coordinates, lines gained)."""
        where = {id(run): index for index, run in enumerate(self.runs)}
        found: dict[int, list[tuple[int, int]]] = {}
        for edit in self.edits:
            found.setdefault(edit.patch, []).append((where[id(edit.mark)], edit.delta))
        return found


def _groups(hunk: Hunk, line: int) -> Iterator[tuple[int, int, int]]:
    """Each run of removed and added lines: 0-based line in the pre-image, removed, added."""
    start, removed, added = line, 0, 0
    for entry in hunk.lines:
        if entry.op == b" ":
            if removed or added:
                yield start, removed, added
                line += removed
                removed = added = 0
            line += 1
            start = line
        elif entry.op == b"-":
            removed += 1
        else:
            added += 1
    if removed or added:
        yield start, removed, added


class Life(Struct, frozen=True):
    """Patch ``later`` needs what ``earlier`` did to the file as a whole: ``what`` in words."""

    earlier: int
    later: int
    path: bytes
    what: str


class _File(Struct):
    """What is known of one path while going along the order."""

    history: LineHistory
    maker: int | None = None
    made: str = "creates"
    users: list[int] = field(default_factory=list)
    mode: int | None = None
    copier: int | None = None
    whole: int | None = None
    """The last patch that replaced the content as a whole (binary)."""


class TreeHistory:
    """All files of a series, entered patch by patch along a valid order."""

    def __init__(self, reach: int = 1) -> None:
        self.reach = reach
        self.files: dict[bytes, _File] = {}
        self.gone: dict[bytes, tuple[int, str]] = {}
        self.contacts: list[Contact] = []
        self.lives: list[Life] = []
        self._histories: dict[int, tuple[bytes, LineHistory]] = {}

    def histories(self) -> list[tuple[bytes, LineHistory]]:
        """Each file's line history, with the path that it had first."""
        return list(self._histories.values())

    def _note(self, path: bytes, file: _File) -> _File:
        self._histories[id(file.history)] = (path, file.history)
        return file

    def add(self, patch: int, changes: Sequence[FileChange]) -> None:
        """Enter one patch; its line numbers must be exact in what the patches before it made."""
        for change in changes:
            self._change(patch, change)

    def _file(self, path: bytes) -> _File:
        file = self.files.get(path)
        if file is None:
            file = self.files[path] = self._note(path, _File(LineHistory(self.reach)))
        return file

    def _life(self, earlier: int | None, later: int, path: bytes, what: str) -> None:
        if earlier is not None and earlier != later:
            self.lives.append(Life(earlier, later, path, what))

    def _change(self, patch: int, change: FileChange) -> None:
        old, new = change.old_path, change.new_path
        if old is None:
            assert new is not None
            if new in self.gone:
                earlier, verb = self.gone.pop(new)
                self._life(earlier, patch, new, f"{verb} it before it is created again")
            file = _File(LineHistory(self.reach, creator=patch), patch, "creates", [patch])
            file.history.add(patch, new, change.hunks)
            self.files[new] = self._note(new, file)
            return
        file = self._file(old)
        self._life(file.maker, patch, old, f"{file.made} it")
        if change.kind == "copy":
            assert new is not None
            self._copied(patch, old, new, change, file)
            return
        self._touch(patch, old, change, file)
        if new is None or new != old:
            # Whoever worked on it under its old name must come before.
            verb = "renames" if new is not None else "deletes"
            for user in dict.fromkeys(file.users):
                self._life(user, patch, old, f"changes it before this {verb[:-1]}")
            del self.files[old]
            self.gone[old] = (patch, verb)
            if new is not None:
                if new in self.gone:
                    earlier, gone = self.gone.pop(new)
                    self._life(earlier, patch, new, f"{gone} it before another takes its name")
                file.maker, file.made, file.users = patch, "renames", [patch]
                self.files[new] = file

    def _touch(self, patch: int, path: bytes, change: FileChange, file: _File) -> None:
        file.users.append(patch)
        self._life(file.whole, patch, path, "replaces its content")
        self._life(file.copier, patch, path, "copies it as it was before")
        if change.binary:
            for user in dict.fromkeys(file.users):
                self._life(user, patch, path, "changes it before its content is replaced")
            file.whole = patch
        if (
            change.old_mode is not None
            and change.new_mode is not None
            and change.old_mode != change.new_mode
        ):
            self._life(file.mode, patch, path, "changes its mode")
            file.mode = patch
        self.contacts += file.history.add(patch, path, change.hunks)

    def _copied(self, patch: int, old: bytes, new: bytes, change: FileChange, file: _File) -> None:
        """The copy depends on all that made its source; the source goes on by itself."""
        for user in dict.fromkeys(file.users):
            self._life(user, patch, old, "changes it before it is copied")
        file.copier = patch
        copy = _File(LineHistory(self.reach), patch, "copies", [patch])
        copy.history.add(patch, new, change.hunks)
        self.files[new] = self._note(new, copy)
