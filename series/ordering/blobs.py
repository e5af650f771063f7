# SPDX-License-Identifier: GPL-2.0-or-later
"""The order that blob ids prove: what one patch leaves behind is what the next one starts from.

Each change with an ``index`` line is an edge from one state of a path to the next; a state is a path
and a blob id, or the path's absence.  Where every state has one way in and one way out the order is
read off; where a file comes back to an earlier content, a trail through all edges is sought that
starts at the base (Hierholzer), preferring what comes first in the preferred order.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Iterable, Sequence

from msgspec import Struct

from series.model import Base, FileChange, Oid, Patch

State = tuple[bytes, str | None]
"""A path and the blob it holds; None where there is no file."""


class Link(Struct, frozen=True):
    """``before`` makes the version of ``path`` that ``after`` starts from."""

    before: int
    after: int
    path: bytes
    blob: str | None


class Chains(Struct, frozen=True):
    """The links, the changes whose pre-image nothing here makes, and those that carry no ids."""

    links: tuple[Link, ...]
    strangers: tuple[tuple[int, FileChange], ...]
    """A patch and a change made for a version of the file that is neither the base's nor the
    product of another patch: the base differs, or a patch between is missing."""
    blind: tuple[tuple[int, FileChange], ...]
    rivals: tuple[tuple[int, int, bytes], ...]
    """Two patches made for the same version of a path, which cannot both be the next."""
    applied: frozenset[int] = frozenset()
    """Patches whose every change lies behind the version that the base holds."""


class _Names:
    """Abbreviated ids of one path: those where one begins like the other are the same blob."""

    def __init__(self) -> None:
        self.known: list[str] = []
        self.by_length: dict[int, dict[str, int]] = {}
        """For each length that an id has come in: the beginnings of that length, of all known ids."""

    def name(self, oid: str) -> str:
        size = len(oid)
        if size not in self.by_length:
            same = self.by_length[size] = {}
            for number, other in enumerate(self.known):
                if len(other) >= size:
                    same.setdefault(other[:size], number)
        number = self.by_length[size].get(oid, -1)
        if number < 0:
            number = self._shorter(oid)
            if number < 0:
                number = len(self.known)
                self.known.append(oid)
            self.known[number] = oid
            for length, beginnings in self.by_length.items():
                if length <= size:
                    beginnings.setdefault(oid[:length], number)
        return str(number)

    def _shorter(self, oid: str) -> int:
        """The known id that ``oid`` begins with; -1 for none."""
        for length, beginnings in self.by_length.items():
            number = beginnings.get(oid[:length], -1) if length < len(oid) else -1
            if number >= 0 and oid.startswith(self.known[number]):
                return number
        return -1


class _Edge(Struct, frozen=True):
    patch: int
    start: State
    end: State
    change: FileChange


def find_chains(
    patches: Sequence[Patch],
    base: Base | None,
    rank: Sequence[int],
    known: Container[int] = (),
    dated: Container[int] = (),
) -> Chains:
    """Link ``patches`` by blob ids; ``rank[i]`` says how early patch ``i`` is preferred.

    Where ids go in a circle, the rank of the ``known`` patches decides before the base does; that of the
    ``dated`` ones only where no other link speaks against a date, and the base has the file: it may then
    have the first of them already.  That it has no file says nothing of that kind.
    """
    names: dict[bytes, _Names] = {}
    edges: list[_Edge] = []
    blind: list[tuple[int, FileChange]] = []

    def state(path: bytes, oid: Oid | None) -> State:
        return (path, None if oid is None else names.setdefault(path, _Names()).name(oid))

    for index, patch in enumerate(patches):
        for change in patch.changes:
            # The creation of an empty file or a pure rename may have no index line.
            if change.old_blob is None and change.new_blob is None:
                blind.append((index, change))
                continue
            start = state(change.old_path or change.path, change.old_blob)
            end = state(change.new_path or change.path, change.new_blob)
            edges.append(_Edge(index, start, end, change))
    makers: dict[State, list[_Edge]] = {}
    takers: dict[State, list[_Edge]] = {}
    for edge in edges:
        makers.setdefault(edge.end, []).append(edge)
        if edge.change.kind == "rename":
            makers.setdefault((edge.start[0], None), []).append(edge)
        takers.setdefault(edge.start, []).append(edge)

    bases: dict[bytes, Oid | None] = {}

    def is_base(at: State) -> bool:
        if base is None:
            return False
        if at[0] not in bases:
            bases[at[0]] = base.oid(at[0])
        oid = bases[at[0]]
        if at[1] is None or oid is None:
            return at[1] is None and oid is None
        known = names[at[0]].known[int(at[1])]
        return oid.startswith(known) or known.startswith(oid)

    def shown(at: State) -> str | None:
        return None if at[1] is None else names[at[0]].known[int(at[1])]

    links: list[Link] = []
    strangers: list[tuple[int, FileChange]] = []
    rivals: list[tuple[int, int, bytes]] = []

    def movers_of(after: list[_Edge]) -> list[_Edge]:
        return [edge for edge in after if edge.change.kind != "copy"]

    tangled = {
        at[0]
        for at, after in takers.items()
        if len(makers.get(at, ())) + is_base(at) > 1 or len(movers_of(after)) > 1
    }
    for at, after in takers.items():
        before, movers = makers.get(at, []), movers_of(after)
        if not before and at[1] is not None and not is_base(at) and len(movers) < 2:
            strangers += [(edge.patch, edge.change) for edge in after]
        if at[0] in tangled:
            continue
        for edge in after:
            links += [_link(one.patch, edge, shown(at)) for one in before if one is not edge]
            if edge.change.kind == "copy":
                links += [
                    Link(edge.patch, mover.patch, at[0], shown(at))
                    for mover in movers
                    if mover.patch != edge.patch
                ]
    by_path: dict[bytes, list[_Edge]] = {}
    states: dict[bytes, list[State]] = {}
    for edge in edges:
        for path in {edge.start[0], edge.end[0]}:
            by_path.setdefault(path, []).append(edge)
    for at in takers:
        states.setdefault(at[0], []).append(at)
    orderly = all(rank[link.before] < rank[link.after] for link in links)
    for path in sorted(tangled):
        trail = _as_ranked(by_path[path], rank, known)
        if trail is None and orderly and not is_base((path, None)):
            trail = _as_ranked(by_path[path], rank, dated)
        trail = trail or _trail(by_path[path], is_base, rank)
        if trail is not None:
            for one, two in itertools.pairwise(trail):
                if one.patch != two.patch:
                    links.append(_link(one.patch, two, shown(two.start)))
            continue
        for at in states[path]:
            after = takers[at]
            for one, two in itertools.pairwise(after):
                rivals.append((one.patch, two.patch, path))
            for edge in after:
                links += [
                    _link(one.patch, edge, shown(at))
                    for one in makers.get(at, [])
                    if len(makers[at]) == 1 and one.patch != edge.patch and not is_base(at)
                ]
    applied = _behind(edges, is_base) - {index for index, _ in blind}
    return Chains(
        tuple(_unique(links)),
        tuple(one for one in strangers if one[0] not in applied),
        tuple(blind),
        tuple(rivals),
        frozenset(applied),
    )


def _behind(edges: list[_Edge], is_base: Callable[[State], bool]) -> set[int]:
    """Patches all of whose changes lead up to the base and none away from it."""
    ahead = _reached({at for edge in edges if is_base(at := edge.start)}, edges, forward=True)
    ends = {at for edge in edges if is_base(at := edge.end)}
    past = _reached(ends, edges, forward=False)
    verdicts: dict[int, bool] = {}
    for edge in edges:
        behind = edge.end in past and edge.start not in ahead
        verdicts[edge.patch] = verdicts.get(edge.patch, True) and behind
    return {patch for patch, behind in verdicts.items() if behind}


def _reached(states: set[State], edges: list[_Edge], *, forward: bool) -> set[State]:
    steps: dict[State, list[State]] = {}
    for edge in edges:
        one, two = (edge.start, edge.end) if forward else (edge.end, edge.start)
        steps.setdefault(one, []).append(two)
    found = set(states)
    todo = list(states)
    while todo:
        for after in steps.get(todo.pop(), ()):
            if after not in found:
                found.add(after)
                todo.append(after)
    return found


def _link(before: int, edge: _Edge, blob: str | None) -> Link:
    return Link(before, edge.patch, edge.start[0], blob)


def _unique(links: Iterable[Link]) -> list[Link]:
    found: dict[tuple[int, int], Link] = {}
    for link in links:
        if link.before != link.after:
            found.setdefault((link.before, link.after), link)
    return list(found.values())


def _as_ranked(
    edges: list[_Edge], rank: Sequence[int], known: Container[int]
) -> list[_Edge] | None:
    """``edges`` in the order of their ranks, where that is ``known`` of all and it is a trail.

    A patch and its revert go in a circle.  Where the base has the patch, the trail from the base would
    put it on after its revert.
    """
    if any(edge.patch not in known for edge in edges):
        return None
    trail = sorted(edges, key=lambda edge: rank[edge.patch])
    return trail if all(one.end == two.start for one, two in itertools.pairwise(trail)) else None


def _trail(
    edges: list[_Edge], is_base: Callable[[State], bool], rank: Sequence[int]
) -> list[_Edge] | None:
    """All ``edges`` in a row, each from where the one before ended; None when that cannot be."""
    out: dict[State, list[_Edge]] = {}
    balance: dict[State, int] = {}
    for edge in sorted(edges, key=lambda edge: -rank[edge.patch]):
        out.setdefault(edge.start, []).append(edge)
        balance[edge.start] = balance.get(edge.start, 0) + 1
        balance[edge.end] = balance.get(edge.end, 0) - 1
    starts = [at for at, count in balance.items() if count > 0]
    if len(starts) > 1 or any(abs(count) > 1 for count in balance.values()):
        return None
    if not starts:
        starts = [at for at in balance if is_base(at)]
    if not starts:
        return None
    stack: list[tuple[State, _Edge | None]] = [(starts[0], None)]
    trail: list[_Edge] = []
    while stack:
        at, via = stack[-1]
        if out.get(at):
            edge = out[at].pop()
            stack.append((edge.end, edge))
        else:
            stack.pop()
            if via is not None:
                trail.append(via)
    trail.reverse()
    return trail if len(trail) == len(edges) else None
