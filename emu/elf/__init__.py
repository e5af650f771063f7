# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading a relocatable x86-64 object and putting it at an address.

file        headers, sections, symbols, relocation entries
relocate    what each relocation type calculates
image       an object at its place
place       from the one to the other
debug       debug sections of an image
branches    which undefined names are functions
"""

from emu.elf.branches import branch_targets
from emu.elf.debug import debug_section
from emu.elf.file import EM_NAMES, MAX_FILE, PAGE, Elf, Perm, Section, Symbol, parse_elf
from emu.elf.place import place
from emu.elf.placed import Function, Image, Segment
from emu.elf.relocate import Reloc

__all__ = [
    "EM_NAMES",
    "MAX_FILE",
    "PAGE",
    "Elf",
    "Function",
    "Image",
    "Perm",
    "Reloc",
    "Section",
    "Segment",
    "Symbol",
    "branch_targets",
    "debug_section",
    "parse_elf",
    "place",
]
