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
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from series.binary import apply_delta
from series.graph.line_history import LineHistory, TreeHistory
from series.lines import split_lines
from series.model import Base, FileChange, Hunk, Patch
from series.ordering.line_beam import foresighted_order
from series.ordering.many import walk_exactly, walked
from series.placement.exact import place_exactly
from series.placement.hunks import PlaceError, apply_change, apply_hunks, is_applied
from series.placement.stated import in_order
from series.ties import Ties

_BUDGET = 20_000
_MAX_PAIRS = 400
_MOSTLY = 0.75
"""So many of them must be placed that the rest can be called out of place, and not the base another."""
_MANY = 24
"""Patches to one file that are first ordered by what single lines prove: to try them takes their
number squared at each step."""

Text = list[bytes] | None
State = dict[bytes, Text]


class Bound(Struct, frozen=True):
    """``before`` must precede ``after``: because of touching text, or only of line numbers."""

    before: int
    after: int
    path: bytes
    text: str
    strong: bool


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


class Item(Struct, frozen=True):
    """All that one patch does to one family of paths."""

    patch: int
    changes: tuple[FileChange, ...]


def families(patches: Sequence[Patch]) -> list[tuple[frozenset[bytes], tuple[Item, ...]]]:
    """Paths tied by renames and copies, with what each patch does to them."""
    tied: Ties[bytes] = Ties()
    for patch in patches:
        for change in patch.changes:
            if change.old_path is not None and change.new_path not in (None, change.old_path):
                tied.tie(change.old_path, change.path)
    groups: dict[bytes, dict[int, list[FileChange]]] = {}
    for index, patch in enumerate(patches):
        for change in patch.changes:
            groups.setdefault(tied.root(change.path), {}).setdefault(index, []).append(change)
    found = []
    for paths in tied.sets():
        items = groups[tied.root(paths[0])]
        found.append(
            (
                frozenset(paths),
                tuple(Item(index, tuple(changes)) for index, changes in items.items()),
            )
        )
    return sorted(found, key=lambda family: min(family[0]))


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
        walk = _Walk(start)
        there = [item for item in wanted if not walk.nearest(item)]
        if all(_is_there(item, start) for item in there):
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
    walk = whole or _best_walk(wanted, start, known)
    applied: list[tuple[int, bytes]] = []
    unplaced: list[Unplaced] = []
    left = walk.left(wanted)
    if walk.given_up:
        return Fits((), (), (), (), tuple(item.patch for item in left))
    for item in left:
        if _is_there(item, start):
            applied += [(item.patch, change.path) for change in item.changes]
        else:
            unplaced.append(Unplaced(item.patch, *walk.why(item)))
    # Line numbers say nothing where not all of them hold.
    exact = not walk.guessed and len(walk.sequence) + len(applied) == len(items)
    bounds = tuple(bound for bound in _bounds(walk.sequence) if bound.strong or exact)
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
) -> _Walk | None:
    """The walk in which all fit exactly: the one that trying finds at once, or that foresight finds."""
    if len(items) < _MANY:
        walk = _search(items, start, known, (0,), turns=0)
        if len(walk.sequence) == len(items):
            return walk
    path = items[0].changes[0].path
    order = foresighted_order(start[path] or [], edits, rank, known)
    if order is None:
        return None
    walk = _Walk(start)
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
    for shift in (0, *_drifts(items, start)[:2]) if share < 1 else (0,):
        edits = {item.patch: _shifted(item.changes[0], shift) for item in items}
        found = walk_exactly(text, edits, rank, known)
        if found is not None and len(found[0]) >= share * len(items):
            break
    else:
        return None
    order, proven = found
    walk = _Walk(start)
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
        if _is_there(item, start):
            applied.append((patch, path))
        else:
            unplaced.append(Unplaced(patch, *walk.why(item)))
    bounds = [
        Bound(one, two, path, "edits lines on or beside its own", strong=True)
        for one, two in proven
        if one in placed and two in placed
    ]
    bounds += [
        Bound(
            one, two, path, "its line numbers count with the lines that it adds or removes", False
        )
        for one, two in itertools.pairwise(order)
    ]
    moved = (path,) if shift else ()
    return Fits(tuple(bounds), tuple(unplaced), tuple(applied), moved)


