# SPDX-License-Identifier: GPL-2.0-or-later
"""The line tables: which source line a code address belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from emu.errors import LayoutError
from emu.layout.dwarf import MAX_ENTRIES, units


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A place in the source, as the line table gives it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def read_lines(dwarf: Any) -> Iterator[tuple[int, int, SourceLine]]:
    read = 0
    for unit in units(dwarf):
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        files = program.header["file_entry"]
        first = 0 if program.header["version"] >= 5 else 1
        previous = None
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            read += 1
            if read > MAX_ENTRIES:
                raise LayoutError("a line table without end")
            if (
                previous is not None
                and not previous.end_sequence
                and previous.address < state.address
            ):
                name = files[previous.file - first].name.decode(errors="backslashreplace")
                yield previous.address, state.address, SourceLine(name, previous.line)
            previous = state
