# SPDX-License-Identifier: GPL-2.0-or-later
"""A structure of the interface: bytes to fields and back."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


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
    """By offset, not overlapping."""
    reserved: tuple[tuple[str, int, int], ...] = ()
    """(name, offset, size) of fields that have no meaning (yet)."""
    _by_name: dict[str, Member] = field(init=False, repr=False, compare=False)
    _codec: struct.Struct = field(init=False, repr=False, compare=False)
    """Of every member, unsigned."""

    def __post_init__(self) -> None:
        form, at = "<", 0
        for member in self.members:
            form += f"{member.offset - at}x{_CODES[member.size]}"
            at = member.offset + member.size
        object.__setattr__(self, "_by_name", {member.name: member for member in self.members})
        object.__setattr__(self, "_codec", struct.Struct(f"{form}{self.size - at}x"))

    def member(self, name: str) -> Member | None:
        return self._by_name.get(name)

    def reserved_in(self, content: bytes) -> Iterator[tuple[str, int]]:
        """Name and value of each field that has no meaning."""
        for name, offset, size in self.reserved:
            yield name, int.from_bytes(content[offset : offset + size], "little")

    def encode(self, values: Mapping[str, int]) -> bytes:
        """Bytes of the structure; fields not given are zero.  Raises KeyError for an unknown name."""
        for name in values:
            if name not in self._by_name:
                raise KeyError(name)
        return self._codec.pack(
            *[values.get(m.name, 0) & (1 << 8 * m.size) - 1 for m in self.members]
        )

    def decode(self, content: bytes) -> dict[str, int]:
        """Every field by its name, from the beginning of ``content``."""
        raw = self._codec.unpack_from(content)
        return {
            m.name: value - (value >> 8 * m.size - 1 << 8 * m.size) if m.signed else value
            for m, value in zip(self.members, raw, strict=True)
        }
