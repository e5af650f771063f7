# SPDX-License-Identifier: GPL-2.0-or-later
"""A structure of the interface: bytes to fields and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """One field; ``out`` when the callee fills it."""

    name: str
    offset: int
    size: int
    out: bool = False
    signed: bool = False
    pointer: bool = False


@dataclass(frozen=True, slots=True)
class Struct:
    """A public argument structure."""

    name: str
    size: int
    members: tuple[Member, ...]

    def member(self, name: str) -> Member | None:
        return next((m for m in self.members if m.name == name), None)

    def encode(self, values: Mapping[str, int]) -> bytes:
        """Bytes of the structure; fields not given are zero.  Raises KeyError for an unknown name."""
        content = bytearray(self.size)
        for name, value in values.items():
            member = self.member(name)
            if member is None:
                raise KeyError(name)
            raw = (value & (1 << 8 * member.size) - 1).to_bytes(member.size, "little")
            content[member.offset : member.offset + member.size] = raw
        return bytes(content)

    def decode(self, content: bytes) -> dict[str, int]:
        """Every field by its name."""
        return {
            m.name: int.from_bytes(content[m.offset : m.offset + m.size], "little", signed=m.signed)
            for m in self.members
        }
