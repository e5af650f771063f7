# SPDX-License-Identifier: GPL-2.0-or-later
"""The dependency graph for graphviz, Mermaid, a program, and the eye.

The picture is an arc diagram: a series has an order that everybody thinks in, so each patch is a row
in that order and each dependency an arc at its left.  A layered drawing of the same 77 patches
crosses itself some hundred times and loses the order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from series.model import Patch, shown

if TYPE_CHECKING:
    import networkx as nx

_COLOURS = {
    "text": "#2563eb",
    "file": "#059669",
    "symbol": "#d97706",
    "declared": "#7c3aed",
}
_NAMES = {
    "text": "same or neighbouring lines",
    "file": "life of a file",
    "symbol": "symbol, macro or option",
    "declared": "declared by the author",
}
_ROW = 20
_LEGEND = "; an arc leads down from a patch to one that needs it"
_TOP = 64


def evidence_kind(evidence: Any) -> str:
    """Which of the four colours a piece of evidence has."""
    name = type(evidence).__name__
    if name.startswith("Text"):
        return "text"
    return {"FileLife": "file", "SymbolUse": "symbol"}.get(name, "declared")


def to_dot(graph: nx.DiGraph[int], order: Sequence[int]) -> str:
    """For graphviz; edges point from prerequisite to dependent."""
    out = ["digraph series {", "  rankdir=TB; node [shape=box, fontname=sans, fontsize=10];"]
    for place, node in enumerate(order, 1):
        label = f"{place}. {subject(graph, node)}".replace("\\", "\\\\").replace('"', '\\"')
        out.append(f'  p{node} [label="{label}"];')
    for one, other, evidence in _edges(graph, order):
        kind = evidence_kind(evidence[0])
        words = "\\n".join(x.explain() for x in evidence[:6])
        tip = words.replace('"', '\\"')
        out.append(f'  p{one} -> p{other} [color="{_COLOURS[kind]}", tooltip="{tip}"];')
    return "\n".join([*out, "}"]) + "\n"


def to_mermaid(graph: nx.DiGraph[int], order: Sequence[int]) -> str:
    """For the Mermaid that GitHub, GitLab and many wikis draw."""
    out = ["flowchart TD"]
    for place, node in enumerate(order, 1):
        label = subject(graph, node).replace('"', "#quot;").replace("<", "&lt;")
        out.append(f'  p{node}["{place}. {label}"]')
    arrows = {"text": "-->", "file": "==>", "symbol": "-.->", "declared": "--o"}
    for one, other, evidence in _edges(graph, order):
        out.append(f"  p{one} {arrows[evidence_kind(evidence[0])]} p{other}")
    return "\n".join(out) + "\n"


def to_json(graph: nx.DiGraph[int], order: Sequence[int]) -> dict[str, Any]:
    """For a program: patches in order, edges by their place in it (1-based)."""
    place = {node: number for number, node in enumerate(order, 1)}
    return {
        "patches": [
            {
                "place": place[node],
                "name": patch(graph, node).name,
                "subject": subject(graph, node),
                "posted": patch(graph, node).position + 1,
            }
            for node in order
        ],
        "edges": [
            {"from": place[one], "to": place[other], "evidence": [x.to_json() for x in evidence]}
            for one, other, evidence in _edges(graph, order)
        ],
    }


def to_svg(graph: nx.DiGraph[int], order: Sequence[int], title: str) -> str:
    """The arc diagram; hovering over an arc shows its evidence."""
    place = {node: number for number, node in enumerate(order)}
    edges = list(_edges(graph, order))
    reach = max((abs(place[b] - place[a]) for a, b, _ in edges), default=1)
    left = min(420.0, 60 + 11.0 * reach**0.75)
    height = _TOP + _ROW * len(order) + 24
    longest = max((len(subject(graph, node)) for node in order), default=10)
    width = left + 70 + 6.9 * min(longest, 90) + 20
    used = [kind for kind in _COLOURS if any(evidence_kind(e[2][0]) == kind for e in edges)]
    width = max(width, 40 + 230 * len(used))
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}"'
        f' viewBox="0 0 {width:.0f} {height}" font-family="DejaVu Sans, sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="20" y="24" font-size="14" font-weight="bold">{escape(title)}{_LEGEND}</text>',
    ]
    for number, kind in enumerate(used):
        x = 20 + 230 * number
        count = sum(1 for e in edges if evidence_kind(e[2][0]) == kind)
        out.append(f'<path d="M{x} 42 h22" stroke="{_COLOURS[kind]}" stroke-width="2"/>')
        out.append(f'<text x="{x + 28}" y="46" fill="#374151">{_NAMES[kind]} ({count})</text>')
    for one, other, evidence in sorted(edges, key=lambda e: place[e[0]] - place[e[1]]):
        out.append(_arc(place[one], place[other], left, reach, evidence))
    free = {node for node in order if graph.degree(node) == 0}
    for node in order:
        y = _TOP + _ROW * place[node] + 4
        text = subject(graph, node)
        text = text if len(text) <= 90 else text[:89] + "…"
        shade = "#9ca3af" if node in free else "#111827"
        out.append(f'<circle cx="{left:.0f}" cy="{y - 4}" r="3" fill="{shade}"/>')
        out.append(
            f'<text x="{left + 34:.0f}" y="{y}" text-anchor="end" fill="#6b7280">{place[node] + 1}</text>'
        )
        out.append(f'<text x="{left + 42:.0f}" y="{y}" fill="{shade}">{escape(text)}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def _arc(start: int, end: int, left: float, reach: int, evidence: Sequence[Any]) -> str:
    y1, y2 = _TOP + _ROW * start, _TOP + _ROW * end
    bulge = (left - 24) * (abs(end - start) / reach) ** 0.75 + 6
    kind = evidence_kind(evidence[0])
    words = "\n".join(x.explain() for x in evidence[:12])
    x = left - 3
    curve = f"M{x:.0f} {y1} C{x - bulge:.1f} {y1} {x - bulge:.1f} {y2} {x:.0f} {y2}"
    return (
        f'<path d="{curve}" fill="none" stroke="{_COLOURS[kind]}" stroke-opacity="0.55"'
        f' stroke-width="1.2"><title>{start + 1} to {end + 1}\n{escape(words)}</title></path>'
    )


def subject(graph: nx.DiGraph[int], node: int) -> str:
    """The subject of a node's patch."""
    return shown(patch(graph, node).subject)


def patch(graph: nx.DiGraph[int], node: int) -> Patch:
    """The patch of a node."""
    found = graph.nodes[node]["patch"]
    assert isinstance(found, Patch)
    return found


def _edges(
    graph: nx.DiGraph[int], order: Sequence[int]
) -> Iterable[tuple[int, int, tuple[Any, ...]]]:
    place = {node: number for number, node in enumerate(order)}
    for one, other, data in sorted(
        graph.edges(data=True), key=lambda edge: (place[edge[0]], place[edge[1]])
    ):
        yield one, other, tuple(data["evidence"])
