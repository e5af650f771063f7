# SPDX-License-Identifier: GPL-2.0-or-later
"""Hunks placed with some of their context left out, as patch(1) does under ``--fuzz``.

Never a default: measured over real backports fuzz adds wrong results, not right ones.  It is tried
where a patch does not fit, so that the message can say that context is all that differs, and where
the user has asked for it.  Stricter than patch(1): a hunk that is not at its stated line must fit in
exactly one place.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from msgspec import Struct

from series.lines import split_lines
from series.model import FileChange, Hunk

MOST_FUZZ = 3
"""Lines of context that a patch has by default."""


class Difference(Struct, frozen=True):
    """A line of context (1-based in the file) that is not what the patch has; None past an end."""

    line: int
    expected: bytes
    found: bytes | None


class Fuzzy(Struct, frozen=True):
    """A text that results with ``fuzz`` lines of context left out, and where that mattered."""

    text: bytes
    fuzz: int
    differences: tuple[Difference, ...]
    bare: tuple[int, ...] = ()
    """Where hunks without any context went (line, 1-based) that are not at their stated line."""


class _Core(Struct, frozen=True):
    """A hunk without the outer lines of its context: what it replaces, by what, and where."""

    start: int
    before: tuple[bytes, ...]
    after: tuple[bytes, ...]
    above: tuple[bytes, ...]
    below: tuple[bytes, ...]


def place_with_fuzz(pre: bytes, change: FileChange, most: int = MOST_FUZZ) -> Fuzzy | None:
    """The result with the least fuzz up to ``most``; None where none is enough, or it is ambiguous."""
    if change.binary or not change.hunks:
        return None
    for fuzz in range(1, min(most, MOST_FUZZ) + 1):
        made = _placed(split_lines(pre), change.hunks, fuzz)
        if made is not None:
            return Fuzzy(made[0], fuzz, made[1], made[2])
    return None


def _placed(
    lines: list[bytes], hunks: Sequence[Hunk], fuzz: int
) -> tuple[bytes, tuple[Difference, ...], tuple[int, ...]] | None:
    found: list[Difference] = []
    bare: list[int] = []
    end = shift = 0
    for hunk in hunks:
        core = _core(hunk, fuzz)
        at = _place(lines, core, core.start + shift, end)
        if at is None:
            return None
        found += _differences(lines, core, at)
        if at != core.start + shift and not any(line.op == b" " for line in hunk.lines):
            bare.append(at + 1)
        lines[at : at + len(core.before)] = core.after
        shift = at - core.start + len(core.after) - len(core.before)
        end = at + len(core.after)
    return b"".join(lines), tuple(found), tuple(bare)


def _core(hunk: Hunk, fuzz: int) -> _Core:
    """Leave out ``fuzz`` lines of the longer context, and as many less of the shorter as it lacks."""
    ops = [line.op for line in hunk.lines]
    lead = len(list(itertools.takewhile(lambda op: op == b" ", ops)))
    trail = len(list(itertools.takewhile(lambda op: op == b" ", reversed(ops))))
    context = max(lead, trail)
    above = max(0, min(lead, fuzz + lead - context))
    below = max(0, min(trail, fuzz + trail - context))
    inner = hunk.lines[above : len(hunk.lines) - below]
    return _Core(
        start=hunk.old_start - (1 if hunk.old_count else 0) + above,
        before=tuple(line.text for line in inner if line.op != b"+"),
        after=tuple(line.text for line in inner if line.op != b"-"),
        above=tuple(line.text for line in hunk.lines[:above]),
        below=tuple(line.text for line in hunk.lines[len(hunk.lines) - below :]),
    )


def _place(lines: list[bytes], core: _Core, wanted: int, first: int) -> int | None:
    """At the stated line, or in the one place where it fits."""
    size = len(core.before)
    block = list(core.before)
    if first <= wanted and wanted + size <= len(lines) and lines[wanted : wanted + size] == block:
        return wanted
    if not size:
        return None
    found: int | None = None
    at = first - 1
    while True:
        try:
            at = lines.index(block[0], at + 1)
        except ValueError:
            return found
        if lines[at : at + size] == block:
            if found is not None:
                return None
            found = at


def _differences(lines: list[bytes], core: _Core, at: int) -> list[Difference]:
    above = range(at - len(core.above), at)
    below = range(at + len(core.before), at + len(core.before) + len(core.below))
    found = []
    for place, expected in zip((*above, *below), (*core.above, *core.below), strict=True):
        there = lines[place] if 0 <= place < len(lines) else None
        if there != expected:
            found.append(Difference(place + 1, expected, there))
    return found
