# SPDX-License-Identifier: GPL-2.0-or-later
"""Why one patch needs another: the kinds of evidence that an edge of the graph can carry.

Each says itself in one sentence (``explain``) and as plain values (``to_json``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from series.model import shown
from series.symbols.definitions import Kind


@dataclass(frozen=True, slots=True)
class TextTouch:
    """The later patch edits lines that the earlier one wrote."""

    path: bytes
    lines: tuple[int, int]
    hard = True

    def explain(self) -> str:
        """One sentence."""
        return f"edits lines that it wrote: {shown(self.path)}, {_span(self.lines)}"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"kind": "text-touch", "path": shown(self.path), "lines": list(self.lines)}


@dataclass(frozen=True, slots=True)
class TextAdjacent:
    """The later patch edits right beside lines that the earlier one wrote or removed."""

    path: bytes
    lines: tuple[int, int]
    hard = True

    def explain(self) -> str:
        """One sentence."""
        return f"edits beside lines that it changed: {shown(self.path)}, {_span(self.lines)}"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"kind": "text-adjacent", "path": shown(self.path), "lines": list(self.lines)}


@dataclass(frozen=True, slots=True)
class FileLife:
    """The earlier patch creates, deletes, renames, copies or replaces the file: ``what`` in words."""

    path: bytes
    what: str
    hard = True

    def explain(self) -> str:
        """One sentence."""
        return f"it {self.what}: {shown(self.path)}"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"kind": "file-life", "path": shown(self.path), "what": self.what}


@dataclass(frozen=True, slots=True)
class SymbolUse:
    """The later patch uses a name that the earlier one introduces; places are path and line."""

    kind: Kind
    name: bytes
    introduced: tuple[bytes, int]
    used: tuple[bytes, int]
    changed: bool = False
    """The earlier patch changes what the name is, rather than introducing it."""
    hard = False

    def explain(self) -> str:
        """One sentence."""
        at, use = self.introduced, self.used
        return (
            f"uses the {self.kind} {shown(self.name)} ({shown(use[0])}:{use[1]}), which it "
            f"{'changes' if self.changed else 'introduces'} ({shown(at[0])}:{at[1]})"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "kind": f"symbol-{self.kind}",
            "name": shown(self.name),
            "introduced": f"{shown(self.introduced[0])}:{self.introduced[1]}",
            "used": f"{shown(self.used[0])}:{self.used[1]}",
            "changed": self.changed,
        }


@dataclass(frozen=True, slots=True)
class Declared:
    """The later patch's message names the earlier one in a trailer."""

    trailer: str
    value: bytes
    hard = False

    def explain(self) -> str:
        """One sentence."""
        return f"says '{self.trailer}: {shown(self.value)}'"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"kind": "declared", "trailer": self.trailer, "value": shown(self.value)}


Evidence = TextTouch | TextAdjacent | FileLife | SymbolUse | Declared


def _span(lines: tuple[int, int]) -> str:
    return f"line {lines[0]}" if lines[0] == lines[1] else f"lines {lines[0]}-{lines[1]}"
