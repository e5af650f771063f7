# SPDX-License-Identifier: GPL-2.0-or-later
"""The dependency relation along a valid order, as plain values: no networkx here.

Text and file life bind: without them a patch does not apply.  Names and declarations are facts about
the series; where they point backwards they are premature uses to report, not a contradiction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from series.graph.evidence import (
    Declared,
    Evidence,
    FileLife,
    SymbolUse,
    TextAdjacent,
    TextTouch,
)
from series.graph.line_history import TreeHistory
from series.model import Base, Patch
from series.reading.trailers import referenced
from series.symbols.links import symbol_links

Edges = dict[tuple[int, int], tuple[Evidence, ...]]


@dataclass(frozen=True, slots=True)
class Premature:
    """Patch ``user`` comes before ``maker`` although it needs what that one brings."""

    user: int
    maker: int
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Relation:
    """Edges from prerequisite to dependent, by position in the order given, and what runs against it."""

    edges: Edges
    premature: tuple[Premature, ...]


def relate(patches: Sequence[Patch], base: Base | None, *, reach: int = 1) -> Relation:
    """Relate ``patches``, which must apply in this order.

    ``reach`` is how near two edits must be to depend: 1 for three-way merges, 3 for patch files.
    """
    edges: dict[tuple[int, int], dict[Evidence, None]] = {}
    for earlier, later, evidence in text_evidence(patches, reach):
        edges.setdefault((earlier, later), {})[evidence] = None
    premature: list[Premature] = []
    for earlier, later, evidence in (*name_evidence(patches, base), *declared_evidence(patches)):
        if earlier < later:
            edges.setdefault((earlier, later), {})[evidence] = None
        elif not (isinstance(evidence, SymbolUse) and evidence.kind == "member"):
            # Two structures may have a member of the same name: too little to warn of.
            premature.append(Premature(later, earlier, evidence))
    return Relation(
        {pair: tuple(edges[pair]) for pair in sorted(edges)},
        tuple(premature),
    )


def text_evidence(patches: Sequence[Patch], reach: int = 1) -> Iterable[tuple[int, int, Evidence]]:
    """What the lines and the lives of the files say."""
    history = TreeHistory(reach)
    for index, patch in enumerate(patches):
        history.add(index, patch.changes)
    for contact in history.contacts:
        kind = TextTouch if contact.how == "touch" else TextAdjacent
        yield contact.earlier, contact.later, kind(contact.path, contact.lines)
    for life in history.lives:
        yield life.earlier, life.later, FileLife(life.path, life.what)


def name_evidence(
    patches: Sequence[Patch], base: Base | None
) -> Iterable[tuple[int, int, Evidence]]:
    """What names say."""
    for link in symbol_links(patches, base, range(len(patches))):
        made, use = link.definition, link.use
        yield (
            link.maker,
            link.user,
            SymbolUse(
                made.kind, made.name, (made.path, made.line), (use.path, use.line), made.changed
            ),
        )


def declared_evidence(patches: Sequence[Patch]) -> Iterable[tuple[int, int, Evidence]]:
    """``Fixes:``, ``Amends:`` and ``Depends-on:`` that name a patch of this series."""
    subjects: dict[bytes, list[int]] = {}
    commits: dict[str, int] = {}
    for index, patch in enumerate(patches):
        subjects.setdefault(patch.subject, []).append(index)
        if patch.commit:
            commits[patch.commit] = index
    for index, patch in enumerate(patches):
        for key, commit, subject in referenced(patch):
            found = next(
                (place for oid, place in commits.items() if commit and oid.startswith(commit)), None
            )
            named = subjects.get(subject or b"", [])
            if found is None and len(named) == 1:
                found = named[0]
            if found is not None and found != index:
                yield found, index, Declared(key, subject or (commit or "").encode())
