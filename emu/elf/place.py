# SPDX-License-Identifier: GPL-2.0-or-later
"""Putting an object at an address: sections onto pages by what they allow, symbols to values."""

from __future__ import annotations

from collections.abc import Callable

from emu.elf.file import Elf, Section
from emu.elf.headers import (
    PAGE,
    SHF_WRITE,
    SHN_COMMON,
    SHN_LORESERVE,
    SHN_UNDEF,
    SHT_NOBITS,
    STT_FUNC,
    Perm,
)
from emu.elf.placed import Function, Image, Segment
from emu.elf.relocate import Got, got_slots, relocate
from emu.errors import TruncatedElf
from emu.spaces import LinearAddr

MAX_IMAGE = 8 << 20
"""Everything that is allocated, .bss included: a core is tens of kilobytes."""


def place(elf: Elf, base: LinearAddr, resolve: Callable[[str], LinearAddr]) -> Image:
    """Put the object at ``base`` (page-aligned), asking ``resolve`` for undefined names."""
    segments, addresses, commons = _arrange(elf, base)
    values: list[LinearAddr] = []
    for index, symbol in enumerate(elf.symbols):
        if symbol.section == SHN_UNDEF:
            values.append(resolve(symbol.name) if symbol.name else LinearAddr(0))
        elif symbol.section == SHN_COMMON:
            values.append(commons[index])
        elif symbol.section < SHN_LORESERVE:
            values.append(addresses.get(symbol.section, LinearAddr(0)) + symbol.value)
        else:
            values.append(LinearAddr(symbol.value))
    got = Got(segments)
    counts: dict[str, int] = {}
    for section in elf.sections:
        if section.index in addresses:
            relocate(elf, section, addresses[section.index], segments, values, got, counts)
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


def _arrange(
    elf: Elf, base: LinearAddr
) -> tuple[list[Segment], dict[int, LinearAddr], dict[int, LinearAddr]]:
    """Sections sorted into text, read-only and writable pages; commons and a GOT behind them."""
    total = sum(s.size + s.align for s in elf.sections if s.allocated)
    total += sum(s.size + 16 for s in elf.symbols if s.section == SHN_COMMON)
    if total > MAX_IMAGE:
        raise TruncatedElf(f"{total} bytes to be loaded; at most {MAX_IMAGE} are")
    addresses: dict[int, LinearAddr] = {}
    commons: dict[int, LinearAddr] = {}
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
            at = at + (section.align - 1) & -section.align
            content.extend(bytes(at - start - len(content)))
            addresses[section.index] = at
            content.extend(section.data if section.type != SHT_NOBITS else bytes(section.size))
            at = start + len(content)
        if perm == Perm.READ | Perm.WRITE:
            for index, symbol in enumerate(elf.symbols):
                if symbol.section == SHN_COMMON:
                    at = at + 15 & -16
                    commons[index] = at
                    at += symbol.size
        if name == "rodata":
            at = (at + 7 & -8) + 8 * got_slots(elf)
        content.extend(bytes(at - start - len(content)))
        at = at + (PAGE - 1) & -PAGE
        content.extend(bytes(at - start - len(content)))
        if content:
            segments.append(Segment(name, start, perm, content))
    return segments, addresses, commons


def _class(section: Section) -> Perm:
    if section.flags & SHF_WRITE:
        return Perm.READ | Perm.WRITE
    return section.perm
