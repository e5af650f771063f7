# SPDX-License-Identifier: GPL-2.0-or-later
"""What an edge of the graph can carry: why one patch comes after another, and why it needs it.

`Precedes` is evidence of the order alone, of a kind with a strength.  The others are found along an
order and say what a patch needs.  Each says itself in one sentence (``explain``) and as plain values
(``to_json``).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import Struct

from series.model import shown

if TYPE_CHECKING:
    from series.symbols.definitions import Kind as NameKind


class Kind(StrEnum):
    """What evidence of the order rests on, strongest first."""

    BLOB = "blob"
    TEXT = "text"
    LINE_NUMBERS = "line numbers"
    NUMBERING = "numbering"
    THREADING = "threading"
    TRAILER = "trailer"
    SYMBOL = "symbol"
    CHANGED_SYMBOL = "changed symbol"

    @property
    def strength(self) -> int:
        """The greater one decides where two kinds contradict each other."""
        return _STRENGTH[self]


_STRENGTH = {kind: len(Kind) - place for place, kind in enumerate(Kind)}


class Need(StrEnum):
    """Why one patch needs another: what the evidence of a dependency rests on."""

    TEXT = "text"
    FILE = "file"
    SYMBOL = "symbol"
    DECLARED = "declared"


class Precedes(Struct, frozen=True):
    """The earlier patch comes first; ``text`` goes on from the name of the later one."""

    kind: Kind
    text: str

    def explain(self) -> str:
        """One sentence."""
        return f"{self.text} [{self.kind}]"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"kind": f"order-{self.kind.replace(' ', '-')}", "text": self.text}


class TextTouch(Struct, frozen=True):
    """The later patch edits lines that the earlier one wrote."""

    path: bytes
    lines: tuple[int, int]
    need: ClassVar[Need] = Need.TEXT

    def explain(self) -> str:
        """One sentence."""
        return f"edits lines that it wrote: {shown(self.path)}, {_span(self.lines)}"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"kind": "text-touch", "path": shown(self.path), "lines": list(self.lines)}


class TextAdjacent(Struct, frozen=True):
    """The later patch edits right beside lines that the earlier one wrote or removed."""

    path: bytes
    lines: tuple[int, int]
    need: ClassVar[Need] = Need.TEXT

    def explain(self) -> str:
        """One sentence."""
        return f"edits beside lines that it changed: {shown(self.path)}, {_span(self.lines)}"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"kind": "text-adjacent", "path": shown(self.path), "lines": list(self.lines)}


class FileLife(Struct, frozen=True):
    """The earlier patch creates, deletes, renames, copies or replaces the file: ``what`` in words."""

    path: bytes
    what: str
    need: ClassVar[Need] = Need.FILE

    def explain(self) -> str:
        """One sentence."""
        return f"it {self.what}: {shown(self.path)}"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"kind": "file-life", "path": shown(self.path), "what": self.what}


class SymbolUse(Struct, frozen=True):
    """The later patch uses a name that the earlier one introduces; places are path and line."""

    kind: NameKind
    name: bytes
    introduced: tuple[bytes, int]
    used: tuple[bytes, int]
    changed: bool = False
    """The earlier patch changes what the name is, rather than introducing it."""
    need: ClassVar[Need] = Need.SYMBOL

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


class Declared(Struct, frozen=True):
    """The later patch's message names the earlier one in a trailer."""

    trailer: str
    value: bytes
    need: ClassVar[Need] = Need.DECLARED

    def explain(self) -> str:
        """One sentence."""
        return f"says '{self.trailer}: {shown(self.value)}'"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"kind": "declared", "trailer": self.trailer, "value": shown(self.value)}


Dependency = TextTouch | TextAdjacent | FileLife | SymbolUse | Declared
Evidence = Precedes | Dependency


def _span(lines: tuple[int, int]) -> str:
    return f"line {lines[0]}" if lines[0] == lines[1] else f"lines {lines[0]}-{lines[1]}"
