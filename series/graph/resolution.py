# SPDX-License-Identifier: GPL-2.0-or-later
"""One order from all the evidence: a topological sort, and what to do where the evidence goes in a circle.

Without a contradiction the graph is acyclic, and the order is the lexicographical topological sort by
rank: always the most preferred of the patches that are ready.

A contradiction is a strongly connected component.  Within it the evidence is weighed kind by kind,
strongest first.  What leads against stronger evidence is wrong; and evidence of one kind that goes in a
circle proves nothing, so it is given up, the shortest circles first, and the next weaker kind decides
for their patches alone.

The numbering is special, because it orders every two patches: one patch with a wrong number makes a
circle with all those between where it is and where it belongs.  So of two patches whose numbers run
against stronger evidence, the one with more such partners (or both, where they have as many) loses its
numbering within the circle; all others keep theirs.

Cost: linear in the edges without a contradiction; in a component of n patches one set of n bits for
each patch and kind.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, field

from series.graph.edges import add_evidence, evidence_of, graph_of, order_edges, order_of
from series.graph.evidence import Kind, Precedes
from series.model import Patch

if TYPE_CHECKING:
    from networkx import DiGraph

_MOST_BRIDGES = 10_000
_MOST_WEIGHED = 1500
"""Pairs of one kind in one circle that are looked at each by itself: this takes their number squared."""
_MOST_PATHS = 50
"""Contradictions that are explained; each costs a search, and nobody reads more."""

Pair = tuple[int, int]
Claim = tuple[int, int, Precedes]
"""Two patches, the earlier first, and what says so."""


class Refuted(Struct, frozen=True):
    """Evidence that stronger evidence leads against: ``path`` goes from ``after`` back to ``before``.

    The path is empty where too many are wrong for each to be explained.
    """

    before: int
    after: int
    evidence: Precedes
    path: tuple[Claim, ...] = ()


class Circle(Struct, frozen=True):
    """Evidence of one kind that goes in a circle, perhaps with the help of stronger evidence."""

    kind: Kind
    patches: tuple[int, ...]
    given_up: tuple[Claim, ...]


class Resolution(Struct, frozen=True):
    """The order, and what was given up to reach it; a graph has lost what was given up."""

    order: tuple[int, ...]
    refuted: tuple[Refuted, ...] = ()
    circles: tuple[Circle, ...] = ()
    misnumbered: frozenset[int] = frozenset()
    """Patches whose number does not count against the others of their circle."""
    claims: tuple[Claim, ...] = ()
    """The evidence that holds."""


class _GivenUp(Struct):
    """What has been given up so far."""

    refuted: list[Refuted] = field(default_factory=list)
    circles: list[Circle] = field(default_factory=list)
    misnumbered: set[int] = field(default_factory=set)


def numbered_after(before: Patch) -> Precedes:
    """The evidence that a posting's numbers put a patch after ``before``."""
    return Precedes(Kind.NUMBERING, f"is numbered after {before.name}")


def resolve_claims(
    patches: Sequence[Patch], claims: Iterable[Claim], rank: Sequence[int]
) -> Resolution:
    """The order of ``patches`` by ``claims``, as `resolve` finds it in a graph of them.

    Where every claim runs with the ranks, as in a series that is numbered right, the ranks are the
    topological sort, and nothing is loaded to find that out.
    """
    held = tuple(dict.fromkeys(claims))
    if all(rank[before] < rank[after] for before, after, _ in held):
        return Resolution(tuple(sorted(range(len(patches)), key=rank.__getitem__)), claims=held)
    return resolve(graph_of(patches, held), rank)


def resolve(graph: DiGraph[int], rank: Sequence[int]) -> Resolution:
    """Take the contradictions out of ``graph`` and sort it; the lower ``rank[node]``, the earlier."""
    import networkx

    gone = _GivenUp()
    for component in list(networkx.strongly_connected_components(graph)):
        if len(component) > 1:
            _settle(graph, component, gone)
    order = networkx.lexicographical_topological_sort(graph, key=rank.__getitem__)
    return Resolution(
        tuple(order),
        tuple(gone.refuted),
        tuple(gone.circles),
        frozenset(gone.misnumbered),
        tuple(order_edges(graph)),
    )


