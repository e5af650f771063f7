# SPDX-License-Identifier: GPL-2.0-or-later
"""The dependency graph for graphviz, Mermaid, a program, and the eye.

The picture is an arc diagram: a series has an order that everybody thinks in, so each patch is a row
in that order and each dependency an arc at its left.  A layered drawing of the same 77 patches
crosses itself some hundred times and loses the order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from backport.report.out import FORMAT
from series.graph.evidence import Dependency, Need
from series.model import Patch, escaped, shown

if TYPE_CHECKING:
    import networkx as nx

_MERMAID = re.compile(r"[^\w .,:/()\[\]+=*?!-]")
"""What could end a label of Mermaid's, or begin an entity or markup in it."""
_COLOURS = {
    Need.TEXT: "#2563eb",
    Need.FILE: "#059669",
    Need.SYMBOL: "#d97706",
    Need.DECLARED: "#7c3aed",
}
_NAMES = {
    Need.TEXT: "same or neighbouring lines",
    Need.FILE: "file created, renamed or removed",
    Need.SYMBOL: "symbol, macro or option",
    Need.DECLARED: "declared by the author",
}
_ARROWS = {Need.TEXT: "-->", Need.FILE: "==>", Need.SYMBOL: "-.->", Need.DECLARED: "--o"}
_ROW = 20
_LEGEND = "; an arc leads down from a patch to one that needs it"
_TOP = 64


class Picture(Struct, frozen=True):
    """What is drawn: the patches as nodes, in their order, with their places in the whole plan."""

    graph: nx.DiGraph[int]
    places: dict[int, int]

    @property
    def order(self) -> Sequence[int]:
        """The nodes, first to last."""
        return tuple(self.graph.nodes)

    def patch(self, node: int) -> Patch:
        """The patch of a node."""
        found = self.graph.nodes[node]["patch"]
        assert isinstance(found, Patch)
        return found

    def key(self, node: int) -> str:
        """The name of a node for a program that draws."""
        return f"p{self.places[node] - 1}"

    def subject(self, node: int) -> str:
        """The subject of a node's patch."""
        return shown(self.patch(node).subject)

    def edges(self) -> Iterable[tuple[int, int, tuple[Dependency, ...]]]:
        """Prerequisite, dependent and the evidence, in the order of the places."""
        at = self.places
        for one, other, data in sorted(
            self.graph.edges(data=True), key=lambda edge: (at[edge[0]], at[edge[1]])
        ):
            yield one, other, tuple(data["evidence"])


def to_dot(picture: Picture) -> str:
    """For graphviz; edges point from prerequisite to dependent."""
    out = ["digraph series {", "  rankdir=TB; node [shape=box, fontname=sans, fontsize=10];"]
    for node in picture.order:
        label = _dot(f"{picture.places[node]}. {picture.subject(node)}")
        out.append(f"  {picture.key(node)} [label={label}];")
    for one, other, evidence in picture.edges():
        tip = _dot(*(escaped(x.explain()) for x in evidence[:6]))
        look = f'color="{_COLOURS[evidence[0].need]}", tooltip={tip}'
        out.append(f"  {picture.key(one)} -> {picture.key(other)} [{look}];")
    return "\n".join([*out, "}"]) + "\n"


def _dot(*lines: str) -> str:
    """A string of the DOT language: a backslash begins an escape there, also before a quote."""
    quoted = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"{}"'.format("\\n".join(quoted))


def to_mermaid(picture: Picture) -> str:
    """For the Mermaid that GitHub, GitLab and many wikis draw."""
    out = ["flowchart TD"]
    for node in picture.order:
        label = _MERMAID.sub(lambda found: f"#{ord(found[0])};", picture.subject(node))
        out.append(f'  {picture.key(node)}["{picture.places[node]}. {label}"]')
    for one, other, evidence in picture.edges():
        out.append(f"  {picture.key(one)} {_ARROWS[evidence[0].need]} {picture.key(other)}")
    return "\n".join(out) + "\n"


