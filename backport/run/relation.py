# SPDX-License-Identifier: GPL-2.0-or-later
"""The dependency relation of a series along the order in which it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backport.gateway.repository import Repo
from backport.run.preview import Outlook
from series.model import Oid

if TYPE_CHECKING:
    import networkx as nx


def relate(repo: Repo, onto: Oid, outlook: Outlook) -> nx.DiGraph[int]:
    """The graph over the items of ``outlook``; node n is the n-th item (0-based) in order."""
    from series.graph.dependencies import build_graph

    return build_graph(list(outlook.patches), repo.tree(onto))
