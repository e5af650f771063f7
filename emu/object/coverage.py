# SPDX-License-Identifier: GPL-2.0-or-later
"""Which basic blocks of which function ran, and which source lines nothing reached.

Blocks are found statically: branch targets, what follows a branch, and the targets of jump tables,
which are the relocations of read-only data that point into a function.  A block counts as run when a
block that the processor translated overlaps it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping

from emu.elf import Function, Image, Reloc
from emu.layout import Layout
from emu.verdict import FunctionCoverage

MAX_FUNCTION = 1 << 20
_PADDING = ("nop", "int3", "data16", "cs nop")


def measure(
    image: Image, layout: Layout, translated: Mapping[int, int]
) -> tuple[FunctionCoverage, ...]:
    """Coverage of each function, by address; one of which nothing ran has no blocks counted.

    ``translated``: address and size of each block that the processor ran.
    """
    ran = sorted(translated.items())
    targets = sorted(_table_targets(image))
    found = []
    for function in image.functions:
        end = function.address + min(function.size, MAX_FUNCTION)
        inside = [(a, n) for a, n in ran if a < end and a + n > function.address]
        if not inside:
            found.append(FunctionCoverage(function.name, 0, 0))
            continue
        total = blocks(image, function, [t for t in targets if function.address <= t < end])
        missed = [b for b in total if not any(a < b[1] and a + n > b[0] for a, n in inside)]
        lines = dict.fromkeys(
            str(layout.line_at(start) or image.where(start)) for start, _ in missed
        )
        found.append(
            FunctionCoverage(function.name, len(total) - len(missed), len(total), tuple(lines))
        )
    return tuple(found)


def blocks(image: Image, function: Function, extra: list[int]) -> list[tuple[int, int]]:
    """Static basic blocks [start, end) of a function, padding left out."""
    import capstone
    from capstone import x86

    engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    engine.detail = True
    end = function.address + min(function.size, MAX_FUNCTION)
    code = image.bytes_at(function.address, end - function.address)
    leaders = {function.address, *extra}
    starts: list[int] = []
    padding: set[int] = set()
    for instruction in engine.disasm(code, function.address):
        starts.append(instruction.address)
        following = instruction.address + instruction.size
        if instruction.mnemonic.startswith(_PADDING) or instruction.mnemonic == "xchg":
            padding.add(instruction.address)
        if instruction.group(capstone.CS_GRP_JUMP):
            operand = instruction.operands[0]
            if operand.type == x86.X86_OP_IMM and function.address <= operand.imm < end:
                leaders.add(operand.imm)
            leaders.add(following)
        elif instruction.group(capstone.CS_GRP_RET) or instruction.mnemonic in ("ud2", "hlt"):
            leaders.add(following)
    known = sorted(leaders & set(starts))
    found = []
    if not known:  # what is there is no code
        return []
    for start, stop in zip(known, [*known[1:], end], strict=True):
        body = starts[bisect_left(starts, start) : bisect_left(starts, stop)]
        if not all(address in padding for address in body):
            found.append((start, stop))
    return found


def _table_targets(image: Image) -> Iterator[int]:
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
