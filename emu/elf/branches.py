# SPDX-License-Identifier: GPL-2.0-or-later
"""Which undefined names are functions: an undefined symbol has no type, but a branch to it tells."""

from __future__ import annotations

from emu.elf.file import Elf, Section
from emu.elf.headers import SHF_EXECINSTR
from emu.elf.relocate import Reloc

_NEAR = (b"\xe8", b"\xe9")
"""call and jmp, with the distance in the four bytes behind.  No ModRM byte of an operand relative to rip has
either value, so what goes before any other such field cannot look like one (Intel SDM, 2.1.5)."""
_JCC = range(0x80, 0x90)
"""Behind 0x0f."""
_THROUGH_GOT = (b"\xff\x15", b"\xff\x25")
"""call and jmp through a slot of the GOT, as -fno-plt has them."""


def branch_targets(elf: Elf) -> frozenset[str]:
    """Names that some instruction calls or jumps to; cost linear in the relocations of code."""
    found: set[str] = set()
    for section in elf.sections:
        if section.allocated and section.flags & SHF_EXECINSTR:
            found |= {
                elf.symbols[index].name
                for offset, kind, index, _ in elf.relocations(section)
                if _is_branch(section, offset, kind)
            }
    return frozenset(found)


def _is_branch(section: Section, offset: int, kind: int) -> bool:
    if kind == Reloc.R_X86_64_PLT32:
        return True
    before = bytes(section.data[max(offset - 2, 0) : offset])
    if kind == Reloc.R_X86_64_PC32:
        is_jcc = len(before) == 2 and before[0] == 0x0F and before[1] in _JCC
        return is_jcc or before[-1:] in _NEAR
    return kind in (Reloc.R_X86_64_GOTPCREL, Reloc.R_X86_64_GOTPCRELX) and before in _THROUGH_GOT
