# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading and placing objects: what is refused, and each relocation against the psABI's table 4.10."""

from __future__ import annotations

import struct

import pytest

from emu.elf import Elf, Image, Perm, debug_section, parse_elf, place
from emu.errors import BadRelocation, ElfError, NotElf, TruncatedElf, WrongMachine
from emu.spaces import NOWHERE, LinearAddr
from tests.emu.build import assemble, compile_source

BASE = LinearAddr(0xFFFF82D080200000)
LOW = LinearAddr(0x00400000)
HIGH = LinearAddr(0xFFFFFFFF80200000)
EXTERN = 0x1234
SMALL = LinearAddr(0x42)


def placed(source: str, base: LinearAddr = BASE, *, extern: int = EXTERN) -> Image:
    return place(parse_elf(assemble(source)), base, lambda name: base + extern)


def at(image: Image, name: str, size: int) -> int:
    return int.from_bytes(image.bytes_at(image.symbols[name], size), "little")


def patched(offset: int, content: bytes) -> bytes:
    data = bytearray(assemble("nop"))
    data[offset : offset + len(content)] = content
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", NotElf, "not an ELF file"),
        (b"#!/bin/sh\n", NotElf, "not an ELF file"),
        (b"MZ\x90\0" + bytes(60), NotElf, r"a PE \(EFI\) program, not an ELF file"),
        (b"\x1f\x8b\x08\0", NotElf, "compressed by gzip, not an ELF file"),
        (b"\x7fELF\x02\x01", TruncatedElf, "too few for an ELF header"),
        (patched(18, struct.pack("<H", 40)), WrongMachine, "ARM"),
        (patched(18, struct.pack("<H", 4711)), WrongMachine, "machine 4711"),
        (patched(4, b"\x01"), WrongMachine, "32-bit"),
        (patched(5, b"\x02"), WrongMachine, "big-endian"),
        (patched(16, struct.pack("<H", 2)), WrongMachine, "type 2"),
        (patched(40, struct.pack("<Q", 1 << 40)), TruncatedElf, "section headers: ends"),
        (patched(60, struct.pack("<H", 0)), TruncatedElf, "0 section headers"),
        (patched(62, struct.pack("<H", 0xFFFF)), TruncatedElf, "section headers"),
    ],
)
def test_refused(data: bytes, error: type[ElfError], words: str) -> None:
    with pytest.raises(error, match=words):
        parse_elf(data)


def _sections(elf: bytes) -> list[int]:
    """Place of each section header."""
    (at,), (count,) = struct.unpack_from("<Q", elf, 40), struct.unpack_from("<H", elf, 60)
    return list(range(at, at + 64 * count, 64))


@pytest.mark.parametrize("over", [1, 1 << 40, (1 << 64) - 1])
def test_a_section_that_ends_behind_the_file_is_refused(over: int) -> None:
    """Each by itself, by as little as one byte, and though its offset alone is in order."""
    whole = assemble(".data\nhere: .quad there + 5\n")
    checked = 0
    for number, at in enumerate(_sections(whole)):
        kind, offset, size = (*struct.unpack_from("<I", whole, at + 4), *_place(whole, at))
        if kind in (0, 8):  # SHT_NULL and SHT_NOBITS have no bytes
            continue
        changed = bytearray(whole)
        struct.pack_into("<Q", changed, at + 32, min(len(whole) - offset + over, (1 << 64) - 1))
        with pytest.raises(TruncatedElf, match=rf"^section {number}: ends at 0x"):
            parse_elf(bytes(changed))
        changed = bytearray(whole)
        struct.pack_into("<Q", changed, at + 24, min(len(whole) - size + over, (1 << 64) - 1))
        with pytest.raises(TruncatedElf, match=rf"^section {number}: ends at 0x"):
            parse_elf(bytes(changed))
        checked += 1
    assert checked >= 5


def _place(elf: bytes, at: int) -> tuple[int, int]:
    """Offset and size of a section."""
    offset, size = struct.unpack_from("<QQ", elf, at + 24)
    return offset, size


def test_a_section_that_ends_with_the_file_is_read() -> None:
    whole = assemble("here: nop")
    text = _sections(whole)[1]
    changed = bytearray(whole + b"\x90" * 8)
    struct.pack_into("<QQ", changed, text + 24, len(whole), 8)
    assert bytes(parse_elf(bytes(changed)).sections[1].data) == b"\x90" * 8