def _settle(graph: DiGraph[int], component: Collection[int], gone: _GivenUp) -> None:
    """Give up what makes ``component`` strongly connected."""
    import networkx

    by_kind: dict[Kind, list[Claim]] = {}
    for claim in order_edges(graph.subgraph(component)):
        by_kind.setdefault(claim[2].kind, []).append(claim)
    kept: DiGraph[int] = networkx.DiGraph()
    kept.add_nodes_from(sorted(component))
    for kind in sorted(by_kind, key=lambda kind: -kind.strength):
        claims = by_kind[kind]
        if kind is Kind.NUMBERING:
            claims = _renumber(graph, kept, claims, gone)
        trial = kept.copy()
        trial.add_edges_from(claim[:2] for claim in claims)
        for circle in _circles(trial):
            inside: dict[Pair, list[Claim]] = {}
            for claim in claims:
                if circle.issuperset(claim[:2]) and not kept.has_edge(*claim[:2]):
                    inside.setdefault(claim[:2], []).append(claim)
            _weigh(graph, kept.subgraph(circle), kind, inside, gone)
            trial.remove_edges_from(inside.keys() - _edges_left(graph, kind, inside))
        kept = trial


def _circles(graph: DiGraph[int]) -> list[set[int]]:
    import networkx

    return [one for one in networkx.strongly_connected_components(graph) if len(one) > 1]


def _edges_left(graph: DiGraph[int], kind: Kind, pairs: Iterable[Pair]) -> set[Pair]:
    return {pair for pair in pairs if any(x.kind is kind for x in order_of(graph, *pair))}


def _drop(graph: DiGraph[int], claims: Iterable[Claim]) -> None:
    """Take evidence off its edges; an edge without any goes."""
    for before, after, one in claims:
        left = tuple(x for x in evidence_of(graph, before, after) if x != one)
        if left:
            graph.edges[before, after]["evidence"] = left
        else:
            graph.remove_edge(before, after)


def _weigh(
    graph: DiGraph[int],
    kept: DiGraph[int],
    kind: Kind,
    claims: dict[Pair, list[Claim]],
    gone: _GivenUp,
) -> None:
    """Give up, of the claims of one kind, those in the shortest circles, until none is left.

    The length of a circle is how many of these pairs are in it; what is in ``kept`` costs nothing.  So
    first goes what leads against stronger evidence alone, and a claim that is in a long circle only
    because another is wrong stays.
    """
    import networkx

    order = list(networkx.topological_sort(kept))
    left = sorted(claims)
    while left:
        lengths = _lengths(kept, order, left)
        least = min((length for length in lengths if length), default=0)
        if not least:
            return
        wrong = [pair for pair, length in zip(left, lengths, strict=True) if length == least]
        lost = [claim for pair in wrong for claim in claims[pair]]
        if least == 1:
            for claim in lost:
                path = _path(graph, kept, claim, explain=len(gone.refuted) < _MOST_PATHS)
                gone.refuted.append(Refuted(*claim, path))
        else:
            patches = sorted({node for pair in wrong for node in pair})
            gone.circles.append(Circle(kind, tuple(patches), tuple(lost)))
            if kind is Kind.NUMBERING:
                gone.misnumbered |= set(patches)
        _drop(graph, lost)
        left = [pair for pair, length in zip(left, lengths, strict=True) if length != least]


def _lengths(kept: DiGraph[int], order: Sequence[int], pairs: Sequence[Pair]) -> list[int]:
    """For each pair the length of the shortest circle through it; 0 where none is found.

    Where there is a circle of one pair the longer ones are not looked for, and where the pairs are too
    many to look at each, all of them count as being in one.  ``order`` is a topological one of ``kept``.
    """
    next_ones: dict[int, int] = dict.fromkeys(order, 0)
    for number, (before, _) in enumerate(pairs):
        next_ones[before] |= 1 << number
    for node in reversed(order):
        for after in kept.successors(node):
            next_ones[node] |= next_ones[after]
    follow = [next_ones[after] for _, after in pairs]
    alone = [bits >> number & 1 for number, bits in enumerate(follow)]
    if any(alone):
        return alone
    if len(pairs) > _MOST_WEIGHED:
        return [2] * len(pairs)
    return [_around(number, follow) for number in range(len(pairs))]


def _around(number: int, follow: Sequence[int]) -> int:
    """How many steps lead from a pair back to itself; 0 where none do."""
    seen = frontier = follow[number]
    length = 1
    while frontier:
        if frontier >> number & 1:
            return length
        length += 1
        reached = 0
        while frontier:
            one = frontier & -frontier
            reached |= follow[one.bit_length() - 1]
            frontier ^= one
        frontier = reached & ~seen
        seen |= reached
    return 0


def _path(
    graph: DiGraph[int], kept: DiGraph[int], claim: Claim, *, explain: bool
) -> tuple[Claim, ...]:
    """The stronger evidence from the later patch of a claim back to the earlier."""
    import networkx

    if not explain:
        return ()
    nodes = networkx.shortest_path(kept, claim[1], claim[0])
    return tuple((one, two, order_of(graph, one, two)[0]) for one, two in itertools.pairwise(nodes))


