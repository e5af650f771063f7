# SPDX-License-Identifier: GPL-2.0-or-later
"""The dependencies of a series along the order in which it goes on, and the parts asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backport.gateway.repository import Repo
from backport.planning.items import Posted
from backport.run.preview import Outlook
from backport.run.relation import Relation
from series.model import Oid, shown

if TYPE_CHECKING:
    import networkx as nx


def relate(repo: Repo, onto: Oid, outlook: Outlook) -> Relation:
    """Put what lines and names say onto the graph that gave the order of ``outlook``."""
    from series.graph.dependencies import add_dependencies, needs
    from series.graph.edges import new_graph

    plan = outlook.plan
    graph = new_graph(plan.series.patches) if plan.graph is None else plan.graph.copy()
    order: list[int] = []
    for item, patch in zip(outlook.items, outlook.patches, strict=True):
        if isinstance(item, Posted):
            order.append(item.position)
        else:
            # A commit taken from upstream comes after the numbers of the series' own patches.
            order.append(len(graph))
            graph.add_node(len(graph), patch=patch)
    early = add_dependencies(graph, order, repo.tree(onto), reach=plan.reach)
    places = {node: place for place, node in enumerate(order, 1)}
    return Relation(needs(graph, order), places, early)


def narrow(
    relation: Relation,
    needs: Sequence[str],
    needed_by: Sequence[str],
    *,
    less: bool = False,
    connected: bool = False,
) -> nx.DiGraph[int]:
    """The part of the graph that the user asks for, its nodes in their order.

    ``needs`` and ``needed_by`` name patches (see `choose_patches`) and keep what those need, or what
    needs those.  ``less`` leaves out edges that longer ways imply, ``connected`` nodes without an edge.
    """
    import networkx

    from backport.planning.choice import choose_patches
    from series.graph.dependencies import closure, dependents, reduced

    graph = relation.graph
    nodes = tuple(graph)
    subjects = [shown(graph.nodes[node]["patch"].subject) for node in nodes]
    kept = set(nodes)
    if needs or needed_by:
        down = [nodes[at] for at in choose_patches(needs, subjects, "--needs")]
        up = [nodes[at] for at in choose_patches(needed_by, subjects, "--needed-by")]
        kept = {*closure(graph, down), *dependents(graph, up)}
    part: nx.DiGraph[int] = networkx.DiGraph()
    part.add_nodes_from((node, graph.nodes[node]) for node in nodes if node in kept)
    part.add_edges_from(
        edge for edge in graph.edges(data=True) if edge[0] in kept and edge[1] in kept
    )
    part = reduced(part) if less else part
    if connected:
        part.remove_nodes_from([node for node in nodes if node in part and not part.degree(node)])
    return part
