# SPDX-License-Identifier: GPL-2.0-or-later
"""Opening an image's debug information, and walking it without trusting it.

Sections are relocated by `emu.elf`, not by pyelftools, which takes ten times as long over it.  A hostile
file can make the library raise anything and can make its chains circular: every walk is bounded and
every failure becomes a `LayoutError`.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from emu.elf import Image, debug_section
from emu.errors import EmuError, LayoutError

MAX_ENTRIES = 400_000

_SECTIONS = (
    ".debug_info",
    ".debug_aranges",
    ".debug_abbrev",
    ".debug_frame",
    ".eh_frame",
    ".debug_str",
    ".debug_loc",
    ".debug_ranges",
    ".debug_line",
    ".debug_pubtypes",
    ".debug_pubnames",
    ".debug_addr",
    ".debug_str_offsets",
    ".debug_line_str",
    ".debug_loclists",
    ".debug_rnglists",
    ".debug_sup",
    ".gnu_debugaltlink",
    ".debug_types",
)
_UNUSED = frozenset({".debug_aranges", ".debug_frame", ".eh_frame", ".debug_loc"})
_INDEXED = ".debug_loclists"
"""Nothing reads what it says, but clang names its lists by number: pyelftools looks those up in its head."""

_Answer = TypeVar("_Answer")


def open_dwarf(image: Image) -> Any:
    """pyelftools' view of the debug sections; None for an image that has none."""
    from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DwarfConfig, DWARFInfo

    if image.elf.section(".debug_info") is None:
        return None
    descriptors = []
    for name in _SECTIONS:
        relocated = name != _INDEXED
        content = None if name in _UNUSED else debug_section(image, name, relocated=relocated)
        descriptors.append(
            None
            if content is None
            else DebugSectionDescriptor(io.BytesIO(content), name, None, len(content), 0)
        )
    return DWARFInfo(DwarfConfig(True, "x64", 8), *descriptors)


def _failures() -> tuple[type[Exception], ...]:
    """What pyelftools raises: errors of its own and of its parsing library, and whatever its code stumbles
    over when numbers and references are not what it takes them for."""
    from elftools.common.exceptions import DWARFError, ELFError
    from elftools.construct import ConstructError

    own = DWARFError, ELFError, ConstructError
    stumbles = ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError
    return *own, *stumbles, RuntimeError, struct.error, EmuError


def guarded(what: str, action: Callable[[], _Answer]) -> _Answer:
    """``action()``, every failure of which is a `LayoutError` that names ``what``."""
    try:
        return action()
    except (LayoutError, MemoryError):
        raise
    except _failures() as exc:
        raise LayoutError(
            f"the DWARF of {what} cannot be read: {type(exc).__name__}: {exc}",
            hint="compile with -g and an unmodified compiler",
        ) from exc


def units(dwarf: Any) -> Iterator[Any]:
    """Its compilation units."""
    yield from dwarf.iter_CUs()


def top_level(unit: Any) -> Iterator[Any]:
    """The entries of a unit that are in no other."""
    return _forward(unit.iter_DIE_children(unit.get_top_DIE()))


def children(die: Any) -> Iterator[Any]:
    """The entries in this one."""
    return _forward(die.iter_children())


def _forward(entries: Iterator[Any]) -> Iterator[Any]:
    """Each lies behind the one before, else a chain of siblings may be a circle."""
    last = -1
    for entry in entries:
        if entry.offset <= last:
            raise LayoutError("an entry of the debug information points back to its sibling")
        last = entry.offset
        yield entry
