# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a field lies: structures, enumerators and extern variables from an object's DWARF.

dwarf    opening it, bounded walks
types    sizes and members
lines    source lines
index    all of it by name
described   what another object says of types that the first lacks
"""

from emu.layout.described import Described
from emu.layout.index import Aliases, Layout
from emu.layout.lines import SourceLine
from emu.layout.types import Field

__all__ = ["Aliases", "Described", "Field", "Layout", "SourceLine"]