def test_32_bit_object_is_refused() -> None:
    with pytest.raises(WrongMachine, match="Intel 80386"):
        parse_elf(compile_source("nop", ".s", ("-Wa,--32",)))


def test_stripped_object_is_refused() -> None:
    with pytest.raises(TruncatedElf, match="no symbol table"):
        parse_elf(assemble("nop"))


def test_enormous_bss_is_refused() -> None:
    elf = parse_elf(assemble(".bss\nhere: .skip 0x40000000\n"))
    with pytest.raises(TruncatedElf, match="at most"):
        place(elf, BASE, lambda name: NOWHERE)


# psABI table 4.10; S is the symbol's value, A the addend, P the place, G + GOT the symbol's slot.


def test_r_x86_64_64() -> None:
    """S + A"""
    image = placed(".data\nhere: .quad there + 5\n")
    assert at(image, "here", 8) == BASE + EXTERN + 5


def test_r_x86_64_pc32() -> None:
    """S + A - P"""
    image = placed(".data\nhere: .long there - . + 7\n")
    assert image.symbols["here"] + at(image, "here", 4) == BASE + EXTERN + 7
    assert image.relocations == {"R_X86_64_PC32": 1}


def test_r_x86_64_plt32() -> None:
    """L + A - P, where L is the function itself in a static link"""
    image = placed(".text\nhere: call there\n")
    target = (
        image.symbols["here"]
        + 5
        + int.from_bytes(image.bytes_at(image.symbols["here"] + 1, 4), "little")
    )
    assert target == BASE + EXTERN
    assert image.relocations == {"R_X86_64_PLT32": 1}


def test_r_x86_64_32() -> None:
    """S + A, zero-extended"""
    assert at(placed(".data\nhere: .long there + 1\n", LOW), "here", 4) == LOW + EXTERN + 1


def test_r_x86_64_32s() -> None:
    """S + A, sign-extended"""
    image = placed(".text\nhere: mov there, %rax\n", HIGH)
    assert image.relocations == {"R_X86_64_32S": 1}
    content = image.bytes_at(image.symbols["here"], 8)
    assert int.from_bytes(content[-4:], "little", signed=True) & (1 << 64) - 1 == HIGH + EXTERN


def test_r_x86_64_pc64() -> None:
    """S + A - P in 64 bits"""
    image = placed(".data\nhere: .quad there - .\n", extern=0x1_0000_0000)
    assert image.symbols["here"] + at(image, "here", 8) == BASE + 0x1_0000_0000


@pytest.mark.parametrize(("size", "directive"), [(2, ".word"), (1, ".byte")])
def test_small_absolute(size: int, directive: str) -> None:
    """R_X86_64_16 and R_X86_64_8: S + A"""
    image = place(
        parse_elf(assemble(f".data\nhere: {directive} there\n")), LOW, lambda name: LinearAddr(0x42)
    )
    assert at(image, "here", size) == 0x42


@pytest.mark.parametrize(
    ("instruction", "relocation"),
    [
        (".long there@GOTPCREL", "R_X86_64_GOTPCREL"),
        ("call *there@GOTPCREL(%rip)", "R_X86_64_GOTPCRELX"),
        ("mov there@GOTPCREL(%rip), %rax", "R_X86_64_REX_GOTPCRELX"),
    ],
)
def test_r_x86_64_gotpcrel(instruction: str, relocation: str) -> None:
    """G + GOT + A - P: the field points at a slot that holds the symbol's address"""
    image = placed(f".text\nhere: {instruction}\nend:\n.section .rodata\n.quad 0\n")
    assert image.relocations == {relocation: 1}
    field = image.symbols["end"] - 4
    displacement = int.from_bytes(image.bytes_at(field, 4), "little", signed=True)
    addend = 0 if relocation == "R_X86_64_GOTPCREL" else 4
    slot = field + displacement + addend
    assert int.from_bytes(image.bytes_at(slot, 8), "little") == BASE + EXTERN


def test_got_without_read_only_data() -> None:
    image = placed(".text\nhere: mov there@GOTPCREL(%rip), %rax\nmov there@GOTPCREL(%rip), %rbx\n")
    assert image.relocations == {"R_X86_64_REX_GOTPCRELX": 2}


