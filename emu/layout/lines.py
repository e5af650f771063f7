# SPDX-License-Identifier: GPL-2.0-or-later
"""The line tables: which source line a code address belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from emu.errors import LayoutError
from emu.layout.dwarf import MAX_ENTRIES, units

MAX_BITS = 128
_NOWHERE = -1, 0


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A place in the source, as the line table gives it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def read_lines(dwarf: Any) -> Iterator[tuple[int, int, SourceLine]]:
    """(begin, end, place) of each stretch of code that belongs to a line: what a compiler has no line for has
    the number 0 (DWARF 5, 6.2.2)."""
    read = 0
    for unit in units(dwarf):
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        files = program.header["file_entry"]
        first = 0 if program.header["version"] >= 5 else 1
        places: dict[tuple[int, int], SourceLine] = {}
        begin, place = 0, _NOWHERE
        for address, row, ends in _rows(program):
            read += 1
            if read > MAX_ENTRIES:
                raise LayoutError("a line table without end")
            if place[0] >= first and place[1] and begin < address:
                if place not in places:
                    name = files[place[0] - first].name.decode(errors="backslashreplace")
                    places[place] = SourceLine(name, place[1])
                yield begin, address, places[place]
            begin, place = address, _NOWHERE if ends else row


def _rows(program: Any) -> Iterator[tuple[int, tuple[int, int], bool]]:
    """(address, (file, line), whether the sequence ends) of each row (DWARF 5, 6.2.5).

    pyelftools makes an object of every opcode and takes a quarter of a whole load over it.
    """
    header = program.header
    program.stream.seek(program.program_start_offset)
    code = program.stream.read(program.program_end_offset - program.program_start_offset)
    unit, base = header["minimum_instruction_length"], header["opcode_base"]
    line_base, line_range = header["line_base"], header["line_range"]
    address, file, line, at = 0, 1, 1, 0
    while at < len(code):
        opcode = code[at]
        at += 1
        if opcode >= base:
            address += (opcode - base) // line_range * unit
            line += line_base + (opcode - base) % line_range
            yield address, (file, line), False
        elif opcode == 0:  # extended: its length, then what it is
            length, at = _uleb(code, at)
            if code[at] == 1:
                yield address, (file, line), True
                address, file, line = 0, 1, 1
            elif code[at] == 2:
                address = int.from_bytes(code[at + 1 : at + length], "little")
            at += length
        elif opcode == 1:
            yield address, (file, line), False
        elif opcode == 2:
            value, at = _uleb(code, at)
            address += value * unit
        elif opcode == 3:
            start = at
            value, at = _uleb(code, at)
            line += value - (1 << 7 * (at - start)) if code[at - 1] & 0x40 else value
        elif opcode == 4:
            file, at = _uleb(code, at)
        elif opcode == 8:
            address += (255 - base) // line_range * unit
        elif opcode == 9:
            address += int.from_bytes(code[at : at + 2], "little")
            at += 2
        else:  # nothing of address, file or line
            for _ in range(header["standard_opcode_lengths"][opcode - 1]):
                _, at = _uleb(code, at)


def _uleb(code: bytes, at: int) -> tuple[int, int]:
    """A number of 7 bits a byte, and where it ends."""
    value = shift = 0
    while True:
        byte = code[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > MAX_BITS:
            raise LayoutError("a number without end in a line table")
