# SPDX-License-Identifier: GPL-2.0-or-later
"""What the stated line numbers say of the order of patches to one file.

A line that the base has once, and that no patch adds, can be followed.  Where a hunk has it in its
context, the hunk's stated line says how far the patches before it have moved that line.  What each
patch adds or removes above the line is known, so each such line is a sum: those before must make it,
and those after must not count in it.  Most of the order follows from these sums alone: a patch whose
gain leads past what the others can bring back comes after, and one without which the sum cannot be
reached comes before.

Cost: the lines followed (two a hunk) times the places where lines are gained, for each round; every
round but the last orders at least one more pair.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from series.model import FileChange
from series.placement.stated import pre_image_line

Edits = Mapping[int, FileChange]
"""What each patch does to the file."""
Needs = dict[int, set[int]]
"""For each patch those that must precede it."""

_NEAR = 20
"""So near to a line that is followed, a gain may be above it or below it: other patches add lines
between."""
_DEPTH = 8
"""How long a chain of patches is followed that build on what the ones before have added."""
_MOST = 400_000
"""Lines followed times places of gain: past this the sums cost more than they bring."""


class Sum(Struct, frozen=True):
    """``patch`` stands at its stated line once the patches before it gain ``wanted`` lines in all."""

    patch: int
    wanted: int
    gains: Mapping[int, int]
    """What each of the other patches gains above the line, where that is not 0."""
    slack: int
    """As much may be missing or too much, for gains so near that their side is not certain."""


class _Gain(Struct, frozen=True):
    patch: int
    place: int | None
    """The line of the base; None where nothing leads back to it."""
    lines: int


def line_sums(base: Sequence[bytes], edits: Edits) -> list[Sum] | None:
    """The sums that the hunks of all patches state; None where there are too many to look at."""
    copies = Counter(base)
    for change in edits.values():
        for hunk in change.hunks:
            copies.update(line.text for line in hunk.lines if line.op == b"+")
    followed = {text: at for at, text in enumerate(base) if copies[text] == 1}
    gains = _placed_gains(edits, followed, copies)
    wanted = [
        (patch, place, shift)
        for patch, change in edits.items()
        for place, shift in sorted(_stated(change, followed))
    ]
    if len(gains) * len(wanted) > _MOST:
        return None
    found: dict[tuple[int, int, frozenset[tuple[int, int]]], Sum] = {}
    for patch, place, shift in wanted:
        above: dict[int, int] = {}
        slack = 0
        for gain in gains:
            if gain.patch == patch:
                continue
            if gain.place is None or abs(gain.place - place) <= _NEAR:
                slack += abs(gain.lines)
            if gain.place is not None and gain.place < place:
                above[gain.patch] = above.get(gain.patch, 0) + gain.lines
        above = {other: lines for other, lines in above.items() if lines}
        found.setdefault((patch, shift, frozenset(above.items())), Sum(patch, shift, above, slack))
    return list(found.values())


def _stated(change: FileChange, followed: Mapping[bytes, int]) -> set[tuple[int, int]]:
    """The first and the last line of each hunk that is followed, and how far it has moved there."""
    found = set()
    for hunk in change.hunks:
        line = pre_image_line(hunk)
        known = [(line + at, text) for at, text in enumerate(hunk.before) if text in followed]
        for at, text in known[:1] + known[-1:]:
            found.add((followed[text], at - followed[text]))
    return found


def _placed_gains(
    edits: Edits, followed: Mapping[bytes, int], copies: Mapping[bytes, int]
) -> list[_Gain]:
    """Where in the base each patch gains or loses lines.

    A line that one patch adds, once, is where that patch adds it: so those that build on it are placed.
    """
    places = dict(followed)
    for _ in range(_DEPTH):
        known = len(places)
        gains = [
            gain for patch, one in edits.items() for gain in _gains(patch, one, places, copies)
        ]
        if len(places) == known:
            break
    return gains


def _gains(
    patch: int, change: FileChange, places: dict[bytes, int], copies: Mapping[bytes, int]
) -> Iterator[_Gain]:
    for hunk in change.hunks:
        line = pre_image_line(hunk)
        known = [(line + at, places[x]) for at, x in enumerate(hunk.before) if x in places]
        at = line
        for adds, entries in itertools.groupby(hunk.lines, lambda entry: entry.op != b" "):
            edit = list(entries)
            removed = sum(1 for entry in edit if entry.op != b"+")
            if adds:
                place = None
                if known:
                    near, there = _nearest(known, at)
                    place = there + at - near
                    for entry in edit:
                        if entry.op == b"+" and copies[entry.text] == 1:
                            places.setdefault(entry.text, place)
                if gained := len(edit) - 2 * removed:
                    yield _Gain(patch, place, gained)
            at += removed


def _nearest(known: Sequence[tuple[int, int]], at: int) -> tuple[int, int]:
    """Of pairs that begin with a line, in order, the one nearest to line ``at``; of two the first."""
    here = bisect_left(known, (at,))
    return min(known[max(here - 1, 0) : here + 1], key=lambda one: abs(one[0] - at))


def tightened(needs: Mapping[int, set[int]], sums: Sequence[Sum]) -> Needs | None:
    """``needs``, and all that follows from it and from the sums; None where they contradict it."""
    patches = list(needs)
    at = {patch: place for place, patch in enumerate(patches)}
    before = [sum(1 << at[other] for other in needs[patch]) for patch in patches]
    if not _close(before):
        return None
    rows = [
        (at[one.patch], one, [(at[other], lines) for other, lines in one.gains.items()])
        for one in sums
    ]
    while True:
        fresh: list[tuple[int, int]] = []
        for here, one, gains in rows:
            left, free = one.wanted, list[tuple[int, int]]()
            for other, lines in gains:
                if before[here] >> other & 1:
                    left -= lines
                elif not before[other] >> here & 1:
                    free.append((other, lines))
            low = sum(lines for _, lines in free if lines < 0) - one.slack
            high = sum(lines for _, lines in free if lines > 0) + one.slack
            if not low <= left <= high:
                return None
            for other, lines in free:
                least, most = low - min(lines, 0), high - max(lines, 0)
                if not least <= left - lines <= most:
                    fresh.append((here, other))
                elif not least <= left <= most:
                    fresh.append((other, here))
        for one_before, other in fresh:
            before[other] |= 1 << one_before
        if not _close(before):
            return None
        if not fresh:
            return {
                patch: {other for other in patches if before[at[patch]] >> at[other] & 1}
                for patch in patches
            }


def _close(before: list[int]) -> bool:
    """Add what precedes indirectly; whether nothing precedes itself.

    A set is the bits of a number: hundreds of patches are united in one step.
    """
    for via, bit in ((via, 1 << via) for via in range(len(before))):
        for here, those in enumerate(before):
            if those & bit:
                before[here] = those | before[via]
    return not any(those >> here & 1 for here, those in enumerate(before))
