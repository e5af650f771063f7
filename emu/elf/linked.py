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

from emu.elf import EM_NAMES, MAX_FILE
from emu.errors import NoPvhEntry, NotElf, TruncatedElf, WrongMachine

XEN_ELFNOTE_PHYS32_ENTRY = 18
PT_LOAD, PT_NOTE = 1, 4
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_NOTE = 1, 2, 3, 7
SHF_ALLOC = 2
EM_386, EM_X86_64 = 3, 62
ET_EXEC = 2
MAX_SEGMENTS = 64
MAX_SECTIONS = 8192
MAX_SYMBOLS = 1 << 20
MAX_NOTES = 4096


@dataclass(frozen=True, slots=True)
class Load:
    """One PT_LOAD: ``content`` at ``physical``, zeroes up to ``size``."""

    physical: int
    virtual: int
    size: int
    content: memoryview

    @property
    def end(self) -> int:
        return self.physical + self.size


@dataclass(frozen=True)
class LinkedImage:
    """An image that can be started: by address of its entry, 32-bit, paging off."""

    data: bytes
    loads: tuple[Load, ...]
    entry: int

    @cached_property
    def _names(self) -> tuple[list[int], list[str]]:
        named = sorted(_symbols(self.data))
        return [value for value, _ in named], [name for _, name in named]

    @cached_property
    def symbols(self) -> dict[str, int]:
        """Address of each name; of equal names the lowest."""
        values, names = self._names
        return {name: value for value, name in zip(reversed(values), reversed(names), strict=True)}

    def holds(self, physical: int) -> bool:
        return any(load.physical <= physical < load.end for load in self.loads)

    def where(self, address: int) -> str:
        """``symbol+0x12`` for a linear or (before paging) physical address of the image."""
        for load in self.loads:
            if load.physical <= address < load.end:
                return self._spelled(address - load.physical + load.virtual)
            if load.virtual <= address < load.virtual + load.size:
                return self._spelled(address)
        return f"{address:#x}"

    def _spelled(self, address: int) -> str:
        values, names = self._names
        at = bisect_right(values, address) - 1
        if at < 0:
            return f"{address:#x}"
        return f"{names[at]}+{address - values[at]:#x}"


def parse_image(data: bytes) -> LinkedImage:
    """Read the headers of a linked image; an `ElfError` for what no loader would start."""
    check_header(data)
    headers = list(_program_headers(data))
    loads = tuple(
        Load(physical, virtual, memory, _part(data, offset, size, "program header"))
        for kind, offset, virtual, physical, size, memory in headers
        if kind == PT_LOAD and memory
    )
    if not loads:
        raise TruncatedElf("no PT_LOAD segment", "program headers")
    notes = [_part(data, h[1], h[4], "PT_NOTE") for h in headers if h[0] == PT_NOTE]
    notes += [content for kind, content, _ in _sections(data, optional=True) if kind == SHT_NOTE]
    entry = next((e for e in map(_entry_in, notes) if e is not None), None)
    if entry is not None:
        _check_places(loads)
        return LinkedImage(data, loads, entry)
    raise NoPvhEntry(
        "no PVH entry: none of its notes is XEN_ELFNOTE_PHYS32_ENTRY",
        "ELF notes",
        "the image of a tree that has such an entry is wanted",
    )


def _check_places(loads: tuple[Load, ...]) -> None:
    """Only an image with an entry needs places: without one, Xen is linked to no physical address."""
    for load in loads:
        if len(load.content) > load.size or load.end > 1 << 32:
            raise TruncatedElf(
                f"{len(load.content)} bytes at {load.physical:#x} in room for {load.size}",
                "program headers",
            )


def has_pvh_entry(data: bytes) -> bool:
    """Whether a PVH loader would start this; other errors are raised."""
    try:
        parse_image(data)
    except NoPvhEntry:
        return False
    return True


def check_header(data: bytes) -> None:
    """Raises an `ElfError` for what is no linked 64-bit image for x86."""
    if data[:4] != b"\x7fELF":
        raise NotElf("not an ELF file", hint="a linked image (xen-syms) is wanted")
    if len(data) < 64:
        raise TruncatedElf(f"{len(data)} bytes are no ELF header")
    if len(data) > MAX_FILE:
        raise TruncatedElf(f"{len(data)} bytes; at most {MAX_FILE} are read")
    kind, machine = struct.unpack_from("<HH", data, 16)
    if data[4] not in (1, 2) or data[5] != 1 or machine not in (EM_386, EM_X86_64):
        name = EM_NAMES.get(machine, f"machine {machine}")
        raise WrongMachine(
            f"an ELF file for {name}", hint="an image for little-endian x86-64 is wanted"
        )
    if data[4] != 2 or machine != EM_X86_64:
        raise WrongMachine(
            "a 32-bit ELF file has no symbols of a 64-bit hypervisor",
            hint="xen-syms is wanted, not what is made of it for the boot loader",
        )
    if kind != ET_EXEC:
        raise WrongMachine(
            f"ELF file type {kind}", hint="a linked image (type 2, xen-syms) is wanted"
        )


def _part(data: bytes, offset: int, size: int, where: str) -> memoryview:
    if offset + size > len(data):
        raise TruncatedElf(f"ends at {offset + size:#x}, the file at {len(data):#x}", where)
    return memoryview(data)[offset : offset + size]


def _program_headers(data: bytes) -> Iterator[tuple[int, int, int, int, int, int]]:
    (offset,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    if size != 56 or not 0 < count <= MAX_SEGMENTS:
        raise TruncatedElf(f"{count} program headers of {size} bytes", "ELF header")
    table = _part(data, offset, 56 * count, "program headers")
    for kind, _, at, virtual, physical, filled, memory, _ in struct.iter_unpack("<IIQQQQQQ", table):
        yield kind, at, virtual, physical, filled, memory


def _sections(data: bytes, *, optional: bool) -> Iterator[tuple[int, memoryview, int]]:
    """(type, content, link) of every section; with ``optional`` what lies outside is passed over."""
    (offset,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    if not count:
        return
    if size != 64 or count > MAX_SECTIONS:
        raise TruncatedElf(f"{count} section headers of {size} bytes", "ELF header")
    table = _part(data, offset, 64 * count, "section headers")
    for _, kind, _, _, at, length, link, _, _, _ in struct.iter_unpack("<IIQQQQIIQQ", table):
        if kind not in (SHT_SYMTAB, SHT_STRTAB, SHT_NOTE):
            yield kind, memoryview(b""), link
            continue
        yield kind, _part(data, at, length, "section headers"), link


def _entry_in(content: memoryview) -> int | None:
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
            return int.from_bytes(content[value : value + size], "little") & 0xFFFFFFFF
        at = value + (size + 3 & ~3)
    return None


def _symbols(data: bytes) -> Iterator[tuple[int, str]]:
    """(value, name) of functions, objects and labels; none where the table is not usable."""
    try:
        sections = list(_sections(data, optional=True))
    except TruncatedElf:
        return
    for kind, content, link in sections:
        if kind != SHT_SYMTAB or link >= len(sections):
            continue
        strings = bytes(sections[link][1])
        usable = content[: len(content) // 24 * 24][: 24 * MAX_SYMBOLS]
        for name, info, _, section, value, _ in struct.iter_unpack("<IBBHQQ", usable):
            if section and name and info & 15 < 3:
                end = strings.find(b"\0", name)
                if end > name:
                    yield value, strings[name : min(end, name + 256)].decode("utf-8", "replace")