def to_json(picture: Picture) -> dict[str, Any]:
    """For a program: patches in order, edges by their place in it (1-based)."""
    place = picture.places
    return {
        "format": FORMAT,
        "patches": [
            {
                "place": place[node],
                "name": picture.patch(node).name,
                "subject": picture.subject(node),
                "posted": picture.patch(node).position + 1,
            }
            for node in picture.order
        ],
        "edges": [
            {"from": place[one], "to": place[other], "evidence": [x.to_json() for x in evidence]}
            for one, other, evidence in picture.edges()
        ],
    }


def to_svg(picture: Picture, title: str) -> str:
    """The arc diagram; hovering over an arc shows its evidence."""
    order, graph = picture.order, picture.graph
    row = {node: number for number, node in enumerate(order)}
    edges = list(picture.edges())
    reach = max((abs(row[b] - row[a]) for a, b, _ in edges), default=1)
    left = min(420.0, 60 + 11.0 * reach**0.75)
    height = _TOP + _ROW * len(order) + 24
    longest = max((len(picture.subject(node)) for node in order), default=10)
    width = left + 70 + 6.9 * min(longest, 90) + 20
    used = [kind for kind in _COLOURS if any(e[2][0].need == kind for e in edges)]
    width = max(width, 40 + 230 * len(used))
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}"'
        f' viewBox="0 0 {width:.0f} {height}" font-family="DejaVu Sans, sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="20" y="24" font-size="14" font-weight="bold">{escape(title)}{_LEGEND}</text>',
    ]
    for number, kind in enumerate(used):
        x = 20 + 230 * number
        count = sum(1 for e in edges if e[2][0].need == kind)
        out.append(f'<path d="M{x} 42 h22" stroke="{_COLOURS[kind]}" stroke-width="2"/>')
        out.append(f'<text x="{x + 28}" y="46" fill="#374151">{_NAMES[kind]} ({count})</text>')
    for one, other, evidence in sorted(edges, key=lambda e: row[e[0]] - row[e[1]]):
        out.append(_arc(picture, (one, other), row, (left, reach), evidence))
    free = {node for node in order if graph.degree(node) == 0}
    for node in order:
        y = _TOP + _ROW * row[node] + 4
        text = picture.subject(node)
        text = text if len(text) <= 90 else text[:89] + "…"
        shade = "#9ca3af" if node in free else "#111827"
        out.append(f'<circle cx="{left:.0f}" cy="{y - 4}" r="3" fill="{shade}"/>')
        number = picture.places[node]
        out.append(
            f'<text x="{left + 34:.0f}" y="{y}" text-anchor="end" fill="#6b7280">{number}</text>'
        )
        out.append(f'<text x="{left + 42:.0f}" y="{y}" fill="{shade}">{escape(text)}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def _arc(
    picture: Picture,
    edge: tuple[int, int],
    row: dict[int, int],
    size: tuple[float, int],
    evidence: Sequence[Dependency],
) -> str:
    """One arc; ``size`` is how much room is left of the subjects and how many rows the longest spans."""
    (start, end), (left, reach) = (row[edge[0]], row[edge[1]]), size
    first, last = picture.places[edge[0]], picture.places[edge[1]]
    y1, y2 = _TOP + _ROW * start, _TOP + _ROW * end
    bulge = (left - 24) * (abs(end - start) / reach) ** 0.75 + 6
    words = "\n".join(escaped(x.explain()) for x in evidence[:12])
    x = left - 3
    curve = f"M{x:.0f} {y1} C{x - bulge:.1f} {y1} {x - bulge:.1f} {y2} {x:.0f} {y2}"
    return (
        f'<path d="{curve}" fill="none" stroke="{_COLOURS[evidence[0].need]}" stroke-opacity="0.55"'
        f' stroke-width="1.2"><title>{first} to {last}\n{escape(words)}</title></path>'
    )
