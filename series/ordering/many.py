# SPDX-License-Identifier: GPL-2.0-or-later
"""The order of many patches to one file, in a time that grows with them.

Trying what fits next asks every patch at every step.  Most lines of a file are there once, though, and
say at once who comes first: a line that one patch alone adds is there for others after it only, and a
line that one patch alone removes before it only.  What these leave open the stated line numbers decide:
of the patches that are ready and fit exactly, those that move no other go on first, then the lowest in
the file, which moves no other that fits.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from series.model import FileChange, Hunk
from series.placement.stated import pre_image_line

_TRIES = 40
"""How often a patch is tried, on the average, before the search gives up."""

Edits = Mapping[int, FileChange]
"""What each patch does to the file."""


def line_order(base: Sequence[bytes], edits: Edits) -> list[tuple[int, int]]:
    """Pairs of patches whose order single lines prove; one that there are two copies of, at
    whatever time, proves nothing.  Cost: linear in the lines of the hunks and of ``base``."""
    copies = Counter(base)
    makers: dict[bytes, set[int]] = {}
    takers: dict[bytes, set[int]] = {}
    users: dict[bytes, set[int]] = {}
    for patch, change in edits.items():
        for hunk in change.hunks:
            for line in hunk.lines:
                by_op = {b"+": makers, b"-": takers}.get(line.op, users)
                by_op.setdefault(line.text, set()).add(patch)
                if line.op == b"+":
                    copies[line.text] += 1
    pairs: set[tuple[int, int]] = set()
    for text in makers.keys() | takers.keys():
        made, taken, used = (by.get(text, set()) for by in (makers, takers, users))
        if copies[text] != 1 or len(taken) > 1:
            continue
        for maker in made:
            pairs |= {(maker, other) for other in taken | used if other != maker}
        for taker in taken:
            pairs |= {(other, taker) for other in used if other != taker}
    return sorted(pairs)


def walk_exactly(
    base: Sequence[bytes],
    edits: Edits,
    rank: Sequence[int],
    known: Mapping[int, Collection[int]],
) -> tuple[list[int], list[tuple[int, int]]] | None:
    """An order in which each patch stands at its very lines, and the pairs that lines prove in it.

    ``known`` are for a patch those that must precede it.  The order is short of those that fit nowhere;
    None where the tries are used up.
    """
    proven = line_order(base, edits)
    before: dict[int, set[int]] = {
        patch: set(known.get(patch, ())) & edits.keys() for patch in edits
    }
    for one, two in proven:
        before[two].add(one)
    after: dict[int, list[int]] = {patch: [] for patch in edits}
    for two, ones in before.items():
        for one in ones:
            after[one].append(two)
    waits = {patch: len(ones) for patch, ones in before.items()}
    ready = [(rank[patch], patch) for patch, count in waits.items() if not count]
    heapq.heapify(ready)
    text, order, stuck = list(base), list[int](), list[int]()
    tries = _TRIES * len(edits)

    def put_on(patch: int) -> None:
        _apply(text, edits[patch].hunks)
        order.append(patch)
        for later in after[patch]:
            waits[later] -= 1
            if not waits[later]:
                heapq.heappush(ready, (rank[later], later))

    while True:
        while ready:
            patch = heapq.heappop(ready)[1]
            tries -= 1
            if _gain(edits[patch].hunks) == 0 and _stands(text, edits[patch].hunks):
                put_on(patch)
            else:
                stuck.append(patch)
        if len(order) == len(edits):
            return order, proven
        fitting = [patch for patch in stuck if _stands(text, edits[patch].hunks)]
        tries -= len(stuck)
        if tries < 0:
            return None
        if not fitting:
            return order, proven
        lowest = max(fitting, key=lambda patch: (edits[patch].hunks[0].old_start, -rank[patch]))
        stuck.remove(lowest)
        put_on(lowest)
        # What did not stand where it says may do so now.
        for patch in stuck:
            heapq.heappush(ready, (rank[patch], patch))
        stuck.clear()


def walked(base: Sequence[bytes], changes: Sequence[FileChange]) -> list[bytes]:
    """``base`` after ``changes``, each at its very lines."""
    text = list(base)
    for change in changes:
        _apply(text, change.hunks)
    return text


def _stands(text: Sequence[bytes], hunks: Sequence[Hunk]) -> bool:
    for hunk in hunks:
        at, before = pre_image_line(hunk), list(hunk.before)
        if at < 0 or text[at : at + len(before)] != before:
            return False
    return True


def _apply(text: list[bytes], hunks: Sequence[Hunk]) -> None:
    for hunk in reversed(hunks):
        at = pre_image_line(hunk)
        text[at : at + hunk.old_count] = hunk.after


def _gain(hunks: Sequence[Hunk]) -> int:
    """0 where no hunk moves what is below it."""
    return next((1 for hunk in hunks if hunk.old_count != hunk.new_count), 0)