def _reach(graph: DiGraph[int], bits: Mapping[int, int]) -> dict[int, int]:
    """For each node of an acyclic graph the set of those that it leads to, as bits."""
    import networkx

    reach: dict[int, int] = {}
    for node in reversed(list(networkx.topological_sort(graph))):
        found = 0
        for after in graph.successors(node):
            found |= reach[after] | 1 << bits[after]
        reach[node] = found
    return reach


# -- the numbering


def _renumber(
    graph: DiGraph[int], kept: DiGraph[int], claims: list[Claim], gone: _GivenUp
) -> list[Claim]:
    """The claims of the numbering that are left when misnumbered patches are taken out of it."""
    chains = _chains(claims)
    wrong = _misnumbered(kept, chains)
    if not wrong:
        return claims
    trial = kept.copy()
    trial.add_edges_from(claim[:2] for claim in claims)
    for circle in _circles(trial):
        for chain in chains:
            inside = [node for node in chain if node in circle]
            if wrong.isdisjoint(inside):
                continue
            claims = _bridge(graph, inside, wrong, claims)
            gone.circles.append(Circle(Kind.NUMBERING, tuple(inside), ()))
    gone.misnumbered |= wrong
    return claims


def _chains(claims: Iterable[Claim]) -> list[list[int]]:
    """The patches of each posting that the claims run through, in the order of their numbers."""
    after = {one: two for one, two, _ in claims}
    heads = sorted(set(after) - set(after.values()))
    chains = []
    for node in heads:
        chain = [node]
        while chain[-1] in after:
            chain.append(after[chain[-1]])
        chains.append(chain)
    return chains


def _misnumbered(kept: DiGraph[int], chains: Sequence[Sequence[int]]) -> set[int]:
    """Of each two patches whose numbers run against ``kept``, the one with more such partners, or both."""
    bits: dict[int, int] = {}
    for chain in chains:
        for node in chain:
            bits[node] = len(bits)
    for node in kept:
        bits.setdefault(node, len(bits))
    down = _reach(kept, bits)
    up = _reach(kept.reverse(), bits)
    wrong: set[int] = set()
    for chain in chains:
        first, last = bits[chain[0]], bits[chain[-1]]
        partners: dict[int, int] = {}
        for node in chain:
            lower = (1 << bits[node]) - (1 << first)
            higher = (1 << last + 1) - (1 << bits[node] + 1)
            partners[node] = down[node] & lower | up[node] & higher
        by_count: dict[int, list[int]] = {}
        for node in chain:
            by_count.setdefault(partners[node].bit_count(), []).append(node)
        no_more = 0
        for count in sorted(by_count):
            for node in by_count[count]:
                no_more |= 1 << bits[node]
            wrong |= {node for node in by_count[count] if partners[node] & no_more}
    return wrong


def _bridge(
    graph: DiGraph[int], inside: Sequence[int], wrong: Collection[int], claims: list[Claim]
) -> list[Claim]:
    """Number the patches of a circle anew: those in ``wrong`` keep their place against the outside only."""
    right = [node for node in inside if node not in wrong]
    loose = [node for node in inside if node in wrong]
    here = set(inside)
    before = _numbered(graph, inside[0], here, backwards=True)
    after = _numbered(graph, inside[-1], here, backwards=False)
    _drop(graph, [claim for claim in claims if claim[0] in here and claim[1] in here])
    pairs = list(itertools.pairwise(right))
    for ones, twos in ((before, [*loose, *right[:1]]), ([*loose, *right[-1:]], after)):
        if len(ones) * len(twos) <= _MOST_BRIDGES:
            pairs += itertools.product(ones, twos)
    fresh: list[Claim] = [
        (one, two, numbered_after(graph.nodes[one]["patch"])) for one, two in pairs
    ]
    add_evidence(graph, fresh)
    left = [claim for claim in claims if not (claim[0] in here and claim[1] in here)]
    known = {claim[:2] for claim in left}
    return left + [claim for claim in fresh if claim[:2] not in known]


def _numbered(
    graph: DiGraph[int], node: int, inside: Collection[int], *, backwards: bool
) -> list[int]:
    """The patches outside that the numbering puts right before ``node``, or right after it."""
    beside = graph.predecessors(node) if backwards else graph.successors(node)
    found = []
    for other in beside:
        one, two = (other, node) if backwards else (node, other)
        kinds = {x.kind for x in order_of(graph, one, two)}
        if other not in inside and Kind.NUMBERING in kinds:
            found.append(other)
    return sorted(found)
