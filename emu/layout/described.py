# SPDX-License-Identifier: GPL-2.0-or-later
"""What debug information says of some types, as plain values that outlive the file it was in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emu.layout.types import Field


@dataclass(frozen=True, slots=True)
class Described:
    """Sizes of types in bytes, their fields by path, and enumerators: those that were asked for and are
    there."""

    sizes: Mapping[str, int] = field(default_factory=dict)
    fields: Mapping[str, Mapping[str, Field]] = field(default_factory=dict)
    enumerators: Mapping[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.sizes or self.enumerators)

    def to_json(self) -> dict[str, Any]:
        return {
            "sizes": dict(self.sizes),
            "fields": {
                name: {path: [f.offset, f.size, f.bit, f.width] for path, f in fields.items()}
                for name, fields in self.fields.items()
            },
            "enumerators": dict(self.enumerators),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Described:
        return cls(
            value["sizes"],
            {
                name: {path: Field(*place) for path, place in fields.items()}
                for name, fields in value["fields"].items()
            },
            value["enumerators"],
        )
