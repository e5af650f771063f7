# SPDX-License-Identifier: GPL-2.0-or-later
"""How one text differs from another, line by line, as libgit2's diff finds it."""

from __future__ import annotations

import pygit2
from msgspec import Struct

from series.lines import split_lines


class LineEdit(Struct, frozen=True):
    """``count`` lines of the old text from ``start`` on (0-based) become ``lines``."""

    start: int
    count: int
    lines: tuple[bytes, ...]


def changed_lines(old: bytes, new: bytes) -> tuple[int, int]:
    """How many lines are added and removed."""
    _, added, removed = pygit2.Patch.create_from(old, new, context_lines=0).line_stats
    return added, removed


def line_edits(old: bytes, new: bytes) -> tuple[LineEdit, ...]:
    """The edits that lead from ``old`` to ``new``, in order."""
    lines = split_lines(new)
    found = []
    for hunk in pygit2.Patch.create_from(old, new, context_lines=0).hunks:
        # Of an empty side the line before it is given.
        start = hunk.old_start - (1 if hunk.old_lines else 0)
        first = hunk.new_start - (1 if hunk.new_lines else 0)
        found.append(LineEdit(start, hunk.old_lines, tuple(lines[first : first + hunk.new_lines])))
    return tuple(found)


def unified(old: bytes, new: bytes, *, context: int = 3) -> bytes:
    """The hunks that lead from one text to the other, with so many lines of context; no header."""
    data = pygit2.Patch.create_from(old, new, context_lines=context).data
    start = data.find(b"\n@@ ")
    return data[start + 1 :] if start >= 0 else b""
