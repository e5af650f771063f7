# SPDX-License-Identifier: GPL-2.0-or-later
"""A first valid order for patches that come shuffled, renumbered or with holes.

The evidence, strongest first: blob ids (chains.py), numbering, threading, context (fitting.py),
trailers and names (relation.py).  What the patches prove binds; what their author says of the order
settles what is left open; and where two sources contradict each other, both are named.

Where nothing decides, dates do, and at last the content: the result never depends on the order in
which the patches were given.
"""

from __future__ import annotations

import hashlib
import heapq
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from series.model import Base, Patch, Series, shown
from series.ordering.blobs import Chains, find_chains

if TYPE_CHECKING:
    from series.ordering.fitting import Fits

Source = Literal["blob", "text", "line numbers", "threading", "trailer", "symbol", "changed symbol"]

_STRENGTH: dict[Source, int] = {
    "blob": 6,
    "text": 5,
    "line numbers": 4,
    "threading": 3,
    "trailer": 2,
    "symbol": 1,
    "changed symbol": 0,
}
# How often what cannot be placed may take others with it.
_MAX_ROUNDS = 50
# git send-email: <20180111174800.12345-7-author@host>, older ones <1515692880-12345-7-git-send-…>
_SENT = re.compile(r"<(\d{10,14}[.-]\d+)-(\d{1,4})-")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why ``after`` comes after ``before``: indexes into the patches, where that is known from, and
    words that go on from the name of ``after``'s patch."""

    before: int
    after: int
    source: Source
    text: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A patch that cannot be placed, and what would have to be there."""

    patch: int
    path: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Ordering:
    """The order to apply the patches in, as indexes into ``series.patches``, and why."""

    order: tuple[int, ...]
    reasons: tuple[tuple[str, ...], ...]
    """For each patch, by its index into ``series.patches``."""
    notes: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    constraints: tuple[Reason, ...] = ()
    applied: tuple[int, ...] = ()
    """Patches that the base has already."""
    missing: tuple[Missing, ...] = ()


@dataclass(slots=True)
class _Findings:
    """What has been found so far."""

    constraints: list[Reason] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    applied: set[int] = field(default_factory=set)
    missing: list[Missing] = field(default_factory=list)


def recover_order(series: Series, base: Base) -> Ordering:
    """Order the patches of ``series`` so that they apply to ``base`` and could build at each step."""
    patches = series.patches
    if series.ordered:
        given = tuple((f"its place is given by {series.origin}",) for _ in patches)
        return Ordering(tuple(range(len(patches))), given)
    rank, words = _ranks(patches)
    found = _Findings()
    numbered = _is_numbered(patches)
    chains = find_chains(patches, base, rank)
    found.applied |= chains.applied
    found.constraints += [
        Reason(
            link.before,
            link.after,
            "blob",
            f"starts from the version of {shown(link.path)} that {patches[link.before].name} leaves"
            + (f" ({link.blob[:10]})" if link.blob else ""),
        )
        for link in chains.links
    ]
    told = numbered and not _against(patches, found.constraints, rank, found)
    _by_context(patches, base, rank, chains, found, numbered=told)
    told = told and not _against(patches, found.constraints, rank, found)
    if not told:
        _by_words(patches, base, found)
    order, kept = _sort(patches, found.constraints, rank, found)
    _gaps(patches, found)
    reasons: list[list[str]] = [[] for _ in patches]
    for constraint in kept:
        reasons[constraint.after].append(f"{constraint.text} [{constraint.source}]")
    for index in found.applied:
        reasons[index].append("the base has it already")
    for index in range(len(patches)):
        reasons[index].append(words[index])
    return Ordering(
        order=order,
        reasons=tuple(map(tuple, reasons)),
        notes=tuple(found.notes),
        contradictions=tuple(dict.fromkeys(found.contradictions)),
        constraints=tuple(kept),
        applied=tuple(sorted(found.applied)),
        missing=tuple(found.missing),
    )


# -- what the author says


def _ranks(patches: Sequence[Patch]) -> tuple[list[int], list[str]]:
    """Each patch's place in the preferred order, and the words for it."""
    sent: dict[str, int] = {}
    for patch in patches:
        if patch.message_id and (match := _SENT.match(patch.message_id)):
            sent[match[1]] = sent.get(match[1], 0) + 1

    def key(index: int) -> tuple[int, str, int, int, bytes]:
        patch = patches[index]
        digest = hashlib.sha256(patch.message)
        for change in patch.changes:
            digest.update(change.path)
            for hunk in change.hunks:
                digest.update(b"".join(line.op + line.text for line in hunk.lines))
        date = patch.date.seconds if patch.date else 0
        if patch.numbering is not None:
            return (0, "", patch.numbering.number, date, digest.digest())
        if patch.message_id and (match := _SENT.match(patch.message_id)) and sent[match[1]] > 1:
            return (1, match[1], int(match[2]), date, digest.digest())
        return (2, "", date, 0, digest.digest())

    ranks = [0] * len(patches)
    keys = [key(index) for index in range(len(patches))]
    for place, index in enumerate(sorted(range(len(patches)), key=keys.__getitem__)):
        ranks[index] = place
    words = []
    for patch, (kind, _, number, _, _) in zip(patches, keys, strict=True):
        if patch.numbering is not None:
            words.append(f"posted as {patch.numbering.number} of {patch.numbering.total}")
        elif kind == 1:
            words.append(f"sent as mail {number} of its series")
        elif patch.date is not None:
            words.append("by its date, as far as the rest leaves it open")
        else:
            words.append("by its content, as far as the rest leaves it open: nothing dates it")
    return ranks, words


