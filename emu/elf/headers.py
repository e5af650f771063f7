# SPDX-License-Identifier: GPL-2.0-or-later
"""The one reader of ELF headers, for objects and for images (gABI: Elf64_Ehdr, _Phdr, _Shdr, _Sym).

A parser of our own, because the input is hostile and the loop is hot: every offset is checked against
the file before it is used, every count is bounded by the bytes that hold it, and the 5,000 relocations
of a real object (most of them of debug sections) take milliseconds instead of the third of a second
that a general library needs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntFlag
from typing import NamedTuple, cast

from emu.errors import NotElf, TruncatedElf, WrongMachine
from emu.spaces import LinkAddr, PhysAddr

PAGE = 4096
MAX_FILE = 256 << 20
MAX_SECTIONS = 8192
MAX_SEGMENTS = 64
MAX_NAME = 4096

CLASS32, CLASS64, LITTLE_ENDIAN = 1, 2, 1
ET_REL, ET_EXEC = 1, 2
EM_386, EM_X86_64 = 3, 62
EM_NAMES = {
    EM_386: "Intel 80386",
    8: "MIPS",
    20: "PowerPC",
    40: "ARM",
    EM_X86_64: "x86-64",
    183: "AArch64",
    243: "RISC-V",
}
PT_LOAD, PT_NOTE = 1, 4
SHT_NULL, SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_RELA = 0, 1, 2, 3, 4
SHT_NOTE, SHT_NOBITS, SHT_REL = 7, 8, 9
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR, SHF_COMPRESSED = 1, 2, 4, 0x800
SHN_UNDEF, SHN_LORESERVE, SHN_COMMON = 0, 0xFF00, 0xFFF2
STT_FUNC, STT_SECTION = 2, 3

_HEADER = struct.Struct("<4sBB10sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
HEADER_SIZE, SEGMENT_SIZE, SECTION_SIZE, SYMBOL_SIZE = (
    form.size for form in (_HEADER, _SEGMENT, _SECTION, _SYMBOL)
)
SEGMENTS_AT, SECTIONS_AT = 32, 40
"""Where the file header has the offsets of the other headers."""
OFFSET_IN_SEGMENT, OFFSET_IN_SECTION, SIZE_IN_SECTION = 8, 24, 32
"""Where a segment's and a section's header have these."""


class Perm(IntFlag):
    """What a page allows."""

    READ = 1
    WRITE = 2
    EXEC = 4


class FileHeader(NamedTuple):
    """The file header."""

    magic: bytes
    width: int
    order: int
    rest: bytes
    type: int
    machine: int
    version: int
    entry: int
    segments_at: int
    sections_at: int
    flags: int
    size: int
    segment_size: int
    segments: int
    section_size: int
    sections: int
    names: int


class SegmentHeader(NamedTuple):
    """One program header."""

    type: int
    flags: int
    offset: int
    virtual: LinkAddr
    physical: PhysAddr
    filled: int
    memory: int
    align: int

    def content(self, data: bytes, where: str) -> memoryview:
        """The bytes that the file has of it; raises TruncatedElf where they are not in the file."""
        return part(data, self.offset, self.filled, where)


class SectionHeader(NamedTuple):
    """One section header; ``name`` is an offset in the table of names."""

    name: int
    type: int
    flags: int
    address: LinkAddr
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry_size: int

    def content(self, data: bytes, where: str) -> memoryview:
        """Its bytes, none where the file has none; raises TruncatedElf where they are not in the file."""
        if self.type in (SHT_NULL, SHT_NOBITS):
            return memoryview(b"")
        return part(data, self.offset, self.size, where)


_OTHERS = {
    b"MZ": "a PE (EFI) program",
    b"\x1f\x8b": "compressed by gzip",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ\0": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"\x02\x21\x4c\x18": "compressed by lz4",
    b"!<arch>\n": "an archive",
}
"""What else a build makes of a hypervisor, by how it begins."""


def part(data: bytes, offset: int, size: int, where: str) -> memoryview:
    """``size`` bytes of the file; raises TruncatedElf, which names ``where``, unless it has them all."""
    if offset + size > len(data):
        raise TruncatedElf(f"ends at {offset + size:#x}, the file at {len(data):#x}", where)
    return memoryview(data)[offset : offset + size]


def file_header(data: bytes, wanted: str) -> FileHeader:
    """The header of a little-endian ELF file for x86; ``wanted`` ends the hint of each error.

    Fields of a 32-bit file's header that lie elsewhere are not to be used.
    """
    if data[:4] != b"\x7fELF":
        kind = next((f"{name}, " for magic, name in _OTHERS.items() if data.startswith(magic)), "")
        raise NotElf(f"{kind}not an ELF file", hint=f"{wanted} is needed")
    if len(data) < HEADER_SIZE:
        raise TruncatedElf(f"{len(data)} bytes are too few for an ELF header")
    if len(data) > MAX_FILE:
        raise TruncatedElf(f"{len(data)} bytes; at most {MAX_FILE} are read")
    header = FileHeader._make(_HEADER.unpack_from(data))
    known = header.width in (CLASS32, CLASS64) and header.machine in (EM_386, EM_X86_64)
    if header.order != LITTLE_ENDIAN or not known:
        raise wrong_machine(header, wanted)
    return header


def wrong_machine(header: FileHeader, wanted: str) -> WrongMachine:
    """For a file of another machine, class or byte order."""
    bits = {1: "32-bit", 2: "64-bit"}.get(header.width, f"class {header.width}")
    order = {1: "little-endian", 2: "big-endian"}.get(header.order, f"byte order {header.order}")
    name = EM_NAMES.get(header.machine, f"machine {header.machine}")
    return WrongMachine(f"an ELF file for {name}, {bits}, {order}", hint=f"{wanted} is needed")


def segment_headers(data: bytes, header: FileHeader) -> tuple[SegmentHeader, ...]:
    """The program headers; at least one."""
    if header.segment_size != SEGMENT_SIZE or not 0 < header.segments <= MAX_SEGMENTS:
        raise TruncatedElf(
            f"{header.segments} program headers of {header.segment_size} bytes", "ELF header"
        )
    table = part(data, header.segments_at, SEGMENT_SIZE * header.segments, "program headers")
    return tuple(map(SegmentHeader._make, _SEGMENT.iter_unpack(table)))


def section_headers(data: bytes, header: FileHeader) -> tuple[SectionHeader, ...]:
    """The section headers; a file may have none."""
    if not header.sections:
        return ()
    if header.section_size != SECTION_SIZE or header.sections > MAX_SECTIONS:
        raise TruncatedElf(
            f"{header.sections} section headers of {header.section_size} bytes", "ELF header"
        )
    table = part(data, header.sections_at, SECTION_SIZE * header.sections, "section headers")
    return tuple(map(SectionHeader._make, _SECTION.iter_unpack(table)))


def symbol_entries(table: memoryview) -> Iterator[tuple[int, int, int, int, int, int]]:
    """(name, info, other, section, value, size) of each symbol; ``name`` is an offset in the table of names.

    The size of the table must be a multiple of an entry's.
    """
    return cast("Iterator[tuple[int, int, int, int, int, int]]", _SYMBOL.iter_unpack(table))


def string_at(table: bytes, offset: int) -> str:
    """A name in a table of names; raises TruncatedElf where none ends there."""
    end = table.find(b"\0", offset)
    if offset > len(table) or end < 0 or end - offset > MAX_NAME:
        if offset == 0 and not table:
            return ""
        raise TruncatedElf(f"name at {offset:#x} has no end", "string table")
    return table[offset:end].decode("utf-8", "backslashreplace")