def _shifted(change: FileChange, shift: int) -> FileChange:
    if not shift:
        return change
    hunks = (replace(hunk, old_start=hunk.old_start + shift) for hunk in change.hunks)
    return replace(change, hunks=tuple(hunks))


def _is_there(item: Item, start: State) -> bool:
    """Whether ``start`` has what ``item`` does to each of its files."""
    return all(
        _is_moved(change, start) or is_applied(_joined(start.get(change.path)), change)
        for change in item.changes
    )


def _is_moved(change: FileChange, start: State) -> bool:
    """Whether a rename that changes nothing else is done in ``start``."""
    return (
        change.kind == "rename"
        and not change.hunks
        and not change.binary
        and change.old_path is not None
        and start.get(change.old_path) is None
        and start.get(change.path) is not None
    )


def _past_there(wanted: Sequence[Item], start: State) -> _Walk | None:
    """The walk in the order of ``wanted`` behind those at its start that are there; None where there
    are none of these, or another does not fit exactly."""
    first = next((at for at, item in enumerate(wanted) if not _is_there(item, start)), len(wanted))
    walk = _Walk(start)
    for item in wanted[first:]:
        fit = walk.exact(item, walk.state)
        if fit is None:
            return None
        walk.take(*fit)
    return walk if first else None


def _joined(lines: Text) -> bytes | None:
    return None if lines is None else b"".join(lines)


class _Walk:
    """A state, the sequence that led to it, and the ways to go on."""

    def __init__(self, state: State, shifts: tuple[int, ...] = (0,)) -> None:
        self.state = dict(state)
        self.shifts = shifts
        self.sequence: list[Item] = []
        self.moved: set[bytes] = set()
        self.guessed = False
        self.spent = 0
        self.given_up = False

    def left(self, items: Iterable[Item]) -> list[Item]:
        done = {item.patch for item in self.sequence}
        return [item for item in items if item.patch not in done]

    def exact(self, item: Item, state: State) -> tuple[State, Item] | None:
        """``state`` after ``item``, with the item as it was placed; None where it does not fit."""
        self.spent += 1
        made: State = {}
        placed: list[FileChange] = []
        for change in item.changes:
            old = [] if change.old_path is None else _look(change.old_path, made, state)
            if old is None or not _vacant(change, made, state):
                return None
            done = self._exact_text(old, change)
            if done is None:
                return None
            _settle(change, done[0], made)
            placed.append(replace(change, hunks=done[1]) if done[1] != change.hunks else change)
        return made, Item(item.patch, tuple(placed))

    def _exact_text(
        self, old: list[bytes], change: FileChange
    ) -> tuple[list[bytes], tuple[Hunk, ...]] | None:
        if change.binary:
            text = _binary_text(old, change)
            return None if text is None else (text, ())
        if change.kind == "create" and old:
            return None
        return place_exactly(old, change.hunks, self.shifts) if change.hunks else (old, ())

    def nearest(self, item: Item) -> bool:
        """Take ``item`` wherever it fits nearest; False, and nothing done, where it does not."""
        try:
            made, placed, offset = self._nearest(item)
        except PlaceError:
            return False
        self.guessed = True
        if offset:
            self.moved |= {change.path for change in item.changes}
        self.take(made, placed)
        return True

    def why(self, item: Item) -> tuple[bytes, str]:
        """Which path of ``item`` does not fit, and the applier's words for it."""
        try:
            self._nearest(item)
        except PlaceError as exc:
            return exc.path, str(exc)
        return item.changes[0].path, "fits only in an order that the other evidence excludes"

    def offset(self, item: Item) -> int | None:
        """How far ``item`` would be from its stated lines in all; None where it does not fit."""
        self.spent += 1
        try:
            return self._nearest(item)[2]
        except PlaceError:
            return None

    def _nearest(self, item: Item) -> tuple[State, Item, int]:
        made: State = {}
        placed: list[FileChange] = []
        total = 0
        for change in item.changes:
            old = [] if change.old_path is None else _look(change.old_path, made, self.state)
            if old is None:
                raise PlaceError(change.path, "there is no such file")
            if not _vacant(change, made, self.state):
                raise PlaceError(change.path, "the file to create exists already")
            if change.binary:
                text = split_lines(apply_change(b"".join(old), change).text)
                _settle(change, text, made)
                placed.append(change)
                continue
            text = list(old)
            places = apply_hunks(text, change.hunks, change.path)
            total += sum(abs(place.offset) for place in places)
            _settle(change, text, made)
            gained = 0
            hunks: list[Hunk] = []
            for hunk, place in zip(change.hunks, places, strict=True):
                line = place.line - gained - (0 if hunk.old_count else 1)
                hunks.append(replace(hunk, old_start=line))
                gained += hunk.new_count - hunk.old_count
            placed.append(replace(change, hunks=tuple(hunks)))
        return made, Item(item.patch, tuple(placed)), total

    def take(self, made: State, placed: Item) -> None:
        self.state.update(made)
        self.sequence.append(placed)


