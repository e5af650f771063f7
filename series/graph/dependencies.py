# SPDX-License-Identifier: GPL-2.0-or-later
"""The dependency graph for networkx, and what is asked of it: orders, closures, cycles.

Nodes are indexes along the order the graph was built from, with the patch as ``patch``; an edge leads
from the prerequisite to the dependent, with its ``evidence``.  networkx is imported where it is used,
so that the plain way from a mailbox to a branch does not pay for it (0.1 s).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from series.errors import SeriesError
from series.graph.evidence import Evidence
from series.graph.relation import Premature, relate
from series.model import Base, Patch

if TYPE_CHECKING:
    from networkx import DiGraph


class CycleError(SeriesError):
    """Patches that need each other, so that no order of them applies: their names and evidence."""

    def __init__(self, cycle: Sequence[tuple[str, str, Sequence[Evidence]]]) -> None:
        self.cycle = tuple(cycle)
        steps = [
            f"  {dependent} needs {needed}: {'; '.join(one.explain() for one in evidence)}"
            for needed, dependent, evidence in cycle
        ]
        super().__init__(
            f"{len(steps)} patches need each other, so no order of them applies:\n"
            + "\n".join(steps)
            + "\nsplit one of them, or leave one out"
        )


def build_graph(patches: Sequence[Patch], base: Base | None, *, reach: int = 1) -> DiGraph[int]:
    """The graph of ``patches``, which must apply in this order.

    ``graph.graph["premature"]`` holds the uses that come before what they need.
    """
    import networkx

    relation = relate(patches, base, reach=reach)
    graph: DiGraph[int] = networkx.DiGraph()
    for index, patch in enumerate(patches):
        graph.add_node(index, patch=patch)
    for (earlier, later), evidence in relation.edges.items():
        graph.add_edge(earlier, later, evidence=evidence)
    graph.graph["premature"] = relation.premature
    return graph


def premature(graph: DiGraph[int]) -> tuple[Premature, ...]:
    """The uses that come before the patch that introduces what they use."""
    found: tuple[Premature, ...] = graph.graph.get("premature", ())
    return found


def linearise(graph: DiGraph[int], preferred: Sequence[int]) -> tuple[int, ...]:
    """An order the graph allows, as near to ``preferred`` as can be: always the most preferred of
    those that are ready.  Nodes that ``preferred`` lacks come last, by number.  Raises CycleError.
    """
    place = {node: at for at, node in enumerate(preferred)}
    waiting = {node: graph.in_degree(node) for node in graph}
    ready = [(place.get(node, len(place)), node) for node, count in waiting.items() if not count]
    heapq.heapify(ready)
    order: list[int] = []
    while ready:
        _, node = heapq.heappop(ready)
        order.append(node)
        for other in graph.successors(node):
            waiting[other] -= 1
            if not waiting[other]:
                heapq.heappush(ready, (place.get(other, len(place)), other))
    if len(order) < len(waiting):
        check_cycles(graph)
    return tuple(order)


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


def check_cycles(graph: DiGraph[int]) -> None:
    """Raise CycleError when patches need each other, with the shortest such circle through one."""
    import networkx

    for component in networkx.strongly_connected_components(graph):
        if len(component) < 2:
            continue
        part = graph.subgraph(component)
        cycle = _shortest_cycle(part, min(component))
        steps = []
        for needed, dependent in zip(cycle, cycle[1:] + cycle[:1], strict=True):
            data: Mapping[str, tuple[Evidence, ...]] = part.edges[needed, dependent]
            steps.append(
                (
                    _name(graph.nodes[needed]["patch"]),
                    _name(graph.nodes[dependent]["patch"]),
                    data["evidence"],
                )
            )
        raise CycleError(steps)


def _shortest_cycle(graph: DiGraph[int], node: int) -> list[int]:
    import networkx

    back = min(
        (networkx.shortest_path(graph, other, node) for other in graph.successors(node)), key=len
    )
    return [node, *back[:-1]]


def _name(patch: Patch) -> str:
    subject = patch.subject.decode("utf-8", "backslashreplace")
    return f"{patch.name} ({subject})"
