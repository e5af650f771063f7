# SPDX-License-Identifier: GPL-2.0-or-later
"""The only memory that emulated code can touch: a few host-backed regions.

Python reads and writes the host buffer directly, the emulator has the same pages mapped by pointer, so
nothing is ever copied between the two.  A snapshot is a copy of the writable regions and a restore a
memcpy: a fifth of a megabyte, some 10 µs, cheaper than any tracking of dirty pages at this size.
"""

from __future__ import annotations

import ctypes
import mmap
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from emu.elf import PAGE, Perm
from emu.spaces import LinearAddr

MAX_TOTAL = 128 << 20
WORD = 8
_NONZERO = re.compile(rb"[^\0]+")


class Unmapped(Exception):
    """An access outside of every region; ``address`` is where it began."""

    def __init__(self, address: LinearAddr, size: int) -> None:
        super().__init__(address, size)
        self.address = address
        self.size = size

    def __str__(self) -> str:
        return f"{self.size} bytes at {self.address:#x} are not mapped"


@dataclass(slots=True, eq=False)
class Region:
    """Pages at ``base``.  ``user`` marks the guest's own (U=1 in its page tables)."""

    name: str
    base: LinearAddr
    size: int
    perm: Perm
    user: bool
    view: memoryview
    pointer: int
    """Host address of the pages, for the emulator to map."""
    saved: bytes = b""
    end: LinearAddr = field(init=False)

    def __post_init__(self) -> None:
        self.end = self.base + self.size


@dataclass(slots=True)
class Memory:
    """Regions by address; not overlapping."""

    regions: list[Region] = field(default_factory=list)
    _bases: list[LinearAddr] = field(default_factory=list)
    _writable: list[Region] = field(default_factory=list)
    _keep: list[ctypes.Array[ctypes.c_char]] = field(default_factory=list)
    _last: Region | None = None
    """The region that was found last: the next is likely to be the same."""

    def add(
        self,
        name: str,
        base: LinearAddr,
        size: int,
        perm: Perm = Perm.READ | Perm.WRITE,
        *,
        user: bool = False,
    ) -> Region:
        """Map zeroed pages; the size is rounded up to pages."""
        size = (size + PAGE - 1) & -PAGE
        if base % PAGE or size <= 0 or not 0 <= base < base + size <= 1 << 64:
            raise ValueError(f"region {name} at {base:#x} of {size} bytes")
        if sum(r.size for r in self.regions) + size > MAX_TOTAL:
            raise ValueError(f"region {name}: more than {MAX_TOTAL} bytes in all")
        if any(r.base < base + size and base < r.end for r in self.regions):
            raise ValueError(f"region {name} at {base:#x} overlaps another")
        pages = mmap.mmap(-1, size)
        buffer = (ctypes.c_char * size).from_buffer(pages)
        region = Region(name, base, size, perm, user, memoryview(pages), ctypes.addressof(buffer))
        self._keep.append(buffer)
        at = bisect_right(self._bases, base)
        self._bases.insert(at, base)
        self.regions.insert(at, region)
        return region

    def find(self, address: LinearAddr) -> Region | None:
        """The region that holds ``address``."""
        last = self._last
        if last is not None and last.base <= address < last.end:
            return last
        at = bisect_right(self._bases, address) - 1
        if at < 0:
            return None
        region = self.regions[at]
        if address >= region.end:
            return None
        self._last = region
        return region

    def covering(self, address: LinearAddr, size: int) -> Region | None:
        """The region that holds all of ``size`` bytes at ``address``."""
        region = self.find(address)
        return region if region is not None and address + size <= region.end else None

    def _at(self, address: LinearAddr, size: int) -> tuple[memoryview, int]:
        """A region's view, and where in it these bytes are."""
        last = self._last
        if last is None or not last.base <= address <= last.end - size:
            last = self.covering(address, size)
            if last is None:
                raise Unmapped(address, size)
        return last.view, address - last.base

    def read(self, address: LinearAddr, size: int) -> bytes:
        view, at = self._at(address, size)
        return bytes(view[at : at + size])

    def write(self, address: LinearAddr, content: bytes) -> None:
        view, at = self._at(address, len(content))
        view[at : at + len(content)] = content

    def read_int(self, address: LinearAddr, size: int) -> int:
        view, at = self._at(address, size)
        return int.from_bytes(view[at : at + size], "little")

    def write_int(self, address: LinearAddr, value: int, size: int) -> None:
        view, at = self._at(address, size)
        view[at : at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")

    def snapshot(self) -> None:
        """Remember the writable regions as they are."""
        self._writable = [region for region in self.regions if region.perm & Perm.WRITE]
        for region in self._writable:
            region.saved = bytes(region.view)

    def restore(self) -> None:
        """Put them back."""
        for region in self._writable:
            region.view[:] = region.saved

    @staticmethod
    def unchanged(
        region: Region, start: int = 0, end: int | None = None, since: bytes = b""
    ) -> bool:
        """Whether [start, end) of the region is as it was in ``since``, or in the snapshot.

        By way of a copy: comparing a memoryview goes item by item, a hundred times slower.
        """
        return bytes(region.view[start:end]) == (since or region.saved)[start:end]

    @staticmethod
    def touched(region: Region) -> Iterator[bytes]:
        """Its pages that are not as in the snapshot, those side by side as one, and a word on either side."""
        now, start = bytes(region.view), None
        for at in range(0, region.size + PAGE, PAGE):
            if now[at : at + PAGE] != region.saved[at : at + PAGE]:
                start = at if start is None else start
            elif start is not None:
                yield now[max(start - WORD, 0) : at + WORD]
                start = None

    def changes(self, region: Region, since: bytes = b"") -> Iterator[tuple[LinearAddr, int]]:
        """(address, length) of each run of bytes that differs from ``since``, or from the snapshot."""
        before = since or region.saved
        for start in range(0, region.size, PAGE):
            now, then = bytes(region.view[start : start + PAGE]), before[start : start + PAGE]
            if now != then:
                changed = int.from_bytes(now, "little") ^ int.from_bytes(then, "little")
                for run in _NONZERO.finditer(changed.to_bytes(PAGE, "little")):
                    yield region.base + start + run.start(), run.end() - run.start()