def _look(path: bytes, made: State, state: State) -> Text:
    return made[path] if path in made else state.get(path)


def _vacant(change: FileChange, made: State, state: State) -> bool:
    """Whether the path that a change makes is free."""
    if change.kind == "modify" or change.new_path in (None, change.old_path):
        return True
    assert change.new_path is not None
    return not _look(change.new_path, made, state)


def _settle(change: FileChange, text: list[bytes], made: State) -> None:
    if change.old_path is not None and change.kind in ("rename", "delete"):
        made[change.old_path] = None
    if change.new_path is not None:
        made[change.new_path] = text


def _binary_text(old: list[bytes], change: FileChange) -> list[bytes] | None:
    """Exact for a binary change means that it also leads back."""
    if change.forward is None:
        return None
    pre = b"".join(old)
    try:
        if change.forward.kind == "delta":
            return split_lines(apply_delta(pre, change.forward.data))
        back = change.reverse
        post = change.forward.data
        if back is not None:
            was = back.data if back.kind == "literal" else apply_delta(post, back.data)
            if was != pre:
                return None
        return split_lines(post)
    except ValueError:
        return None


def _best_walk(items: Sequence[Item], start: State, known: Mapping[int, Collection[int]]) -> _Walk:
    walk = _search(items, start, known, (0,))
    if len(walk.sequence) == len(items):
        return walk
    for shift in _drifts(items, start):
        other = _search(items, start, known, (shift, 0))
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


def _drifts(items: Sequence[Item], start: State) -> list[int]:
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


def _search(
    items: Sequence[Item],
    start: State,
    known: Mapping[int, Collection[int]],
    shifts: tuple[int, ...],
    turns: int = _BUDGET,
) -> _Walk:
    """The longest sequence of exact fits found within the budget, and with so many turnings back."""
    here = {item.patch for item in items}
    needs = {item.patch: set(known.get(item.patch, ())) & here for item in items}
    best = walk = _Walk(start, shifts)
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
            best = _Walk(state, shifts)
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


def _bounds(sequence: Sequence[Item]) -> Iterator[Bound]:
    """The pairs of a fitting sequence that cannot be swapped."""
    tree = TreeHistory(reach=3)
    for item in sequence:
        tree.add(item.patch, item.changes)
    seen: set[tuple[int, int]] = set()
    for contact in tree.contacts:
        if (contact.earlier, contact.later) not in seen:
            seen.add((contact.earlier, contact.later))
            path = contact.path
            yield Bound(
                contact.earlier, contact.later, path, "edits lines on or beside its own", True
            )
    for life in tree.lives:
        if (life.earlier, life.later) not in seen:
            seen.add((life.earlier, life.later))
            yield Bound(life.earlier, life.later, life.path, f"it {life.what}", True)
    for path, history in tree.histories():
        for earlier, later in _line_pairs(history, [item.patch for item in sequence]):
            if (earlier, later) not in seen:
                seen.add((earlier, later))
                text = "its line numbers count with the lines that it adds or removes"
                yield Bound(earlier, later, path, text, False)


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
