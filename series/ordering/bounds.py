# SPDX-License-Identifier: GPL-2.0-or-later
"""The pairs of an order that fits which cannot be swapped."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from msgspec import Struct

from series.graph.line_history import LineHistory, TreeHistory
from series.ordering.families import Item

ADJOINS = "edits lines on or beside its own"
COUNTS = "its line numbers count with the lines that it adds or removes"
_MAX_PAIRS = 400


class Bound(Struct, frozen=True):
    """``before`` must precede ``after``: because of touching text, or only of line numbers."""

    before: int
    after: int
    path: bytes
    text: str
    strong: bool


def bounds_of(sequence: Sequence[Item]) -> Iterator[Bound]:
    """The pairs of a fitting sequence that cannot be swapped."""
    tree = TreeHistory(reach=3)
    for item in sequence:
        tree.add(item.patch, item.changes)
    seen: set[tuple[int, int]] = set()
    for contact in tree.contacts:
        if (contact.earlier, contact.later) not in seen:
            seen.add((contact.earlier, contact.later))
            path = contact.path
            yield Bound(contact.earlier, contact.later, path, ADJOINS, True)
    for life in tree.lives:
        if (life.earlier, life.later) not in seen:
            seen.add((life.earlier, life.later))
            yield Bound(life.earlier, life.later, life.path, f"it {life.what}", True)
    for path, history in tree.histories():
        for earlier, later in _line_pairs(history, [item.patch for item in sequence]):
            if (earlier, later) not in seen:
                seen.add((earlier, later))
                yield Bound(earlier, later, path, COUNTS, False)


def _line_pairs(history: LineHistory, order: Sequence[int]) -> Iterator[tuple[int, int]]:
    places = history.places()
    order = [patch for patch in order if patch in places]
    if len(order) > _MAX_PAIRS:
        yield from itertools.pairwise(order)
        return
    for at, earlier in enumerate(order):
        for later in order[at + 1 :]:
            if _pushes(places[earlier], places[later]) or _pushes(places[later], places[earlier]):
                yield earlier, later


def _pushes(mover: list[tuple[int, int]], other: list[tuple[int, int]]) -> bool:
    """Whether ``mover``'s gains above any edit of ``other`` do not cancel out."""
    return any(sum(gain for at, gain in mover if at < place) for place, _ in other)
