# SPDX-License-Identifier: GPL-2.0-or-later
"""The calculations of the x86-64 psABI, table 4.10."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from emu.elf.file import Elf, Section, Symbol
from emu.elf.headers import SHT_NOBITS
from emu.elf.placed import Segment
from emu.errors import BadRelocation, TruncatedElf
from emu.spaces import LinearAddr


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


def got_slots(elf: Elf) -> int:
    wanted = {
        index
        for section in elf.sections
        if section.allocated
        for _, kind, index, _ in elf.relocations(section)
        if kind in _RULES and _RULES[Reloc(kind)].got
    }
    return len(wanted)


class Got:
    """Slots handed out from the end of the read-only pages, one a symbol."""

    def __init__(self, segments: list[Segment]) -> None:
        self._home = next((s for s in segments if s.name == "rodata"), None)
        self._slots: dict[int, LinearAddr] = {}

    def slot(self, symbol: int, value: LinearAddr) -> LinearAddr:
        if self._home is None:
            raise BadRelocation("no room for a global offset table")
        if symbol not in self._slots:
            offset = len(self._home.data) - 8 * (len(self._slots) + 1)
            self._home.data[offset : offset + 8] = (value & (1 << 64) - 1).to_bytes(8, "little")
            self._slots[symbol] = self._home.address + offset
        return self._slots[symbol]


def relocate(
    elf: Elf,
    section: Section,
    address: LinearAddr,
    segments: list[Segment],
    values: list[LinearAddr],
    got: Got,
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