def _is_numbered(patches: Sequence[Patch]) -> bool:
    """Whether all carry a number and no two the same."""
    numbers = {(p.numbering.version, p.numbering.number) for p in patches if p.numbering}
    totals = {p.numbering.total for p in patches if p.numbering}
    return len(numbers) == len(patches) and len(totals) == 1


def _gaps(patches: Sequence[Patch], found: _Findings) -> None:
    totals = {patch.numbering.total for patch in patches if patch.numbering}
    if len(totals) != 1:
        return
    total = totals.pop()
    have = {patch.numbering.number for patch in patches if patch.numbering}
    gaps = [number for number in range(1, min(total, 10_000) + 1) if number not in have]
    if gaps and all(patch.numbering for patch in patches):
        listed = ", ".join(map(str, gaps[:10])) + (", …" if len(gaps) > 10 else "")
        found.notes.append(
            f"of the {total} patches that the numbering counts, {listed} are not here"
        )


def _against(
    patches: Sequence[Patch], constraints: Iterable[Reason], rank: Sequence[int], found: _Findings
) -> bool:
    """Report where the numbering runs against what the patches prove."""
    wrong = [one for one in constraints if rank[one.before] > rank[one.after]]
    for one in wrong:
        found.contradictions.append(
            f"the numbering puts {patches[one.after].name} before {patches[one.before].name}, "
            f"but it {one.text}"
        )
    return bool(wrong)


# -- what the patches prove


def _by_context(
    patches: Sequence[Patch],
    base: Base,
    rank: Sequence[int],
    chains: Chains,
    found: _Findings,
    *,
    numbered: bool,
) -> None:
    """Fit what blob ids do not settle: changes without ids, or made for versions not at hand."""
    open_paths = {change.path for _, change in (*chains.blind, *chains.strangers)}
    open_paths |= {change.old_path for _, change in chains.blind if change.old_path}
    open_paths |= {path for _, _, path in chains.rivals}
    if not open_paths:
        return
    # Blob ids mostly say all there is to say: what works from context is loaded when it is needed.
    from series.ordering.fitting import families, fit_family

    known: dict[int, set[int]] = {}
    for one in found.constraints:
        known.setdefault(one.after, set()).add(one.before)
    strange = {(index, change.path) for index, change in chains.strangers}
    has: dict[int, set[bytes]] = {}
    lost: dict[int, bytes] = {}
    todo = [family for family in families(patches) if not open_paths.isdisjoint(family[0])]
    rounds = 0
    while todo and rounds < _MAX_ROUNDS:
        rounds += 1
        lost.update({one.patch: one.path for one in found.missing if one.patch not in lost})
        for paths, items in todo:
            # A patch that does not fit in one file is not applied to the others either.
            there = [item for item in items if item.patch not in lost]
            if not there:
                continue
            fits = fit_family(paths, there, base, rank, known, numbered=numbered)
            _take(patches, fits, found, lost)
            _note_applied(fits, has)
            _note_moved(fits, strange, found)
        fresh = {one.patch for one in found.missing} - set(lost)
        todo = [
            family
            for family in (families(patches) if fresh else ())
            if any(item.patch in fresh for item in family[1])
        ]
    for index, paths_had in has.items():
        if {change.path for change in patches[index].changes} <= paths_had:
            found.applied.add(index)
    found.missing = [one for one in found.missing if one.patch not in found.applied]


def _note_applied(fits: Fits, has: dict[int, set[bytes]]) -> None:
    for index, path in fits.applied:
        has.setdefault(index, set()).add(path)


def _note_moved(fits: Fits, strange: set[tuple[int, bytes]], found: _Findings) -> None:
    for path in fits.moved:
        note = f"{shown(path)} was another version where the patches were made: hunks move"
        if any(at == path for _, at in strange) and note not in found.notes:
            found.notes.append(note)


