# SPDX-License-Identifier: GPL-2.0-or-later
"""A first valid order for patches that come shuffled, renumbered or with holes.

The evidence, strongest first: blob ids, ``n/m`` numbering, threading, trailers, context.  What the
patches prove decides; what their author says (numbering, dates) settles the rest; and where the two
contradict each other, both are reported.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from series.chains import find_chains
from series.model import Base, Patch, Series


@dataclass(frozen=True, slots=True)
class Reason:
    """Why ``after`` must not come before ``before``: indexes into the patches, and the words."""

    before: int
    after: int
    text: str


@dataclass(frozen=True, slots=True)
class Ordering:
    """Indexes into ``series.patches`` in the order to apply them, and for each patch why there."""

    order: tuple[int, ...]
    reasons: tuple[tuple[str, ...], ...]
    """By index into ``series.patches``, like ``constraints``' numbers."""
    notes: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    constraints: tuple[Reason, ...] = ()


def recover_order(series: Series, base: Base | None) -> Ordering:
    """Order the patches of ``series`` so that they apply to ``base``."""
    patches = series.patches
    rank = _ranks(patches)
    chains = find_chains(patches, base, rank)
    constraints = [
        Reason(
            link.before,
            link.after,
            f"starts from the version of {_shown(link.path)} ({(link.blob or 'absent')[:10]}) that "
            f"{patches[link.before].name} leaves",
        )
        for link in chains.links
    ]
    order = _sort(len(patches), constraints, rank)
    reasons: list[list[str]] = [[] for _ in patches]
    for constraint in constraints:
        reasons[constraint.after].append(constraint.text)
    return Ordering(order, tuple(map(tuple, reasons)), constraints=tuple(constraints))


def _ranks(patches: Sequence[Patch]) -> list[int]:
    """Each patch's place in the preferred order: as numbered, by date, by content."""

    def key(index: int) -> tuple[int, int, int, bytes]:
        patch = patches[index]
        digest = hashlib.sha256(patch.message + repr(patch.changes).encode()).digest()
        if patch.numbering is not None:
            return (0, patch.numbering.number, 0, digest)
        return (1, patch.date.seconds if patch.date else 0, 0, digest)

    ranks = [0] * len(patches)
    for place, index in enumerate(sorted(range(len(patches)), key=key)):
        ranks[index] = place
    return ranks


def _sort(count: int, constraints: Iterable[Reason], rank: Sequence[int]) -> tuple[int, ...]:
    after: list[set[int]] = [set() for _ in range(count)]
    waiting = [0] * count
    for one in constraints:
        if one.after not in after[one.before]:
            after[one.before].add(one.after)
            waiting[one.after] += 1
    ready = [(rank[index], index) for index in range(count) if not waiting[index]]
    heapq.heapify(ready)
    order: list[int] = []
    while ready:
        _, index = heapq.heappop(ready)
        order.append(index)
        for other in after[index]:
            waiting[other] -= 1
            if not waiting[other]:
                heapq.heappush(ready, (rank[other], other))
    return tuple(order)


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")
