# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading a relocatable x86-64 object and putting it at an address.

A parser of our own, because the input is hostile and the loop is hot: every offset is checked against
the file before it is used, every count is bounded by the bytes that hold it, and the 5,000 relocations
of a real object (most of them of debug sections) take milliseconds instead of the third of a second
that a general library needs.  The calculations are those of the x86-64 psABI, table 4.10.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from emu.errors import BadRelocation, NotElf, TruncatedElf, WrongMachine

PAGE = 4096
MAX_FILE = 256 << 20
MAX_SECTIONS = 8192
MAX_IMAGE = 32 << 20
"""Everything that is allocated, .bss included: a core is tens of kilobytes."""
MAX_DEBUG = 128 << 20
"""One debug section after decompression."""

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


class Reloc(IntEnum):
    """Relocation types of the psABI that a compiler emits for a hypervisor or a kernel."""

    R_X86_64_NONE = 0
    R_X86_64_64 = 1
    R_X86_64_PC32 = 2
    R_X86_64_PLT32 = 4
    R_X86_64_GOTPCREL = 9
    R_X86_64_32 = 10
    R_X86_64_32S = 11
    R_X86_64_16 = 12
    R_X86_64_PC16 = 13
    R_X86_64_8 = 14
    R_X86_64_PC8 = 15
    R_X86_64_PC64 = 24
    R_X86_64_GOTPCRELX = 41
    R_X86_64_REX_GOTPCRELX = 42


class Perm(IntFlag):
    """What a page allows."""

    READ = 1
    WRITE = 2
    EXEC = 4


@dataclass(frozen=True, slots=True)
class _Rule:
    size: int
    signed: bool | None
    """None: any value of that width, as for 64-bit fields."""
    pc_relative: bool = False
    got: bool = False


_RULES = {
    Reloc.R_X86_64_64: _Rule(8, None),
    Reloc.R_X86_64_PC64: _Rule(8, None, pc_relative=True),
    Reloc.R_X86_64_PC32: _Rule(4, True, pc_relative=True),
    Reloc.R_X86_64_PLT32: _Rule(4, True, pc_relative=True),
    Reloc.R_X86_64_GOTPCREL: _Rule(4, True, pc_relative=True, got=True),
    Reloc.R_X86_64_GOTPCRELX: _Rule(4, True, pc_relative=True, got=True),
    Reloc.R_X86_64_REX_GOTPCRELX: _Rule(4, True, pc_relative=True, got=True),
    Reloc.R_X86_64_32: _Rule(4, False),
    Reloc.R_X86_64_32S: _Rule(4, True),
    Reloc.R_X86_64_16: _Rule(2, False),
    Reloc.R_X86_64_PC16: _Rule(2, True, pc_relative=True),
    Reloc.R_X86_64_8: _Rule(1, False),
    Reloc.R_X86_64_PC8: _Rule(1, True, pc_relative=True),
}


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


