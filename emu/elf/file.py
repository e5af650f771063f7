# SPDX-License-Identifier: GPL-2.0-or-later
"""The file itself: headers, sections, symbols, relocation entries.

A parser of our own, because the input is hostile and the loop is hot: every offset is checked against
the file before it is used, every count is bounded by the bytes that hold it, and the 5,000 relocations
of a real object (most of them of debug sections) take milliseconds instead of the third of a second
that a general library needs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag

from emu.errors import BadRelocation, NotElf, TruncatedElf, WrongMachine

PAGE = 4096
MAX_FILE = 256 << 20
MAX_SECTIONS = 8192

SHT_NULL, SHT_SYMTAB, SHT_RELA, SHT_NOBITS, SHT_REL = 0, 2, 4, 8, 9
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR, SHF_COMPRESSED = 1, 2, 4, 0x800
SHN_UNDEF, SHN_LORESERVE, SHN_ABS, SHN_COMMON = 0, 0xFF00, 0xFFF1, 0xFFF2
STT_OBJECT, STT_FUNC, STT_SECTION = 1, 2, 3
EM_NAMES = {
    3: "Intel 80386",
    8: "MIPS",
    20: "PowerPC",
    40: "ARM",
    62: "x86-64",
    183: "AArch64",
    243: "RISC-V",
}


class Perm(IntFlag):
    """What a page allows."""

    READ = 1
    WRITE = 2
    EXEC = 4


@dataclass(frozen=True, slots=True)
class Section:
    """One section header with its bytes (none for SHT_NOBITS)."""

    index: int
    name: str
    type: int
    flags: int
    size: int
    link: int
    info: int
    align: int
    data: memoryview

    @property
    def allocated(self) -> bool:
        return bool(self.flags & SHF_ALLOC) and self.size > 0

    @property
    def perm(self) -> Perm:
        perm = Perm.READ
        if self.flags & SHF_WRITE:
            perm |= Perm.WRITE
        if self.flags & SHF_EXECINSTR:
            perm |= Perm.EXEC
        return perm


@dataclass(frozen=True, slots=True)
class Symbol:
    """One entry of the symbol table; ``section`` is an index or an SHN_* constant."""

    name: str
    kind: int
    section: int
    value: int
    size: int


@dataclass(frozen=True, slots=True)
class Elf:
    """A relocatable object, parsed but not placed."""

    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]

    def section(self, name: str) -> Section | None:
        return next((s for s in self.sections if s.name == name), None)

    def undefined(self) -> tuple[str, ...]:
        """Names that the object needs from elsewhere, in the order of its symbol table."""
        names = (s.name for s in self.symbols if s.section == SHN_UNDEF and s.name)
        return tuple(dict.fromkeys(names))

    def defines(self, name: str) -> bool:
        return any(s.name == name and s.section != SHN_UNDEF for s in self.symbols)

    def relocations(self, target: Section) -> Iterator[tuple[int, int, int, int]]:
        """(offset, type, symbol index, addend) for each relocation of ``target``."""
        for section in self.sections:
            if section.info != target.index or section.type not in (SHT_RELA, SHT_REL):
                continue
            if section.type == SHT_REL:
                raise BadRelocation(
                    "SHT_REL relocations; the psABI has only SHT_RELA", section.name
                )
            if section.size % 24:
                raise TruncatedElf("size is no multiple of a relocation's", section.name)
            for offset, info, addend in struct.iter_unpack("<QQq", section.data):
                if info >> 32 >= len(self.symbols):
                    raise TruncatedElf(
                        f"relocation of symbol {info >> 32}, which is not there", section.name
                    )
                yield offset, info & 0xFFFFFFFF, info >> 32, addend


def parse_elf(data: bytes) -> Elf:
    """Read the headers, sections and symbols of ``data``; cost linear in their number."""
    _check_header(data)
    shoff = int.from_bytes(data[40:48], "little")
    shentsize, shnum, shstrndx = struct.unpack_from("<HHH", data, 58)
    if shentsize != 64 or not 0 < shnum <= MAX_SECTIONS or shstrndx >= shnum:
        raise TruncatedElf(f"{shnum} section headers of {shentsize} bytes", "ELF header")
    if shoff + shnum * 64 > len(data):
        raise TruncatedElf(
            f"section headers end at {shoff + shnum * 64:#x}, the file at {len(data):#x}",
            "ELF header",
        )
    raw = list(struct.iter_unpack("<IIQQQQIIQQ", data[shoff : shoff + shnum * 64]))
    view = memoryview(data)

    def content(index: int) -> memoryview:
        _, kind, _, _, offset, size, *_ = raw[index]
        if kind in (SHT_NULL, SHT_NOBITS):
            return view[:0]
        if offset + size > len(data):
            raise TruncatedElf(
                f"ends at {offset + size:#x}, the file at {len(data):#x}", f"section {index}"
            )
        return view[offset : offset + size]

    names = bytes(content(shstrndx))
    sections = []
    for index, (name, kind, flags, _, _, size, link, info, align, _) in enumerate(raw):
        title = _string(names, name)
        if align & (align - 1) or align > 1 << 20:
            raise TruncatedElf(f"alignment {align:#x}", f"section {title}")
        size = 0 if kind == SHT_NULL else size
        sections.append(
            Section(index, title, kind, flags, size, link, info, max(align, 1), content(index))
        )
    return Elf(tuple(sections), _symbols(sections))


def _check_header(data: bytes) -> None:
    if data[:4] != b"\x7fELF":
        raise NotElf("not an ELF file", hint="an object file (.o) is wanted")
    if len(data) < 64:
        raise TruncatedElf(f"{len(data)} bytes are no ELF header")
    if len(data) > MAX_FILE:
        raise TruncatedElf(f"{len(data)} bytes; at most {MAX_FILE} are read")
    kind, machine = struct.unpack_from("<HH", data, 16)
    if data[4] != 2 or data[5] != 1 or machine != 62:
        bits = {1: "32-bit", 2: "64-bit"}.get(data[4], f"class {data[4]}")
        order = {1: "little-endian", 2: "big-endian"}.get(data[5], f"byte order {data[5]}")
        name = EM_NAMES.get(machine, f"machine {machine}")
        raise WrongMachine(
            f"an ELF file for {name}, {bits}, {order}", hint="64-bit little-endian x86-64 is wanted"
        )
    if kind != 1:
        raise WrongMachine(
            f"ELF file type {kind}", hint="a relocatable object (type 1, .o) is wanted"
        )


def _string(table: bytes, offset: int) -> str:
    end = table.find(b"\0", offset)
    if offset > len(table) or end < 0 or end - offset > 4096:
        if offset == 0 and not table:
            return ""
        raise TruncatedElf(f"name at {offset:#x} has no end", "string table")
    return table[offset:end].decode("utf-8", "backslashreplace")


def _symbols(sections: list[Section]) -> tuple[Symbol, ...]:
    table = next((s for s in sections if s.type == SHT_SYMTAB), None)
    if table is None:
        raise TruncatedElf("no symbol table", hint="a stripped object cannot be emulated")
    if table.size % 24 or table.link >= len(sections):
        raise TruncatedElf("malformed symbol table", table.name)
    names = bytes(sections[table.link].data)
    found = []
    for name, info, _, section, value, size in struct.iter_unpack("<IBBHQQ", table.data):
        if SHN_UNDEF < section < SHN_LORESERVE and section >= len(sections):
            raise TruncatedElf(f"symbol in section {section}, which is not there", table.name)
        found.append(Symbol(_string(names, name) if name else "", info & 15, section, value, size))
    return tuple(found)
