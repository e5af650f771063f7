# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading x86-64 ELF files: relocatable objects, which are put at an address, and linked images.

headers     the one reader of headers, bounds checked
file        an object: sections, symbols, relocation entries
relocate    what each relocation type calculates
placed      an object at its place
place       from the one to the other
debug       debug sections of an image
branches    which undefined names are functions
linked      a linked image: what is loaded, where it begins, what its addresses are called
bare        it without its debug information
"""

from emu.elf.branches import branch_targets
from emu.elf.debug import debug_section
from emu.elf.file import Elf, Section, Symbol, parse_elf
from emu.elf.headers import EM_NAMES, MAX_FILE, PAGE, Perm
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