@pytest.mark.parametrize(
    ("source", "base", "words"),
    [
        (".data\n.long there\n", BASE, "R_X86_64_32 against there overflows"),
        (".text\nmov there, %rax\n", BASE, "R_X86_64_32S against there overflows"),
        (".data\n.byte there\n", LOW, "R_X86_64_8 against there overflows"),
        (
            ".text\nmov %fs:there@TPOFF, %rax\n",
            BASE,
            "relocation type 23 against there is not known",
        ),
    ],
)
def test_relocation_refused(source: str, base: LinearAddr, words: str) -> None:
    with pytest.raises(BadRelocation, match=words) as caught:
        placed(source, base)
    assert "+0x" in caught.value.where


def test_relative_overflow_is_refused() -> None:
    with pytest.raises(BadRelocation, match="R_X86_64_PLT32 against there overflows"):
        placed(".text\ncall there\n", extern=1 << 40)


def _with_relocation(offset: int, symbol: int) -> bytes:
    """An object whose only relocation is rewritten."""
    data = bytearray(assemble(".data\n.quad there\n"))
    section = next(s for s in parse_elf(bytes(data)).sections if s.name == ".rela.data")
    header = int.from_bytes(data[40:48], "little") + 64 * section.index
    start = int.from_bytes(data[header + 24 : header + 32], "little")
    data[start : start + 16] = struct.pack("<QQ", offset, symbol << 32 | 1)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (_with_relocation(1 << 60, 1), "out of its section"),
        (_with_relocation(4, 1), "out of its section"),
        (_with_relocation(0, 4711), "symbol 4711"),
    ],
)
def test_hostile_relocation(data: bytes, words: str) -> None:
    with pytest.raises(TruncatedElf, match=words):
        place(parse_elf(data), BASE, lambda name: NOWHERE)


def test_pages_by_permission() -> None:
    source = ".text\ncode: nop\n.section .rodata\nconst: .quad 1\n.data\nvar: .quad 2\n.bss\nzero: .skip 64\n"
    image = placed(source)
    perms = {s.name: s.perm for s in image.segments}
    assert perms == {
        "text": Perm.READ | Perm.EXEC,
        "rodata": Perm.READ,
        "data": Perm.READ | Perm.WRITE,
    }
    assert len({image.symbols[n] & -4096 for n in ("code", "const", "var")}) == 3
    assert image.bytes_at(image.symbols["zero"], 64) == bytes(64)


def test_common_symbols_get_room() -> None:
    image = placed(".comm shared, 100, 16\n.data\nhere: .quad shared\n")
    assert at(image, "here", 8) == image.symbols["shared"]
    assert image.bytes_at(image.symbols["shared"], 100) == bytes(100)


def test_static_functions_are_found() -> None:
    source = """
    __attribute__((noinline)) static int local(int a) { return a * 3; }
    int f(int a) { return local(a); }
    """
    image = place(parse_elf(compile_source(source)), BASE, lambda name: NOWHERE)
    function = image.function_at(image.symbols["local"])
    assert function is not None and function.name == "local"
    assert image.where(image.symbols["f"] + 1) == "f+0x1"


def _debug_bytes(flags: tuple[str, ...]) -> tuple[Elf, bytes | None]:
    fields = " ".join(f"int field_{i};" for i in range(200))
    source = f"struct s {{ {fields} }} v;\nint f(struct s *s) {{ return s->field_7; }}"
    elf = parse_elf(compile_source(source, ".c", ("-O1", "-g", *flags)))
    return elf, debug_section(place(elf, BASE, lambda name: NOWHERE), ".debug_info")


def test_compressed_debug_sections_are_inflated() -> None:
    _, plain = _debug_bytes(("-gz=none",))
    elf, inflated = _debug_bytes(("-gz=zlib",))
    section = elf.section(".debug_info")
    assert section is not None and section.flags & 0x800
    assert plain is not None and inflated is not None and len(plain) == len(inflated)


def test_undefined_names() -> None:
    elf = parse_elf(assemble("call one\ncall two\ncall one\n"))
    assert elf.undefined() == ("one", "two")
    assert not elf.defines("one")
