# SPDX-License-Identifier: GPL-2.0-or-later
"""An object at its place, every relocation applied."""

from __future__ import annotations

from dataclasses import dataclass, field

from emu.elf.file import Elf
from emu.elf.headers import Perm
from emu.spaces import LinearAddr


@dataclass(frozen=True, slots=True)
class Segment:
    """Sections of equal permissions, on pages of their own."""

    name: str
    address: LinearAddr
    perm: Perm
    data: bytearray


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the object at its place."""

    name: str
    address: LinearAddr
    size: int


@dataclass(frozen=True, slots=True)
class Image:
    """The object at its place, every relocation applied."""

    elf: Elf
    segments: tuple[Segment, ...]
    addresses: dict[int, LinearAddr]
    """Section index to address."""
    values: tuple[LinearAddr, ...]
    """Value of each symbol, by its index."""
    symbols: dict[str, LinearAddr]
    functions: tuple[Function, ...]
    """By address."""
    relocations: dict[str, int] = field(default_factory=dict)
    """How many of each type were applied."""

    @property
    def base(self) -> LinearAddr:
        return self.segments[0].address if self.segments else LinearAddr(0)

    @property
    def end(self) -> LinearAddr:
        last = self.segments[-1] if self.segments else None
        return last.address + len(last.data) if last else LinearAddr(0)

    def bytes_at(self, address: LinearAddr, size: int) -> bytes:
        """``size`` bytes of the image; fewer where it ends."""
        for segment in self.segments:
            offset = address - segment.address
            if 0 <= offset < len(segment.data):
                return bytes(segment.data[offset : offset + size])
        return b""

    def section(self, name: str) -> tuple[LinearAddr, int] | None:
        """Address and size of a section of the image."""
        section = self.elf.section(name)
        if section is None or section.index not in self.addresses:
            return None
        return self.addresses[section.index], section.size

    def function_at(self, address: LinearAddr) -> Function | None:
        """The function that holds ``address``."""
        for function in self.functions:
            if function.address <= address < function.address + max(function.size, 1):
                return function
        return None

    def where(self, address: LinearAddr) -> str:
        """``function+0x12``, or the bare address outside of every function."""
        function = self.function_at(address)
        return f"{function.name}+{address - function.address:#x}" if function else f"{address:#x}"
