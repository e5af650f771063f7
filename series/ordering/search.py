# SPDX-License-Identifier: GPL-2.0-or-later
"""The search for a walk in which all patches to a family of paths fit exactly, or as many as can."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from series.ordering.families import Item
from series.ordering.walk import State, Walk
from series.placement.hunks import PlaceError, apply_hunks

_BUDGET = 20_000


def best_walk(items: Sequence[Item], start: State, known: Mapping[int, Collection[int]]) -> Walk:
    walk = search(items, start, known, (0,))
    if len(walk.sequence) == len(items):
        return walk
    for shift in drifts(items, start):
        other = search(items, start, known, (shift, 0))
        if len(other.sequence) > len(walk.sequence):
            walk = other
            walk.moved |= {change.path for item in items for change in item.changes}
        if len(walk.sequence) == len(items):
            return walk
    # No exact order: whatever fits with the least offset, as far as it goes.
    while left := walk.left(items):
        done = {item.patch for item in walk.sequence}
        ready = [item for item in left if not (set(known.get(item.patch, ())) - done)] or left
        if walk.spent > 2 * _BUDGET:
            walk.given_up = True
            return walk
        offers = [
            (offset, at, item)
            for at, item in enumerate(ready)
            if (offset := walk.offset(item)) is not None
        ]
        if not offers:
            offers = [
                (offset, at, item)
                for at, item in enumerate(left)
                if item not in ready and (offset := walk.offset(item)) is not None
            ]
        if not offers or not walk.nearest(min(offers, key=lambda offer: offer[:2])[2]):
            return walk
    return walk


def drifts(items: Sequence[Item], start: State) -> list[int]:
    """How far the first hunks stand from their stated lines in the base, the most common first."""
    counts: Counter[int] = Counter()
    for item in items[:64]:
        for change in item.changes:
            old = start.get(change.old_path) if change.old_path is not None else None
            if not old or not change.hunks or change.binary:
                continue
            try:
                places = apply_hunks(list(old), change.hunks, change.path)
            except PlaceError:
                continue
            counts.update({place.offset for place in places if place.offset})
    return [shift for shift, _ in counts.most_common(4)]


def search(
    items: Sequence[Item],
    start: State,
    known: Mapping[int, Collection[int]],
    shifts: tuple[int, ...],
    turns: int = _BUDGET,
) -> Walk:
    """The longest sequence of exact fits found within the budget, and with so many turnings back."""
    here = {item.patch for item in items}
    needs = {item.patch: set(known.get(item.patch, ())) & here for item in items}
    best = walk = Walk(start, shifts)
    dead: set[frozenset[int]] = set()
    stack: list[tuple[State, list[Item], Iterator[tuple[State, Item]]]] = []
    state, sequence = dict(start), list[Item]()

    def options(state: State, sequence: list[Item]) -> Iterator[tuple[State, Item]]:
        done = {item.patch for item in sequence}
        ready = [
            (item, fit)
            for item in items
            if item.patch not in done
            and needs[item.patch] <= done
            and (fit := walk.exact(item, state)) is not None
        ]
        rest: list[tuple[int, int, State, Item]] = []
        for at, (item, (made, placed)) in enumerate(ready):
            if walk.spent > _BUDGET:
                break  # to weigh them all takes their number squared
            after = {**state, **made}
            broken = sum(
                1 for other, _ in ready if other is not item and walk.exact(other, after) is None
            )
            if not broken:
                yield after, placed
            else:
                rest.append((broken, at, after, placed))
        for _, _, after, placed in sorted(rest, key=lambda one: one[:2]):
            yield after, placed

    current = options(state, sequence)
    while True:
        if len(sequence) > len(best.sequence):
            best = Walk(state, shifts)
            best.sequence = list(sequence)
        if len(sequence) == len(items) or walk.spent > _BUDGET:
            return best
        for after, placed in current:
            if frozenset([placed.patch, *(item.patch for item in sequence)]) in dead:
                continue
            stack.append((state, sequence, current))
            state, sequence = after, [*sequence, placed]
            current = options(state, sequence)
            break
        else:
            dead.add(frozenset(item.patch for item in sequence))
            if not stack or not turns:
                return best
            turns -= 1
            state, sequence, current = stack.pop()
