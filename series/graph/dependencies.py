# SPDX-License-Identifier: GPL-2.0-or-later
"""What each patch needs, found along an order and put on the graph that gave it.

Text and file life bind: without them a patch does not apply.  Names and declarations are facts about
the series; where they point backwards they are premature uses to report, not a contradiction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from series.graph.edges import add_evidence, dependencies_of, new_graph
from series.graph.evidence import Dependency, SymbolUse
from series.graph.relation import declared_evidence, name_evidence, text_evidence
from series.model import Base, Patch

if TYPE_CHECKING:
    from networkx import DiGraph


class Premature(Struct, frozen=True):
    """Node ``user`` comes before node ``maker`` although it needs what that one brings."""

    user: int
    maker: int
    evidence: Dependency


def add_dependencies(
    graph: DiGraph[int], order: Sequence[int], base: Base | None, *, reach: int = 1
) -> tuple[Premature, ...]:
    """Put on ``graph`` what the patches of ``order``, which must apply in this order, need of each other.

    ``reach`` is how near two edits must be to depend: 1 for three-way merges, 3 for patch files.
    Returns the uses that come before what they need.
    """
    patches = [graph.nodes[node]["patch"] for node in order]
    early: list[Premature] = []

    def found() -> Iterator[tuple[int, int, Dependency]]:
        for one, two, evidence in text_evidence(patches, reach):
            yield order[one], order[two], evidence
        for one, two, said in (*name_evidence(patches, base), *declared_evidence(patches)):
            if one < two:
                yield order[one], order[two], said
            elif not (isinstance(said, SymbolUse) and said.kind == "member"):
                # Two structures may have a member of the same name: too little to warn of.
                early.append(Premature(order[two], order[one], said))

    add_evidence(graph, found())
    return tuple(early)


def needs(graph: DiGraph[int], order: Sequence[int]) -> DiGraph[int]:
    """The dependencies alone, of the patches of ``order`` and in that order of the nodes."""
    import networkx

    part: DiGraph[int] = networkx.DiGraph()
    part.add_nodes_from((node, graph.nodes[node]) for node in order)
    place = {node: at for at, node in enumerate(order)}
    pairs = (edge for edge in graph.edges if edge[0] in place and edge[1] in place)
    for before, after in sorted(pairs, key=lambda edge: (place[edge[0]], place[edge[1]])):
        if found := dependencies_of(graph, before, after):
            part.add_edge(before, after, evidence=found)
    return part


def build_graph(patches: Sequence[Patch], base: Base | None, *, reach: int = 1) -> DiGraph[int]:
    """The dependencies of ``patches``, which must apply in this order."""
    graph = new_graph(patches)
    order = range(len(patches))
    add_dependencies(graph, order, base, reach=reach)
    return needs(graph, order)


def closure(graph: DiGraph[int], nodes: Iterable[int]) -> frozenset[int]:
    """``nodes`` with everything they need, directly or not."""
    import networkx

    found = set(nodes)
    for node in tuple(found):
        found |= networkx.ancestors(graph, node)
    return frozenset(found)


def dependents(graph: DiGraph[int], nodes: Iterable[int]) -> frozenset[int]:
    """``nodes`` with everything that needs them: what must go when they are left out."""
    import networkx

    found = set(nodes)
    for node in tuple(found):
        found |= networkx.descendants(graph, node)
    return frozenset(found)


def reduced(graph: DiGraph[int]) -> DiGraph[int]:
    """``graph`` without the edges that longer ways imply."""
    import networkx

    part: DiGraph[int] = networkx.DiGraph()
    part.add_nodes_from(graph.nodes(data=True))
    kept = networkx.transitive_reduction(graph)
    part.add_edges_from((*edge, graph.edges[edge]) for edge in graph.edges if kept.has_edge(*edge))
    return part
