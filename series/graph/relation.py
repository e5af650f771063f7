# SPDX-License-Identifier: GPL-2.0-or-later
"""What lines, the lives of files, names and trailers say of patches that are given in an order.

Each finding is the earlier patch, the later one (as positions in what is given), and the evidence.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from series.graph.evidence import Declared, Dependency, FileLife, SymbolUse, TextAdjacent, TextTouch
from series.graph.line_history import TreeHistory
from series.model import Base, Patch
from series.reading.trailers import referenced
from series.symbols.links import symbol_links


def text_evidence(
    patches: Sequence[Patch], reach: int = 1
) -> Iterable[tuple[int, int, Dependency]]:
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
) -> Iterable[tuple[int, int, Dependency]]:
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


def declared_evidence(patches: Sequence[Patch]) -> Iterable[tuple[int, int, Dependency]]:
    """``Fixes:``, ``Amends:`` and ``Depends-on:`` that name a patch of this series."""
    subjects: dict[bytes, list[int]] = {}
    commits: list[tuple[str, int]] = []
    for index, patch in enumerate(patches):
        subjects.setdefault(patch.subject, []).append(index)
        if patch.commit:
            commits.append((patch.commit, index))
    commits.sort()
    for index, patch in enumerate(patches):
        for key, commit, subject in referenced(patch):
            found = _commit_place(commits, commit) if commit else None
            named = subjects.get(subject or b"", [])
            if found is None and len(named) == 1:
                found = named[0]
            if found is not None and found != index:
                yield found, index, Declared(key, subject or (commit or "").encode())


def _commit_place(commits: Sequence[tuple[str, int]], prefix: str) -> int | None:
    """The patch whose commit id begins with ``prefix``; ``commits`` are sorted."""
    at = bisect_left(commits, (prefix, -1))
    if at < len(commits) and commits[at][0].startswith(prefix):
        return commits[at][1]
    return None
