# SPDX-License-Identifier: GPL-2.0-or-later
"""A linked hypervisor image: what a PVH loader reads of it, and names for its addresses.

The file is hostile.  Only program headers, Xen's notes and the symbol table are looked at: an image
with its debug information has 17 MB, and the 200 KB that matter are read in 2 ms.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from emu.elf.headers import (
    CLASS64,
    EM_X86_64,
    ET_EXEC,
    PT_LOAD,
    PT_NOTE,
    SHT_NOTE,
    SHT_STRTAB,
    SHT_SYMTAB,
    STT_SECTION,
    SYMBOL_SIZE,
    FileHeader,
    file_header,
    section_headers,
    segment_headers,
    symbol_entries,
)
from emu.errors import NoPvhEntry, TruncatedElf, WrongMachine
from emu.spaces import LinearAddr, LinkAddr, PhysAddr

XEN_ELFNOTE_PHYS32_ENTRY = 18
MAX_SYMBOLS = 1 << 20
MAX_NOTES = 4096
MAX_SYMBOL_NAME = 256
WANTED = "a linked image (xen-syms) for x86-64"


@dataclass(frozen=True, slots=True)
class Load:
    """One PT_LOAD: ``content`` at ``physical``, zeroes up to ``size``."""

    physical: PhysAddr
    virtual: LinkAddr
    size: int
    content: memoryview

    @property
    def end(self) -> PhysAddr:
        return self.physical + self.size


@dataclass(frozen=True)
class LinkedImage:
    """An image that can be started: by address of its entry, 32-bit, paging off."""

    data: bytes
    loads: tuple[Load, ...]
    entry: PhysAddr

    @cached_property
    def _names(self) -> tuple[list[LinkAddr], list[str]]:
        named = sorted(_symbols(self.data))
        return [value for value, _ in named], [name for _, name in named]

    @cached_property
    def symbols(self) -> dict[str, LinkAddr]:
        """Address of each name; of equal names the lowest."""
        values, names = self._names
        return {name: value for value, name in zip(reversed(values), reversed(names), strict=True)}

    def holds(self, address: LinearAddr | PhysAddr) -> bool:
        """Whether a linear or (before paging) physical address lies in it."""
        return any(
            load.physical <= address < load.end
            or load.virtual <= address < load.virtual + load.size
            for load in self.loads
        )

    def where(self, address: LinearAddr | PhysAddr) -> str:
        """``symbol+0x12`` for a linear or (before paging) physical address of the image."""
        for load in self.loads:
            if load.physical <= address < load.end:
                return self._spelled(load.virtual + (int(address) - load.physical))
            if load.virtual <= address < load.virtual + load.size:
                return self._spelled(LinkAddr(address))  # Xen runs where it is linked
        return f"{address:#x}"

    def _spelled(self, address: LinkAddr) -> str:
        values, names = self._names
        at = bisect_right(values, address) - 1
        if at < 0:
            return f"{address:#x}"
        return f"{names[at]}+{address - values[at]:#x}"


def parse_image(data: bytes) -> LinkedImage:
    """Read the headers of a linked image; an `ElfError` for what no loader would start."""
    header = image_header(data)
    segments = segment_headers(data, header)
    loads = tuple(
        Load(each.physical, each.virtual, each.memory, each.content(data, "program header"))
        for each in segments
        if each.type == PT_LOAD and each.memory
    )
    if not loads:
        raise TruncatedElf("no PT_LOAD segment", "program headers")
    notes = [each.content(data, "PT_NOTE") for each in segments if each.type == PT_NOTE]
    notes += [content for kind, content, _ in _sections(data, header) if kind == SHT_NOTE]
    entry = next((e for e in map(_entry_in, notes) if e is not None), None)
    if entry is not None:
        _check_places(loads)
        return LinkedImage(data, loads, entry)
    raise NoPvhEntry(
        "no PVH entry: none of its notes is XEN_ELFNOTE_PHYS32_ENTRY",
        "ELF notes",
        "the image of a tree that has such an entry is needed",
    )


def _check_places(loads: tuple[Load, ...]) -> None:
    """Only an image with an entry needs places: without one, Xen is linked to no physical address."""
    for load in loads:
        if len(load.content) > load.size or load.end > 1 << 32:
            raise TruncatedElf(
                f"{len(load.content)} bytes at {load.physical:#x} in room for {load.size}",
                "program headers",
            )


def image_header(data: bytes) -> FileHeader:
    """Raises an `ElfError` for what is no linked 64-bit image for x86."""
    header = file_header(data, WANTED)
    if header.width != CLASS64 or header.machine != EM_X86_64:
        raise WrongMachine(
            "a 32-bit ELF file has no symbols of a 64-bit hypervisor",
            hint="xen-syms is needed, not what is made of it for the boot loader",
        )
    if header.type != ET_EXEC:
        raise WrongMachine(f"ELF file type {header.type}", hint=f"{WANTED} is needed")
    return header


def _sections(data: bytes, header: FileHeader) -> Iterator[tuple[int, memoryview, int]]:
    """(type, content, link) of every section; the content only of those that are read here."""
    for each in section_headers(data, header):
        read = each.type in (SHT_SYMTAB, SHT_STRTAB, SHT_NOTE)
        content = each.content(data, "section headers") if read else memoryview(b"")
        yield each.type, content, each.link


def _entry_in(content: memoryview) -> PhysAddr | None:
    at = 0
    for _ in range(MAX_NOTES):
        if at + 12 > len(content):
            return None
        name_size, size, kind = struct.unpack_from("<III", content, at)
        name = at + 12
        value = name + (name_size + 3 & ~3)
        if kind == XEN_ELFNOTE_PHYS32_ENTRY and bytes(content[name : name + 4]) == b"Xen\0":
            if size not in (4, 8) or value + size > len(content):
                raise TruncatedElf(f"a PVH entry of {size} bytes", "ELF notes")
            return PhysAddr.from_bytes(content[value : value + size], "little") & 0xFFFFFFFF
        at = value + (size + 3 & ~3)
    return None


def _symbols(data: bytes) -> Iterator[tuple[LinkAddr, str]]:
    """(value, name) of functions, objects and labels; none where the table is not usable."""
    try:
        sections = list(_sections(data, image_header(data)))
    except TruncatedElf:
        return
    for kind, content, link in sections:
        if kind != SHT_SYMTAB or link >= len(sections):
            continue
        strings = bytes(sections[link][1])
        count = min(len(content) // SYMBOL_SIZE, MAX_SYMBOLS)
        for name, info, _, section, value, _ in symbol_entries(content[: count * SYMBOL_SIZE]):
            if section and name and info & 15 < STT_SECTION:
                end = strings.find(b"\0", name)
                if end > name:
                    spelled = strings[name : min(end, name + MAX_SYMBOL_NAME)]
                    yield LinkAddr(value), spelled.decode("utf-8", "replace")