def _take(patches: Sequence[Patch], fits: Fits, found: _Findings, lost: Collection[int]) -> None:
    for bound in fits.bounds:
        found.constraints.append(
            Reason(
                bound.before,
                bound.after,
                "text" if bound.strong else "line numbers",
                f"follows {patches[bound.before].name}: {bound.text} ({shown(bound.path)})",
            )
        )
    for gap in fits.unplaced:
        blob = next(
            (c.old_blob for c in patches[gap.patch].changes if c.path == gap.path and c.old_blob),
            None,
        )
        if any(one.patch == gap.patch for one in found.missing):
            continue
        needs = f"; it was made for version {blob[:12]} of the file" if blob else ""
        above = [patches[index].name for index in sorted(lost) if _shares(patches, index, gap.path)]
        why = (
            f"it builds on {', '.join(above)}, which cannot be placed"
            if above
            else "a patch that it needs is neither in the series nor in the base"
        )
        found.missing.append(
            Missing(
                gap.patch,
                gap.path,
                f"{patches[gap.patch].name} fits nowhere: {gap.error}{needs}; {why}",
            )
        )


def _shares(patches: Sequence[Patch], index: int, path: bytes) -> bool:
    return any(path in (change.old_path, change.new_path) for change in patches[index].changes)


# -- what names, trailers and threads say


def _by_words(patches: Sequence[Patch], base: Base, found: _Findings) -> None:
    ids = {patch.message_id: index for index, patch in enumerate(patches) if patch.message_id}
    for index, patch in enumerate(patches):
        parent = ids.get(patch.in_reply_to[0]) if patch.in_reply_to else None
        # Only a chain of replies says an order; answers to the first patch say nothing of it.
        if parent is not None and parent != index and _chained(patches, parent, index):
            found.constraints.append(
                Reason(parent, index, "threading", f"was sent in reply to {patches[parent].name}")
            )
    from series.graph.relation import declared_evidence
    from series.symbols.links import symbol_links

    for before, after, evidence in declared_evidence(patches):
        found.constraints.append(Reason(before, after, "trailer", evidence.explain()))
    for link in symbol_links(patches, base):
        name, at = shown(link.definition.name), link.use
        found.constraints.append(
            Reason(
                link.maker,
                link.user,
                "changed symbol" if link.definition.changed else "symbol",
                f"uses the {link.definition.kind} {name} ({shown(at.path)}:{at.line}) that "
                f"{patches[link.maker].name} {'changes' if link.definition.changed else 'introduces'}",
            )
        )


def _chained(patches: Sequence[Patch], parent: int, index: int) -> bool:
    return not any(
        other != index and patch.in_reply_to and patch.in_reply_to[0] == patches[parent].message_id
        for other, patch in enumerate(patches)
    )


# -- one order from all of it


def _sort(
    patches: Sequence[Patch],
    constraints: Iterable[Reason],
    rank: Sequence[int],
    found: _Findings,
) -> tuple[tuple[int, ...], list[Reason]]:
    """Sort by constraints, then rank.  Of a circle the weakest part is given up and reported."""
    strongest: dict[tuple[int, int], Reason] = {}
    for one in constraints:
        old = strongest.get((one.before, one.after))
        if old is None or _STRENGTH[one.source] > _STRENGTH[old.source]:
            strongest[one.before, one.after] = one
    while True:
        order, stuck = _topological(len(patches), strongest, rank)
        if not stuck:
            break
        circle = _circle(strongest, stuck)
        weakest = min(circle, key=lambda one: (_STRENGTH[one.source], -rank[one.after]))
        others = [one for one in circle if one is not weakest]
        del strongest[weakest.before, weakest.after]
        if weakest.source == "changed symbol":
            # Only a guess at the direction: the change may have come to fit an earlier use.
            continue
        found.contradictions.append(
            f"{patches[weakest.after].name} {weakest.text}, yet it must come first: "
            + "; ".join(f"{patches[one.after].name} {one.text}" for one in others)
        )
    place = {index: at for at, index in enumerate(order)}
    kept = sorted(strongest.values(), key=lambda one: (place[one.after], place[one.before]))
    return order, kept


def _topological(
    count: int, pairs: Iterable[tuple[int, int]], rank: Sequence[int]
) -> tuple[tuple[int, ...], set[int]]:
    """The most preferred order, and what a circle keeps out of it."""
    after: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for before, later in pairs:
        after[before].append(later)
        waiting[later] += 1
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
    return tuple(order), {index for index in range(count) if waiting[index]}


def _circle(pairs: dict[tuple[int, int], Reason], stuck: set[int]) -> list[Reason]:
    """One circle among the patches that none of them can be the first of."""
    before = {later: earlier for earlier, later in pairs if earlier in stuck and later in stuck}
    seen: dict[int, int] = {}
    path: list[int] = []
    node = min(before)
    while node not in seen:
        seen[node] = len(path)
        path.append(node)
        node = before[node]
    nodes = path[seen[node] :]
    return [
        pairs[earlier, later] for later, earlier in zip(nodes, nodes[1:] + nodes[:1], strict=True)
    ]
