# SPDX-License-Identifier: GPL-2.0-or-later
"""The one graph of a series: patches as nodes, an edge from the earlier to the later with its evidence.

Nodes are indexes of patches, with the patch as ``patch``; ``evidence`` of an edge is a tuple of all that
is known of the pair.  networkx is imported where a graph is made, since importing it takes 0.1 s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from series.graph.evidence import Dependency, Evidence, Precedes
from series.model import Patch

if TYPE_CHECKING:
    from networkx import DiGraph


def new_graph(patches: Sequence[Patch]) -> DiGraph[int]:
    """A graph of ``patches`` by their index, without an edge."""
    import networkx

    graph: DiGraph[int] = networkx.DiGraph()
    graph.add_nodes_from((index, {"patch": patch}) for index, patch in enumerate(patches))
    return graph


def add_evidence(graph: DiGraph[int], found: Iterable[tuple[int, int, Evidence]]) -> None:
    """Put evidence on the edges from the first to the second of each; what is there already stays."""
    more: dict[tuple[int, int], dict[Evidence, None]] = {}
    for before, after, evidence in found:
        more.setdefault((before, after), {})[evidence] = None
    for (before, after), fresh in more.items():
        had = dict.fromkeys(evidence_of(graph, before, after))
        graph.add_edge(before, after, evidence=tuple(had | fresh))


def graph_of(patches: Sequence[Patch], found: Iterable[tuple[int, int, Evidence]]) -> DiGraph[int]:
    """A graph of ``patches`` with this evidence."""
    graph = new_graph(patches)
    add_evidence(graph, found)
    return graph


def evidence_of(graph: DiGraph[int], before: int, after: int) -> tuple[Evidence, ...]:
    """All the evidence of a pair; none where it has no edge."""
    data = graph.get_edge_data(before, after)
    found: tuple[Evidence, ...] = data["evidence"] if data else ()
    return found


def order_of(graph: DiGraph[int], before: int, after: int) -> tuple[Precedes, ...]:
    """The evidence of a pair that speaks of the order, strongest first."""
    found = [x for x in evidence_of(graph, before, after) if isinstance(x, Precedes)]
    return tuple(sorted(found, key=lambda one: -one.kind.strength))


def dependencies_of(graph: DiGraph[int], before: int, after: int) -> tuple[Dependency, ...]:
    """The evidence of a pair that says what the later patch needs."""
    return tuple(x for x in evidence_of(graph, before, after) if not isinstance(x, Precedes))


def order_edges(graph: DiGraph[int]) -> Iterator[tuple[int, int, Precedes]]:
    """Every piece of evidence of the order, with its pair."""
    for before, after, data in graph.edges(data=True):
        for one in data["evidence"]:
            if isinstance(one, Precedes):
                yield before, after, one
