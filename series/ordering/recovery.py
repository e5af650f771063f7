# SPDX-License-Identifier: GPL-2.0-or-later
"""A first valid order for patches that come shuffled, renumbered or with holes.

The evidence, strongest first: blob ids (blobs.py), context (fitting.py), numbering (posted.py), threading,
trailers and names.  All of it goes into one graph (`series.graph.edges`), which is resolved into an order
(`series.graph.resolution`): what the patches prove binds; what their author says of the order settles
what is left open; and where two sources contradict each other, both are named.

Where nothing decides, dates do, and at last the content: the result never depends on the order in
which the patches were given.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, field

from series.graph.edges import graph_of
from series.graph.evidence import Kind, Precedes
from series.graph.resolution import Claim, Resolution, numbered_after, resolve_claims
from series.model import Base, Patch, Series, shown
from series.ordering.blobs import Chains, find_chains
from series.ordering.contradictions import by_kind, contradictions, few, gap_notes
from series.ordering.posted import Postings, paired, ranks_of

if TYPE_CHECKING:
    from networkx import DiGraph

    from series.ordering.fitting import Fits

# How often what cannot be placed may take others with it.
_MAX_ROUNDS = 50


class Missing(Struct, frozen=True):
    """A patch that cannot be placed, and what would have to be there."""

    patch: int
    path: bytes
    text: str


class Ordering(Struct, frozen=True):
    """The order to apply the patches in, as indexes into ``series.patches``, and why."""

    order: tuple[int, ...]
    reasons: tuple[tuple[str, ...], ...]
    """For each patch, by its index into ``series.patches``."""
    notes: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    """The evidence that holds, without a circle."""
    patches: tuple[Patch, ...] = ()
    """What the claims speak of; none where the source itself fixes the order."""
    applied: tuple[int, ...] = ()
    """Patches that the base has already."""
    missing: tuple[Missing, ...] = ()
    given_up: tuple[int, ...] = ()
    """Patches that nothing places and for which the search of a place took too long."""

    @property
    def graph(self) -> DiGraph[int] | None:
        """The evidence as a new graph; None where the source itself fixes the order."""
        return graph_of(self.patches, self.claims) if self.patches else None


class _Findings(Struct):
    """What has been found so far."""

    claims: list[Claim] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    applied: set[int] = field(default_factory=set)
    given_up: set[int] = field(default_factory=set)
    moved: set[bytes] = field(default_factory=set)
    """Files that differ from the versions the patches were made for, where hunks move."""
    missing: list[Missing] = field(default_factory=list)


def recover_order(series: Series, base: Base) -> Ordering:
    """Order the patches of ``series`` so that they apply to ``base`` and could build at each step."""
    patches = series.patches
    if series.ordered:
        given = tuple((f"its place is given by {series.origin}",) for _ in patches)
        return Ordering(tuple(range(len(patches))), given)
    rank, words, known = ranks_of(patches)
    found = _Findings()
    postings = Postings(patches)
    chains = find_chains(patches, base, rank, known & paired(patches), known)
    found.applied |= chains.applied
    found.claims += _by_blobs(patches, chains)
    resolved = _resolved(patches, postings, found, rank)
    settled = postings.settled(resolved)
    if _by_context(patches, base, rank, chains, found, settled, known):
        resolved = _resolved(patches, postings, found, rank)
        settled = postings.settled(resolved)
    if said := _by_words(patches, base, settled, postings.whole and not resolved.misnumbered):
        found.claims += said
        resolved = _resolved(patches, postings, found, rank)
    found.contradictions += by_kind(contradictions(patches, postings, resolved))
    found.notes += gap_notes(patches)
    if found.moved:
        paths = [shown(path) for path in sorted(found.moved)]
        found.notes.append(
            f"files differ from the versions that the patches were made for, hunks move: {few(paths)}"
        )
    return Ordering(
        order=resolved.order,
        reasons=_reasons(resolved, found.applied, words),
        notes=tuple(found.notes),
        contradictions=tuple(found.contradictions),
        claims=resolved.claims,
        patches=patches,
        applied=tuple(sorted(found.applied)),
        missing=tuple(found.missing),
        given_up=tuple(sorted(found.given_up)),
    )


def _resolved(
    patches: Sequence[Patch], postings: Postings, found: _Findings, rank: Sequence[int]
) -> Resolution:
    """The order that all the evidence so far gives."""
    numbers = (
        (one, two, numbered_after(patches[one]))
        for numbered in postings.members
        for one, two in itertools.pairwise(numbered)
    )
    return resolve_claims(patches, (*found.claims, *numbers), rank)


def _reasons(
    resolved: Resolution, applied: Collection[int], words: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """For each patch what puts it where it is, from the earliest patch on, the strongest first."""
    place = {index: at for at, index in enumerate(resolved.order)}
    reasons: list[list[str]] = [[] for _ in words]
    stated = [claim for claim in resolved.claims if claim[2].kind is not Kind.NUMBERING]
    for _, after, one in sorted(stated, key=lambda x: (place[x[0]], -x[2].kind.strength)):
        reasons[after].append(one.explain())
    for index in applied:
        reasons[index].append("the base has it already")
    for index, word in enumerate(words):
        reasons[index].append(word)
    return tuple(map(tuple, reasons))


# -- what the patches prove


def _by_blobs(patches: Sequence[Patch], chains: Chains) -> Iterator[Claim]:
    for link in chains.links:
        at = f" ({link.blob[:10]})" if link.blob else ""
        left = f"the version of {shown(link.path)} that {patches[link.before].name} leaves"
        yield link.before, link.after, Precedes(Kind.BLOB, f"starts from {left}{at}")


def _by_context(
    patches: Sequence[Patch],
    base: Base,
    rank: Sequence[int],
    chains: Chains,
    found: _Findings,
    settled: Callable[[int, int], bool],
    ranked: frozenset[int],
) -> bool:
    """Fit what blob ids do not settle: changes without ids, or made for versions not at hand.

    Whether that has brought new evidence.
    """
    before = len(found.claims)
    open_paths = {change.path for _, change in (*chains.blind, *chains.strangers)}
    open_paths |= {change.old_path for _, change in chains.blind if change.old_path}
    open_paths |= {path for _, _, path in chains.rivals}
    if not open_paths:
        return False
    # Blob ids mostly say all there is to say: what works from context is loaded when it is needed.
    from series.ordering.families import families
    from series.ordering.fitting import fit_family

    known: dict[int, set[int]] = {}
    for earlier, later, _ in found.claims:
        known.setdefault(later, set()).add(earlier)
    strange = {change.path for _, change in chains.strangers}
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
            by_rank = sorted((item.patch for item in there), key=rank.__getitem__)
            numbered = all(itertools.starmap(settled, itertools.pairwise(by_rank)))
            fits = fit_family(
                paths,
                there,
                base,
                rank,
                known,
                numbered=numbered,
                ranked=ranked.issuperset(item.patch for item in there),
            )
            found.given_up |= set(fits.given_up)
            _take(patches, fits, found, lost)
            _note_applied(fits, has)
            if not numbered:
                # Numbers order them wherever their hunks stand.
                found.moved |= set(fits.moved) & strange
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
    return len(found.claims) > before


def _note_applied(fits: Fits, has: dict[int, set[bytes]]) -> None:
    for index, path in fits.applied:
        has.setdefault(index, set()).add(path)


def _take(patches: Sequence[Patch], fits: Fits, found: _Findings, lost: Collection[int]) -> None:
    for bound in fits.bounds:
        text = f"follows {patches[bound.before].name}: {bound.text} ({shown(bound.path)})"
        kind = Kind.TEXT if bound.strong else Kind.LINE_NUMBERS
        found.claims.append((bound.before, bound.after, Precedes(kind, text)))
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


def _by_words(
    patches: Sequence[Patch], base: Base, settled: Callable[[int, int], bool], whole: bool
) -> list[Claim]:
    """What threads, trailers and names say of patches that the numbering does not order.

    ``whole``: it orders all of them, so that nothing has to be read.
    """
    if whole:
        return []
    found: list[Claim] = []
    for before, after in _replies(patches):
        text = f"was sent in reply to {patches[before].name}"
        found.append((before, after, Precedes(Kind.THREADING, text)))
    from series.graph.relation import declared_evidence
    from series.symbols.links import symbol_links

    for before, after, evidence in declared_evidence(patches):
        found.append((before, after, Precedes(Kind.TRAILER, evidence.explain())))
    for link in symbol_links(patches, base, skip=settled):
        name, at, changed = shown(link.definition.name), link.use, link.definition.changed
        text = (
            f"uses the {link.definition.kind} {name} ({shown(at.path)}:{at.line}) that "
            f"{patches[link.maker].name} {'changes' if changed else 'introduces'}"
        )
        kind = Kind.CHANGED_SYMBOL if changed else Kind.SYMBOL
        found.append((link.maker, link.user, Precedes(kind, text)))
    return [claim for claim in found if not settled(claim[0], claim[1])]


def _replies(patches: Sequence[Patch]) -> Iterator[tuple[int, int]]:
    """A patch and the one sent in reply to it, where it is the only one: answers that all go to the
    first patch say nothing of the order."""
    ids = {patch.message_id: index for index, patch in enumerate(patches) if patch.message_id}
    answers: dict[str, list[int]] = {}
    for index, patch in enumerate(patches):
        if patch.in_reply_to:
            answers.setdefault(patch.in_reply_to[0], []).append(index)
    for parent, replies in answers.items():
        if parent in ids and len(replies) == 1 and ids[parent] != replies[0]:
            yield ids[parent], replies[0]
