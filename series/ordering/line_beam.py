# SPDX-License-Identifier: GPL-2.0-or-later
"""An order of patches to one file in which each stands at its very lines, found with foresight.

What fits now need not go on now: a patch that fits by accident takes from others the line numbers
that they state, which shows only many patches later.  So each step asks how far it leads every other
patch from where it can still come to stand (`line_shifts`), and several beginnings are kept side by
side, the ones that lead least astray.  First one, which nearly always ends well, then more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct

from series.ordering.line_shifts import Edits, Needs, Sum, line_sums, tightened
from series.ordering.many import line_order
from series.placement.stated import pre_image_line

_WIDTHS = ((1, 1), (6, 3), (24, 8), (64, 12))
"""How many beginnings are kept, and in how many ways each may go on."""
_MOST_TRIED = 96
"""Patches of those that fit that are weighed against each other: the work of a step does not grow."""
_LOST = 10
"""A patch that no longer can stand weighs as much as so many that are led away from their lines."""


class _Block(Struct, frozen=True):
    """A hunk, its lines taken apart once."""

    at: int
    before: list[bytes]
    after: list[bytes]


class _Beginning(Struct, frozen=True):
    """The patches put on so far, and for each sum how many lines it still wants, and how many more may
    still be lost and gained than it wants."""

    cost: int
    text: list[bytes]
    order: tuple[int, ...]
    done: frozenset[int]
    wanted: list[int]
    below: list[int]
    above: list[int]


def foresighted_order(
    base: Sequence[bytes], edits: Edits, rank: Sequence[int], known: Mapping[int, Collection[int]]
) -> list[int] | None:
    """All of ``edits`` in an order in which each stands at its very lines; None if none is found.

    ``known`` are for a patch those that must precede it.
    """
    sums = line_sums(base, edits)
    if sums is None:
        return None
    needs: Needs = {patch: set(known.get(patch, ())) & edits.keys() for patch in edits}
    for one, two in line_order(base, edits):
        needs[two].add(one)
    tight = tightened(needs, sums)
    if tight is None:
        return None
    search = _Search(base, edits, rank, tight, sums)
    for width, ways in _WIDTHS:
        if (order := search.order(width, ways)) is not None:
            return order
    return None


class _Search:
    def __init__(
        self,
        base: Sequence[bytes],
        edits: Edits,
        rank: Sequence[int],
        needs: Needs,
        sums: Sequence[Sum],
    ) -> None:
        self.rank = rank
        self.needs = needs
        self.owner = [one.patch for one in sums]
        self.blocks = {
            patch: [
                _Block(pre_image_line(hunk), list(hunk.before), list(hunk.after))
                for hunk in change.hunks
            ]
            for patch, change in edits.items()
        }
        kinds: dict[tuple[tuple[int, bytes, bytes], ...], int] = {}
        self.kinds: dict[int, int] = {}
        """Patches of one kind do the same to the same lines."""
        self.alike: list[list[_Block]] = []
        for patch, blocks in self.blocks.items():
            key = tuple((b.at, b"".join(b.before), b"".join(b.after)) for b in blocks)
            if key not in kinds:
                kinds[key] = len(self.alike)
                self.alike.append(blocks)
            self.kinds[patch] = kinds[key]
        self.displaced: dict[tuple[int, int], bool] = {}
        self.effects: dict[int, list[tuple[int, int]]] = {patch: [] for patch in edits}
        """For each patch the sums that it counts in, and with how much."""
        below, above = (
            [one.slack + one.wanted for one in sums],
            [one.slack - one.wanted for one in sums],
        )
        for at, one in enumerate(sums):
            for other, lines in one.gains.items():
                if one.patch not in needs[other]:
                    self.effects[other].append((at, lines))
                    if lines < 0:
                        below[at] -= lines
                    else:
                        above[at] += lines
        wanted = [one.wanted for one in sums]
        self.start = _Beginning(0, list(base), (), frozenset(), wanted, below, above)

    def order(self, width: int, ways: int) -> list[int] | None:
        """The order that a search of this width ends with; None where it ends before all are on."""
        kept = [self.start]
        for _ in self.needs:
            offers: dict[frozenset[int], tuple[int, _Beginning, int]] = {}
            for begun in kept:
                for cost, patch in self._offers(begun)[:ways]:
                    total, done = begun.cost + cost, begun.done | {patch}
                    if done not in offers or total < offers[done][0]:
                        offers[done] = (total, begun, patch)
            if not offers:
                return None
            best = sorted(offers.values(), key=lambda offer: offer[0])[:width]
            kept = [self._put_on(begun, patch, total) for total, begun, patch in best]
        return list(kept[0].order)

    def _offers(self, begun: _Beginning) -> list[tuple[int, int]]:
        """The patches that may be next, and what each costs, the best first."""
        fits = [patch for patch in self._ready(begun) if _stands(begun.text, self.blocks[patch])]
        fits.sort(key=lambda patch: (-self._line(patch), self.rank[patch]))
        # Of patches that do the same to the same lines one is tried: the others come after it.
        first = {(self.kinds[patch], frozenset(self.needs[patch])): patch for patch in fits[::-1]}
        tried = sorted(first.values(), key=fits.index) if len(first) < len(fits) else fits
        beside = Counter(self.kinds[patch] for patch in fits[:_MOST_TRIED])
        offers = [(self._astray(begun, patch, beside), patch) for patch in tried[:_MOST_TRIED]]
        offers.sort(key=lambda offer: (offer[0], -self._line(offer[1]), self.rank[offer[1]]))
        return offers

    def _ready(self, begun: _Beginning) -> Iterator[int]:
        for patch, needed in self.needs.items():
            if patch not in begun.done and needed <= begun.done:
                yield patch

    def _line(self, patch: int) -> int:
        return min((block.at for block in self.blocks[patch]), default=0)

    def _astray(self, begun: _Beginning, patch: int, beside: Counter[int]) -> int:
        """How many of the others ``patch`` would lead away from their lines."""
        away: set[int] = set()
        lost: set[int] = set()
        for at, lines in self.effects[patch]:
            owner = self.owner[at]
            if owner in begun.done:
                continue
            if (begun.below[at] < lines) if lines > 0 else (begun.above[at] < -lines):
                lost.add(owner)
            # Farther from what is wanted than before: in the other direction, or past it by more.
            left = begun.wanted[at] if lines > 0 else -begun.wanted[at]
            if 2 * left < abs(lines) and patch not in self.needs[owner]:
                away.add(owner)
        own = self.kinds[patch]
        broken = sum(
            count - (other == own) for other, count in beside.items() if self._displaces(own, other)
        )
        return max(len(away), broken) + _LOST * len(lost)

    def _displaces(self, kind: int, other: int) -> bool:
        known = self.displaced.get((kind, other))
        if known is None:
            known = _displaced(self.alike[kind], self.alike[other])
            self.displaced[kind, other] = known
        return known

    def _put_on(self, begun: _Beginning, patch: int, cost: int) -> _Beginning:
        wanted, below, above = list(begun.wanted), list(begun.below), list(begun.above)
        for at, lines in self.effects[patch]:
            wanted[at] -= lines
            if lines > 0:
                below[at] -= lines
            else:
                above[at] += lines
        return _Beginning(
            cost,
            _edited(begun.text, self.blocks[patch]),
            (*begun.order, patch),
            begun.done | {patch},
            wanted,
            below,
            above,
        )


def _stands(text: Sequence[bytes], blocks: Sequence[_Block]) -> bool:
    for block in blocks:
        here = text[block.at : block.at + 1]
        if (
            here != block.before[:1]
            or text[block.at : block.at + len(block.before)] != block.before
        ):
            return False
    return True


def _displaced(edits: Sequence[_Block], blocks: Sequence[_Block]) -> bool:
    """Whether ``blocks``, which stand, no longer do after ``edits``: moved, or their lines changed."""
    for block in blocks:
        moved, end = 0, block.at + len(block.before)
        for edit in edits:
            if edit.at >= end:
                break
            gain = len(edit.after) - len(edit.before)
            if edit.at + len(edit.before) <= block.at:
                moved += gain
            elif gain or not _agrees(edit, block):
                return True
        if moved:
            return True
    return False


def _agrees(edit: _Block, block: _Block) -> bool:
    """Whether ``edit``, which gains no line, leaves those that it has in common with ``block``."""
    first = max(edit.at, block.at)
    last = min(edit.at + len(edit.before), block.at + len(block.before))
    made = edit.after[first - edit.at : last - edit.at]
    return made == block.before[first - block.at : last - block.at]


def _edited(text: list[bytes], blocks: Sequence[_Block]) -> list[bytes]:
    made = list(text)
    for block in reversed(blocks):
        made[block.at : block.at + len(block.before)] = block.after
    return made
