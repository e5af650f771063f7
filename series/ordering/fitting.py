# SPDX-License-Identifier: GPL-2.0-or-later
"""The order that context proves, where no blob ids do.

A hunk's line numbers are exact in the text it was made for.  So of the patches that touch one file,
the next is one whose hunks stand exactly where they say; and one that would push another, which fits
now, off its place comes after that one.  Per file this is a search with backtracking over a handful
of patches, remembering dead ends; files are small sets, so it stays in the tens of milliseconds for a
real series, and is bounded for any other.

Where no exact order exists (the base differs, a patch is missing) one shift of all lines is tried, as
a base that gained or lost lines above makes; and last, whatever fits with the least offset.

From the sequence found follow constraints, for those pairs only that cannot be swapped: what touches,
and what moves the other's line numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from series.lines import split_lines
from series.model import Base, FileChange
from series.ordering.bounds import ADJOINS, COUNTS, Bound, bounds_of
from series.ordering.families import Item
from series.ordering.line_beam import foresighted_order
from series.ordering.many import walk_exactly, walked
from series.ordering.search import best_walk, drifts, search
from series.ordering.walk import State, Walk, is_there
from series.placement.stated import in_order

_MOSTLY = 0.75
"""So many of them must be placed that the rest can be called out of place, and not the base another."""
_MANY = 24
"""Patches to one file that are first ordered by what single lines prove: to try them takes their
number squared at each step."""


class Unplaced(Struct, frozen=True):
    """A change that fits nowhere, with the reason that the applier gives."""

    patch: int
    path: bytes
    error: str


class Fits(Struct, frozen=True):
    """What the context of all files says together."""

    bounds: tuple[Bound, ...]
    unplaced: tuple[Unplaced, ...]
    applied: tuple[tuple[int, bytes], ...]
    """Patches and paths whose change the text has already."""
    moved: tuple[bytes, ...]
    """Paths where hunks fit only away from their stated lines."""
    given_up: tuple[int, ...] = ()
    """Patches for which the search ended before a place was found."""


def fit_family(
    paths: Collection[bytes],
    items: Sequence[Item],
    base: Base,
    rank: Sequence[int],
    known: Mapping[int, Collection[int]],
    *,
    numbered: bool,
    ranked: bool = False,
) -> Fits:
    """Order ``items``; ``known`` gives for a patch those that must precede it.

    With ``numbered``, the order by ``rank`` is taken if all fits in it, or is there already, and binds
    nobody.  With ``ranked``, ``rank`` comes from the authors: what is there already may go in a circle
    with what follows, and then only they know where it begins.
    """
    start: State = {}
    for path in paths:
        text = base.read(path)
        start[path] = None if text is None else split_lines(text)
    wanted = sorted(items, key=lambda item: rank[item.patch])
    if len(items) == 1 or numbered:
        walk = Walk(start)
        there = [item for item in wanted if not walk.nearest(item)]
        if all(is_there(item, start) for item in there):
            paths_there = [(item.patch, x.path) for item in there for x in item.changes]
            return Fits((), (), tuple(paths_there), tuple(sorted(walk.moved)))
    edits = _edits_of_one(wanted, start) if len(items) > 1 else None
    if edits and len(items) >= _MANY and (fits := _fit_many(wanted, start, edits, rank, known, 1)):
        return fits
    whole = _past_there(wanted, start) if ranked else None
    if whole is None and edits:
        whole = _foreseen(wanted, start, edits, rank, known)
        if whole is None and len(items) >= _MANY:
            fits = _fit_many(wanted, start, edits, rank, known, _MOSTLY)
            if fits is not None:
                return fits
    walk = whole or best_walk(wanted, start, known)
    applied: list[tuple[int, bytes]] = []
    unplaced: list[Unplaced] = []
    left = walk.left(wanted)
    if walk.given_up:
        return Fits((), (), (), (), tuple(item.patch for item in left))
    for item in left:
        if is_there(item, start):
            applied += [(item.patch, change.path) for change in item.changes]
        else:
            unplaced.append(Unplaced(item.patch, *walk.why(item)))
    # Line numbers say nothing where not all of them hold.
    exact = not walk.guessed and len(walk.sequence) + len(applied) == len(items)
    bounds = tuple(bound for bound in bounds_of(walk.sequence) if bound.strong or exact)
    return Fits(bounds, tuple(unplaced), tuple(applied), tuple(sorted(walk.moved)))


def _edits_of_one(items: Sequence[Item], start: State) -> dict[int, FileChange] | None:
    """What each patch does, where all do no more than edit one text."""
    changes = [change for item in items for change in item.changes]
    path = changes[0].path
    if start.get(path) is None or len(changes) != len(items):
        return None
    if any(x.kind != "modify" or x.binary or x.path != path for x in changes):
        return None
    if not all(in_order(change.hunks) for change in changes):
        return None
    return {item.patch: item.changes[0] for item in items}


def _foreseen(
    items: Sequence[Item],
    start: State,
    edits: Mapping[int, FileChange],
    rank: Sequence[int],
    known: Mapping[int, Collection[int]],
) -> Walk | None:
    """The walk in which all fit exactly: the one that trying finds at once, or that foresight finds."""
    if len(items) < _MANY:
        walk = search(items, start, known, (0,), turns=0)
        if len(walk.sequence) == len(items):
            return walk
    path = items[0].changes[0].path
    order = foresighted_order(start[path] or [], edits, rank, known)
    if order is None:
        return None
    walk = Walk(start)
    for patch in order:
        fit = walk.exact(Item(patch, (edits[patch],)), walk.state)
        if fit is None:
            return None
        walk.take(*fit)
    return walk


def _fit_many(
    items: Sequence[Item],
    start: State,
    edits: Mapping[int, FileChange],
    rank: Sequence[int],
    known: Mapping[int, Collection[int]],
    share: float,
) -> Fits | None:
    """What `walk_exactly` finds, where that places such a share of them.

    For patches that do no more than edit one text each once.
    """
    path = items[0].changes[0].path
    text = start[path]
    assert text is not None
    for shift in (0, *drifts(items, start)[:2]) if share < 1 else (0,):
        edits = {item.patch: _shifted(item.changes[0], shift) for item in items}
        found = walk_exactly(text, edits, rank, known)
        if found is not None and len(found[0]) >= share * len(items):
            break
    else:
        return None
    order, proven = found
    walk = Walk(start)
    placed = dict.fromkeys(order)
    by_patch = {item.patch: item for item in items}
    for patch in order:
        walk.take({path: None}, Item(patch, (edits[patch],)))
    walk.state[path] = walked(text, [edits[patch] for patch in order])
    applied: list[tuple[int, bytes]] = []
    unplaced: list[Unplaced] = []
    for patch, item in by_patch.items():
        if patch in placed:
            continue
        if is_there(item, start):
            applied.append((patch, path))
        else:
            unplaced.append(Unplaced(patch, *walk.why(item)))
    bounds = [
        Bound(one, two, path, ADJOINS, strong=True)
        for one, two in proven
        if one in placed and two in placed
    ]
    bounds += [
        Bound(one, two, path, COUNTS, strong=False) for one, two in itertools.pairwise(order)
    ]
    moved = (path,) if shift else ()
    return Fits(tuple(bounds), tuple(unplaced), tuple(applied), moved)


def _shifted(change: FileChange, shift: int) -> FileChange:
    if not shift:
        return change
    hunks = (replace(hunk, old_start=hunk.old_start + shift) for hunk in change.hunks)
    return replace(change, hunks=tuple(hunks))


def _past_there(wanted: Sequence[Item], start: State) -> Walk | None:
    """The walk in the order of ``wanted`` behind those at its start that are there; None where there
    are none of these, or another does not fit exactly."""
    first = next((at for at, item in enumerate(wanted) if not is_there(item, start)), len(wanted))
    walk = Walk(start)
    for item in wanted[first:]:
        fit = walk.exact(item, walk.state)
        if fit is None:
            return None
        walk.take(*fit)
    return walk if first else None
