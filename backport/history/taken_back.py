# SPDX-License-Identifier: GPL-2.0-or-later
"""What the patches of a run have taken back of what the branch had.

A branch that has a patch has it no more when the series reverts it: *Revert A, A again* onto a branch
with A.  Reverts often take back several commits at once, or have another context, so neither their
words nor their patch-id are looked at, but their lines: whether they remove what the patch adds, or add
what it removes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from series.model import Patch

_LEAST = 4
"""A line with fewer letters and digits (``}``, ``i = 0;``) tells little, as many patches have those: it
counts where a patch has no other."""

Place = tuple[bytes, bytes, bytes]
"""A path, what is done there, and to which line."""


class TakenBack:
    """The lines that the patches so far have added and removed; read on when something is asked."""

    def __init__(self) -> None:
        self._seen = 0
        self._done: set[Place] = set()
        self._lives: set[Place] = set()

    def holds(self, patch: Patch, on: Sequence[Callable[[], Patch]]) -> bool:
        """Whether one of the patches that are ``on`` has taken back some of ``patch``."""
        for read in on[self._seen :]:
            self._enter(read())
        self._seen = len(on)
        lines = _lines(patch)
        telling = [line for line in lines if sum(map(_is_word, line[2])) >= _LEAST]
        return any(
            (path, b"-" if op == b"+" else b"+", text) in self._done
            for path, op, text in telling or lines
        ) or any((path, undone, b"") in self._lives for path, _, undone in _lives(patch))

    def _enter(self, patch: Patch) -> None:
        self._done.update(_lines(patch))
        self._lives.update((path, kind, b"") for path, kind, _ in _lives(patch))


def _lines(patch: Patch) -> list[Place]:
    return [
        (change.path, line.op, line.text)
        for change in patch.changes
        for hunk in change.hunks
        for line in hunk.lines
        if line.op != b" "
    ]


def _is_word(byte: int) -> bool:
    return 48 <= byte < 58 or 65 <= byte < 91 or 97 <= byte < 123


def _lives(patch: Patch) -> list[tuple[bytes, bytes, bytes]]:
    """What ``patch`` does to whole files, and what would undo that: paths that begin or end with it, modes,
    and binary content, which any other of the same path may undo."""
    found: list[tuple[bytes, bytes, bytes]] = []
    for change in patch.changes:
        if change.old_path != change.new_path:
            if change.new_path is not None:
                found.append((change.new_path, b"made", b"gone"))
            if change.old_path is not None and change.kind != "copy":
                found.append((change.old_path, b"gone", b"made"))
        if change.binary:
            found.append((change.path, b"binary", b"binary"))
        if change.old_mode and change.new_mode and change.old_mode != change.new_mode:
            found.append((change.path, b"mode %o" % change.new_mode, b"mode %o" % change.old_mode))
    return found
