# SPDX-License-Identifier: GPL-2.0-or-later
"""What the patches of a run need of each other, as a value (relating.py finds it)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    import networkx as nx

    from series.graph.dependencies import Premature


class Relation(Struct, frozen=True):
    """What the patches of a run need of each other.

    ``graph`` has them as nodes, in their order; ``places`` their places in it, from 1.
    """

    graph: nx.DiGraph[int]
    places: dict[int, int]
    premature: tuple[Premature, ...]
