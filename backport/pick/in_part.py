# SPDX-License-Identifier: GPL-2.0-or-later
"""Which hunks of a change a file holds already, where it does not hold all of them.

After a merge this is known: the branch has made the very edit that the patch makes.  Where a patch does
not go on it is a guess for the message: what the hunk would make stands in the file, if need be with less
of its context, since lines nearby may have changed later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from backport.counted import counted
from backport.gateway.text_diff import changed_lines, line_edits
from series.lines import split_lines
from series.model import FileChange, Hunk
from series.placement.hunks import find

_MOST_CONTEXT = 3
_MOST_HUNKS = 200
_MOST_LINES = 2_000_000
"""Lines looked through for one file at most: a guess must not cost more than the search before it."""
_TELLING = 8
"""Letters and the like in the lines of a block that is not there by chance."""


def merged_notes(
    base: bytes, ours: bytes, theirs: bytes, merged: bytes, hunks: Sequence[Hunk]
) -> tuple[str, ...]:
    """A word where ``ours`` had made some of the edits that lead from ``base`` to ``theirs``.

    Cost: a diff of texts that differ by the patch alone; more only where the counts of lines differ.
    """
    ops = Counter(line.op for hunk in hunks for line in hunk.lines)
    if changed_lines(ours, merged) == (ops[b"+"], ops[b"-"]):
        return ()
    had = frozenset(line_edits(base, ours))
    wholly: list[int] = []
    partly: list[int] = []
    edits = line_edits(base, theirs)
    for number, hunk in enumerate(hunks, 1):
        first = hunk.old_start - (1 if hunk.old_count else 0)
        own = [edit for edit in edits if first <= edit.start <= first + hunk.old_count]
        there = [edit for edit in own if edit in had]
        if there:
            (wholly if len(there) == len(own) else partly).append(number)
    notes = (_listed(wholly, hunks, "there already"), _listed(partly, hunks, "there in part"))
    return tuple(note for note in notes if note)


def _listed(numbers: Sequence[int], hunks: Sequence[Hunk], what: str) -> str:
    if not numbers:
        return ""
    few = ", ".join(map(str, numbers[:6])) + (", ..." if len(numbers) > 6 else "")
    word, verb = ("hunk", "is") if len(numbers) == 1 else ("hunks", "are")
    return f"{word} {few} of {len(hunks)} {verb} {what}"


class LooksApplied(Struct, frozen=True):
    """For the message of a clash: which of its hunks look applied, and where; ``wholly`` if all do."""

    words: str
    wholly: bool


def looks_applied(text: bytes, change: FileChange) -> LooksApplied | None:
    """Which hunks look applied in ``text`` though they do not fit; None for none."""
    if change.binary or not change.hunks or len(change.hunks) > _MOST_HUNKS:
        return None
    lines = split_lines(text)
    if len(lines) * len(change.hunks) > _MOST_LINES:
        return None
    found = {
        number: at + 1
        for number, hunk in enumerate(change.hunks, 1)
        if (at := _looks_applied(lines, hunk)) is not None
    }
    if not found:
        return None
    if len(found) == len(change.hunks):
        return applied_at(min(found.values()))
    few = ", ".join(f"hunk {n} at line {line}" for n, line in list(found.items())[:4])
    more = ", ..." if len(found) > 4 else ""
    count = f"{len(found)} of {counted(len(change.hunks), 'hunk')}"
    return LooksApplied(f"in part it looks applied already: {few}{more} ({count})", wholly=False)


def applied_at(line: int) -> LooksApplied:
    """All of a change looks applied, beginning at ``line`` (from 1)."""
    return LooksApplied(f"looks applied at line {line} already", wholly=True)


def _looks_applied(lines: list[bytes], hunk: Hunk) -> int | None:
    """The line (0-based) where what ``hunk`` makes stands, with as much of its context as possible."""
    if all(line.op == b" " for line in hunk.lines):
        return None
    if find(lines, hunk, list(hunk.before), max(hunk.old_start - 1, 0)) is not None:
        return None  # it still fits
    ops = [line.op for line in hunk.lines]
    lead = next(n for n, op in enumerate(ops) if op != b" ")
    trail = next(n for n, op in enumerate(reversed(ops)) if op != b" ")
    home = max(hunk.new_start - 1, 0)
    for less in range(_MOST_CONTEXT + 1):
        above, below = min(less, lead), min(less, trail)
        inner = hunk.lines[above : len(ops) - below]
        block = [line.text for line in inner if line.op != b"-"]
        if not _telling(block):
            return None
        places = _places(lines, block)
        if less and len(places) > 1:
            return None
        if places:
            return min(places, key=lambda at: abs(at - home - above))
    return None


def _telling(block: Sequence[bytes]) -> bool:
    return sum(len(line.split()) and len(b"".join(line.split())) for line in block) >= _TELLING


def _places(lines: list[bytes], block: list[bytes]) -> list[int]:
    found: list[int] = []
    at = -1
    pivot = max(range(len(block)), key=lambda n: len(block[n]))
    while len(found) < 2:
        try:
            at = lines.index(block[pivot], at + 1)
        except ValueError:
            break
        start = at - pivot
        if start >= 0 and lines[start : start + len(block)] == block:
            found.append(start)
    return found
