# SPDX-License-Identifier: GPL-2.0-or-later
"""A relocatable object: sections, symbols, relocation entries."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from emu.elf.headers import (
    CLASS64,
    EM_X86_64,
    ET_REL,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    SHN_LORESERVE,
    SHN_UNDEF,
    SHT_NULL,
    SHT_REL,
    SHT_RELA,
    SHT_SYMTAB,
    SYMBOL_SIZE,
    Perm,
    file_header,
    section_headers,
    string_at,
    symbol_entries,
    wrong_machine,
)
from emu.errors import BadRelocation, TruncatedElf, WrongMachine

MAX_ALIGN = 1 << 20
WANTED = "an object file (.o) for x86-64"


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
                raise TruncatedElf("size is not a multiple of a relocation's", section.name)
            for offset, info, addend in struct.iter_unpack("<QQq", section.data):
                if info >> 32 >= len(self.symbols):
                    raise TruncatedElf(
                        f"relocation of symbol {info >> 32}, which is not there", section.name
                    )
                yield offset, info & 0xFFFFFFFF, info >> 32, addend


def parse_elf(data: bytes) -> Elf:
    """Read the headers, sections and symbols of ``data``; cost linear in their number."""
    header = file_header(data, WANTED)
    if header.width != CLASS64 or header.machine != EM_X86_64:
        raise wrong_machine(header, WANTED)
    if header.type != ET_REL:
        raise WrongMachine(f"ELF file type {header.type}", hint=f"{WANTED} is needed")
    headers = section_headers(data, header)
    if header.names >= len(headers):
        raise TruncatedElf(
            f"{len(headers)} section headers, the names in number {header.names}", "ELF header"
        )
    names = bytes(headers[header.names].content(data, f"section {header.names}"))
    sections = []
    for index, each in enumerate(headers):
        title = string_at(names, each.name)
        if each.align & (each.align - 1) or each.align > MAX_ALIGN:
            raise TruncatedElf(f"alignment {each.align:#x}", f"section {title}")
        sections.append(
            Section(
                index,
                title,
                each.type,
                each.flags,
                0 if each.type == SHT_NULL else each.size,
                each.link,
                each.info,
                max(each.align, 1),
                each.content(data, f"section {index}"),
            )
        )
    return Elf(tuple(sections), _symbols(sections))


def _symbols(sections: list[Section]) -> tuple[Symbol, ...]:
    table = next((s for s in sections if s.type == SHT_SYMTAB), None)
    if table is None:
        raise TruncatedElf("no symbol table", hint="a stripped object cannot be emulated")
    if table.size % SYMBOL_SIZE or table.link >= len(sections):
        raise TruncatedElf("malformed symbol table", table.name)
    names = bytes(sections[table.link].data)
    found = []
    for name, info, _, section, value, size in symbol_entries(table.data):
        if SHN_UNDEF < section < SHN_LORESERVE and section >= len(sections):
            raise TruncatedElf(f"symbol in section {section}, which is not there", table.name)
        title = string_at(names, name) if name else ""
        found.append(Symbol(title, info & 15, section, value, size))
    return tuple(found)
