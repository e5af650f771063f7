# SPDX-License-Identifier: GPL-2.0-or-later
"""Which basic blocks of which function ran, and which source lines nothing reached.

Blocks are found statically: branch targets, what follows a branch, and the targets of jump tables,
which are the relocations of read-only data that point into a function.  A block counts as run when a
block that the processor translated overlaps it.  Blocks that begin with a trap, where a BUG() or a failed
ASSERT() stops the hypervisor, do not count: what reaches one is a defect, and a finding.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emu.elf import Function, Image, Reloc
from emu.findings.verdict import FunctionCoverage
from emu.layout import Layout
from emu.object.tables import trap_size
from emu.spaces import LinearAddr

MAX_FUNCTION = 1 << 20
_JUMPS = ("j", "loop")
_UNKNOWN = "unknown"
"""A byte that begins no instruction that is known."""
_PADDING = ("nop", "int3", "data16", "cs nop")


@dataclass(frozen=True, slots=True)
class Reached:
    """What ran of one function, of which something did; ``missed`` blocks by address, with their line."""

    function: str
    total: int
    missed: Mapping[LinearAddr, str]


def reached(
    image: Image, layout: Layout, translated: Mapping[LinearAddr, int]
) -> tuple[Reached, ...]:
    """Each function by address, also one of which nothing ran, which has no blocks counted.

    ``translated``: address and size of each block that the processor ran.
    """
    ran = sorted(translated.items())
    targets = sorted(_table_targets(image))
    found = []
    for function in image.functions:
        end = function.address + min(function.size, MAX_FUNCTION)
        inside = [(a, n) for a, n in ran if a < end and a + n > function.address]
        if not inside:
            found.append(Reached(function.name, 0, {}))
            continue
        total = blocks(image, function, [t for t in targets if function.address <= t < end])
        missed = [
            start for start, stop in total if not any(a < stop and a + n > start for a, n in inside)
        ]
        lines = {start: str(layout.line_at(start) or image.where(start)) for start in missed}
        found.append(Reached(function.name, len(total), lines))
    return tuple(found)


def together(looks: Sequence[Sequence[Reached]]) -> tuple[FunctionCoverage, ...]:
    """Coverage of each function by several looks at the same image: what none of them reached is missed."""
    return tuple(_covered(same) for same in zip(*looks, strict=True))


def _covered(looks: Sequence[Reached]) -> FunctionCoverage:
    ran = [look for look in looks if look.total]
    if not ran:
        return FunctionCoverage(looks[0].function, 0, 0)
    first, *others = ran
    missed = [at for at in first.missed if all(at in other.missed for other in others)]
    lines = tuple(dict.fromkeys(first.missed[at] for at in missed))
    return FunctionCoverage(first.function, first.total - len(missed), first.total, lines)


def blocks(
    image: Image, function: Function, extra: list[LinearAddr]
) -> list[tuple[LinearAddr, LinearAddr]]:
    """Static basic blocks [start, end) of a function, padding and traps left out."""
    import capstone

    # The short form: with its details, an instruction takes four times as long.
    engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    end = function.address + min(function.size, MAX_FUNCTION)
    code = image.bytes_at(function.address, end - function.address)
    leaders = {function.address, *extra}
    starts: list[int] = []
    padding: set[int] = set()
    for address, size, mnemonic, operands in _instructions(engine, code, function.address):
        starts.append(address)
        following = address + size
        if mnemonic.startswith(_PADDING) or mnemonic == "xchg":
            padding.add(address)
        name = mnemonic.rpartition(" ")[2]  # without what goes before it: "notrack jmp"
        if name.startswith(_JUMPS):
            if operands.startswith("0x") and function.address <= int(operands, 16) < end:
                leaders.add(LinearAddr(operands, 16))
            leaders.add(following)
        elif name.startswith("ret") or name in ("ud2", "hlt", _UNKNOWN):
            leaders.add(following)
    known = sorted(leaders & set(starts))
    found = []
    if not known:  # what is there is no code
        return []
    for start, stop in zip(known, [*known[1:], end], strict=True):
        body = starts[bisect_left(starts, start) : bisect_left(starts, stop)]
        stops = trap_size(image.bytes_at(start, min(stop - start, 2))) != 0
        if not stops and not all(address in padding for address in body):
            found.append((start, stop))
    return found


def _instructions(
    engine: Any, code: bytes, start: LinearAddr
) -> Iterator[tuple[LinearAddr, int, str, str]]:
    """(address, size, mnemonic, operands) of each, also behind what the disassembler does not know: it stops
    there, at a udb for one, which is where a hypervisor of today stops itself."""
    at = 0
    while at < len(code):
        for address, size, mnemonic, operands in engine.disasm_lite(code[at:], start + at):
            yield LinearAddr(address), size, mnemonic, operands
            at = address + size - start
        if at < len(code):
            yield start + at, 1, _UNKNOWN, ""
            at += 1


def _table_targets(image: Image) -> Iterator[LinearAddr]:
    """Code addresses that stand in jump tables.

    Absolute entries (R_X86_64_64) hold S + A.  Relative ones (R_X86_64_PC32) hold the distance from the
    start of their table, so the target is S + A minus the entry's own distance from that start; tables
    are runs of neighbouring entries.
    """
    for section in image.elf.sections:
        if not section.name.startswith(".rodata") or section.index not in image.addresses:
            continue
        start = previous = -8
        for offset, kind, symbol, addend in sorted(image.elf.relocations(section)):
            if kind == Reloc.R_X86_64_64:
                yield image.values[symbol] + addend
            elif kind == Reloc.R_X86_64_PC32:
                if offset != previous + 4:
                    start = offset
                previous = offset
                yield image.values[symbol] + addend - (offset - start)