@dataclass(frozen=True, slots=True)
class Segment:
    """Sections of equal permissions, on pages of their own."""

    name: str
    address: int
    perm: Perm
    data: bytearray


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the object at its place."""

    name: str
    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Image:
    """The object at its place, every relocation applied."""

    elf: Elf
    segments: tuple[Segment, ...]
    addresses: dict[int, int]
    """Section index to address."""
    values: tuple[int, ...]
    """Value of each symbol, by its index."""
    symbols: dict[str, int]
    functions: tuple[Function, ...]
    """By address."""
    relocations: dict[str, int] = field(default_factory=dict)
    """How many of each type were applied."""

    @property
    def base(self) -> int:
        return self.segments[0].address if self.segments else 0

    @property
    def end(self) -> int:
        last = self.segments[-1] if self.segments else None
        return last.address + len(last.data) if last else 0

    def bytes_at(self, address: int, size: int) -> bytes:
        """``size`` bytes of the image; fewer where it ends."""
        for segment in self.segments:
            offset = address - segment.address
            if 0 <= offset < len(segment.data):
                return bytes(segment.data[offset : offset + size])
        return b""

    def section(self, name: str) -> tuple[int, int] | None:
        """Address and size of a section of the image."""
        section = self.elf.section(name)
        if section is None or section.index not in self.addresses:
            return None
        return self.addresses[section.index], section.size

    def function_at(self, address: int) -> Function | None:
        """The function that holds ``address``."""
        for function in self.functions:
            if function.address <= address < function.address + max(function.size, 1):
                return function
        return None

    def where(self, address: int) -> str:
        """``function+0x12``, or the bare address outside of every function."""
        function = self.function_at(address)
        return f"{function.name}+{address - function.address:#x}" if function else f"{address:#x}"


def place(elf: Elf, base: int, resolve: Callable[[str], int]) -> Image:
    """Put the object at ``base`` (page-aligned), asking ``resolve`` for undefined names."""
    segments, addresses, commons = _arrange(elf, base)
    values = []
    for index, symbol in enumerate(elf.symbols):
        if symbol.section == SHN_UNDEF:
            values.append(resolve(symbol.name) if symbol.name else 0)
        elif symbol.section == SHN_COMMON:
            values.append(commons[index])
        elif symbol.section < SHN_LORESERVE:
            values.append(addresses.get(symbol.section, 0) + symbol.value)
        else:
            values.append(symbol.value)
    got = _Got(segments)
    counts: dict[str, int] = {}
    for section in elf.sections:
        if section.index in addresses:
            _relocate_section(elf, section, addresses[section.index], segments, values, got, counts)
    named = {
        s.name: v
        for s, v in zip(elf.symbols, values, strict=True)
        if s.name and s.section != SHN_UNDEF
    }
    functions = sorted(
        (
            Function(s.name, v, s.size)
            for s, v in zip(elf.symbols, values, strict=True)
            if s.kind == STT_FUNC and s.section in addresses
        ),
        key=lambda f: (f.address, f.name),
    )
    return Image(elf, tuple(segments), addresses, tuple(values), named, tuple(functions), counts)


def _arrange(elf: Elf, base: int) -> tuple[list[Segment], dict[int, int], dict[int, int]]:
    """Sections sorted into text, read-only and writable pages; commons and a GOT behind them."""
    total = sum(s.size + s.align for s in elf.sections if s.allocated)
    total += sum(s.size + 16 for s in elf.symbols if s.section == SHN_COMMON)
    if total > MAX_IMAGE:
        raise TruncatedElf(f"{total} bytes to be loaded; at most {MAX_IMAGE} are")
    addresses: dict[int, int] = {}
    commons: dict[int, int] = {}
    segments: list[Segment] = []
    at = base
    kinds = (
        ("text", Perm.READ | Perm.EXEC),
        ("rodata", Perm.READ),
        ("data", Perm.READ | Perm.WRITE),
    )
    for name, perm in kinds:
        start = at
        content = bytearray()
        for section in elf.sections:
            if not section.allocated or _class(section) != perm:
                continue
            at = (at + section.align - 1) & -section.align
            content.extend(bytes(at - start - len(content)))
            addresses[section.index] = at
            content.extend(section.data if section.type != SHT_NOBITS else bytes(section.size))
            at = start + len(content)
        if perm == Perm.READ | Perm.WRITE:
            for index, symbol in enumerate(elf.symbols):
                if symbol.section == SHN_COMMON:
                    at = (at + 15) & -16
                    commons[index] = at
                    at += symbol.size
        if name == "rodata":
            at = ((at + 7) & -8) + 8 * _got_slots(elf)
        content.extend(bytes(at - start - len(content)))
        at = (at + PAGE - 1) & -PAGE
        content.extend(bytes(at - start - len(content)))
        if content:
            segments.append(Segment(name, start, perm, content))
    return segments, addresses, commons


def _class(section: Section) -> Perm:
    if section.flags & SHF_WRITE:
        return Perm.READ | Perm.WRITE
    return section.perm


def _got_slots(elf: Elf) -> int:
    wanted = {
        index
        for section in elf.sections
        if section.allocated
        for _, kind, index, _ in elf.relocations(section)
        if kind in _RULES and _RULES[Reloc(kind)].got
    }
    return len(wanted)


class _Got:
    """Slots handed out from the end of the read-only pages, one a symbol."""

    def __init__(self, segments: list[Segment]) -> None:
        self._home = next((s for s in segments if s.name == "rodata"), None)
        self._slots: dict[int, int] = {}

    def slot(self, symbol: int, value: int) -> int:
        if self._home is None:
            raise BadRelocation("no room for a global offset table")
        if symbol not in self._slots:
            offset = len(self._home.data) - 8 * (len(self._slots) + 1)
            self._home.data[offset : offset + 8] = (value & (1 << 64) - 1).to_bytes(8, "little")
            self._slots[symbol] = self._home.address + offset
        return self._slots[symbol]


def _relocate_section(
    elf: Elf,
    section: Section,
    address: int,
    segments: list[Segment],
    values: list[int],
    got: _Got,
    counts: dict[str, int],
) -> None:
    segment = next(s for s in segments if s.address <= address < s.address + len(s.data))
    for offset, kind, index, addend in elf.relocations(section):
        if kind == Reloc.R_X86_64_NONE:
            continue
        symbol = elf.symbols[index]
        value = values[index]
        where = f"{section.name}+{offset:#x}"
        try:
            reloc = Reloc(kind)
        except ValueError:
            raise BadRelocation(
                f"relocation type {kind} against {symbol.name or 'a section'} is not known",
                where,
                "thread-local storage and dynamic relocations have no place in a core",
            ) from None
        rule = _RULES[reloc]
        if rule.got:
            value = got.slot(index, value)
        result = value + addend - (address + offset if rule.pc_relative else 0)
        if offset + rule.size > section.size:
            raise TruncatedElf("relocation out of its section", where)
        if section.type == SHT_NOBITS:
            raise TruncatedElf("relocation of a section without bytes", where)
        _check_range(reloc, rule, result, symbol, where)
        start = address + offset - segment.address
        masked = result & (1 << 8 * rule.size) - 1
        segment.data[start : start + rule.size] = masked.to_bytes(rule.size, "little")
        counts[reloc.name] = counts.get(reloc.name, 0) + 1


def _check_range(reloc: Reloc, rule: _Rule, value: int, symbol: Symbol, where: str) -> None:
    if rule.signed is None:
        return
    bits = 8 * rule.size
    value &= (1 << 64) - 1  # addresses wrap: the kernel's lie in the last 2 GiB
    if rule.signed and value >> 63:
        value -= 1 << 64
    low, high = (-(1 << bits - 1), 1 << bits - 1) if rule.signed else (0, 1 << bits)
    if not low <= value < high:
        raise BadRelocation(
            f"{reloc.name} against {symbol.name or 'a section'} overflows: {value:#x}", where
        )


def debug_section(image: Image, name: str) -> bytes | None:
    """A debug section with its relocations applied, inflated where it is compressed."""
    section = image.elf.section(name)
    if section is None or section.type == SHT_NOBITS:
        return None
    content = bytearray(_inflate(section) if section.flags & SHF_COMPRESSED else section.data)
    size = len(content)
    values = image.values
    for offset, kind, index, addend in image.elf.relocations(section):
        width = 4 if kind in (Reloc.R_X86_64_32, Reloc.R_X86_64_32S, Reloc.R_X86_64_PC32) else 8
        if offset + width > size:
            raise TruncatedElf("relocation out of its section", f"{name}+{offset:#x}")
        value = (values[index] + addend) & (1 << 8 * width) - 1
        content[offset : offset + width] = value.to_bytes(width, "little")
    return bytes(content)


def _inflate(section: Section) -> bytes:
    if section.size < 24:
        raise TruncatedElf("no compression header", section.name)
    kind, _, size = struct.unpack_from("<IIQ", section.data)
    if kind != 1 or size > MAX_DEBUG:
        raise TruncatedElf(f"compression type {kind}, {size} bytes", section.name)
    try:
        content = zlib.decompressobj().decompress(bytes(section.data[24:]), size)
    except zlib.error as exc:
        raise TruncatedElf(f"does not inflate: {exc}", section.name) from exc
    if len(content) != size:
        raise TruncatedElf(f"inflates to {len(content)} bytes, not {size}", section.name)
    return content
