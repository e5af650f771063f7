# SPDX-License-Identifier: GPL-2.0-or-later
"""Fields of the core's structures, read and written by their names."""

from __future__ import annotations

from emu.elf import PAGE
from emu.errors import LayoutError
from emu.layout import Field, Layout
from emu.object.regions import Memory
from emu.spaces import LinearAddr

MAX_STRUCT = 16 * PAGE


class Fields:
    """Typed access to memory, by the object's own layouts."""

    def __init__(self, memory: Memory, layout: Layout) -> None:
        self.memory = memory
        self.layout = layout
        self._scalars: dict[tuple[str, str], Field] = {}
        self._known: dict[tuple[str, str], bool] = {}

    def scalar(self, type_name: str, path: str) -> Field:
        """Where a field of at most 8 bytes lies."""
        known = self._scalars.get((type_name, path))
        if known is not None:
            return known
        place = self.layout.field(type_name, path)
        if place.size > 8 or not 0 <= place.offset < MAX_STRUCT:
            raise LayoutError(
                f"{place.size} bytes at offset {place.offset:#x} are not a scalar",
                f"{type_name}.{path}",
                "the debug information is damaged, or another tree's",
            )
        self._scalars[type_name, path] = place
        return place

    def has(self, type_name: str, path: str) -> bool:
        """Whether this tree has the field."""
        known = self._known.get((type_name, path))
        if known is None:
            known = self._known[type_name, path] = self.layout.has(type_name, path)
        return known

    def get(self, type_name: str, base: LinearAddr, path: str) -> int:
        """Read a field, bitfields included."""
        place = self.scalar(type_name, path)
        value = self.memory.read_int(base + place.offset, place.size)
        if place.bit is not None:
            value = value >> place.bit & (1 << place.width) - 1
        return value

    def set(self, type_name: str, base: LinearAddr, path: str, value: int) -> None:
        """Write a field, bitfields included."""
        place = self.scalar(type_name, path)
        if place.bit is not None:
            mask = (1 << place.width) - 1 << place.bit
            value = (
                self.memory.read_int(base + place.offset, place.size) & ~mask
                | value << place.bit & mask
            )
        self.memory.write_int(base + place.offset, value, place.size)

    def try_set(self, type_name: str, base: LinearAddr, path: str, value: int) -> None:
        """Write a field if this tree has it."""
        if self.has(type_name, path):
            self.set(type_name, base, path, value)
