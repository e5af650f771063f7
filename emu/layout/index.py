# SPDX-License-Identifier: GPL-2.0-or-later
"""What the debug information of one object describes, by name.

Only the top level of each unit is indexed, and a structure is opened when somebody asks for it: on a
real core that is a third of the cost of walking all 6,000 entries.
"""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from functools import partial
from operator import itemgetter
from typing import Any

from emu.elf import Image
from emu.errors import LayoutError
from emu.layout.described import Described
from emu.layout.dwarf import MAX_ENTRIES, children, guarded, open_dwarf, top_level, units
from emu.layout.lines import SourceLine, read_lines
from emu.layout.types import Field, field_of, size_of, type_of

_KINDS = {
    "DW_TAG_structure_type": "struct ",
    "DW_TAG_union_type": "union ",
    "DW_TAG_typedef": "",
    "DW_TAG_base_type": "",
    "DW_TAG_enumeration_type": "enum ",
}

Aliases = Mapping[tuple[str, str], tuple[str, ...]]
"""(type, path of a field) to the paths that it has in other versions of the tree."""


class Layout:
    """The types of one object.  Values of macros, which DWARF does not hold, come from the profile.

    A compiler drops what no code of the object uses.  Of a type that is not described here ``besides``
    is asked, and never of a field of one that is: there the object knows best.
    """

    def __init__(
        self, image: Image, besides: Described | None = None, aliases: Aliases | None = None
    ) -> None:
        self._besides = besides or Described()
        self._aliases = aliases or {}
        self.renamed: dict[tuple[str, str], str] = {}
        """(type, path) that was asked for to the path that the field has here."""
        self.borrowed: set[str] = set()
        """Types of which it was asked, and had an answer."""
        self._types: dict[str, Any] = {}
        self._externs: dict[str, Any] = {}
        self._enums: dict[str, int] = {}
        self._enum_types: list[Any] = []
        self._fields: dict[tuple[str, str], Field] = {}
        self._sizes: dict[str, int] = {}
        self._lines: list[tuple[int, int, SourceLine]] | None = None
        self._dwarf: Any = guarded("debug information", lambda: open_dwarf(image))
        self.present = self._dwarf is not None
        if self.present:
            guarded("debug information", self._index)

    def has(self, type_name: str, path: str = "") -> bool:
        """Whether the type, and the field in it, are described."""
        try:
            if path:
                self.field(type_name, path)
            else:
                self.sizeof(type_name)
        except LayoutError:
            return False
        return True

    def sizeof(self, type_name: str) -> int:
        """Size in bytes of ``struct domain`` and the like."""
        if type_name not in self._sizes and self._lacks(type_name):
            self._sizes[type_name] = self._besides.sizes[type_name]
        elif type_name not in self._sizes:
            die = self._find(type_name)
            self._sizes[type_name] = guarded(type_name, lambda: size_of(die))
        return self._sizes[type_name]

    def own_size(self, type_name: str) -> int | None:
        """Size of a type that is described here, and nowhere besides; None for any other."""
        die = self._types.get(type_name)
        return None if die is None else guarded(type_name, lambda: size_of(die))

    def field(self, type_name: str, path: str) -> Field:
        """``field("struct domain", "arch.is_32bit_pv")``; ``name[2]`` indexes an array."""
        key = (type_name, path)
        if key not in self._fields and self._lacks(type_name):
            place = self._besides.fields[type_name].get(path)
            if place is None:
                raise LayoutError(f"no field {path!r}", f"{type_name}.{path}")
            self._fields[key] = place
        elif key not in self._fields:
            self._fields[key] = self._described_field(type_name, path)
        return self._fields[key]

    def _described_field(self, type_name: str, path: str) -> Field:
        """By the first of its names that the type has; raises `LayoutError` for the first of them."""
        die = self._find(type_name)
        try:
            return guarded(f"{type_name}.{path}", lambda: field_of(die, type_name, path))
        except LayoutError:
            for other in self._aliases.get((type_name, path), ()):
                with contextlib.suppress(LayoutError):
                    place = guarded(
                        f"{type_name}.{other}", partial(field_of, die, type_name, other)
                    )
                    self.renamed[type_name, path] = other
                    return place
            raise

    def enum(self, name: str) -> int | None:
        """Value of an enumerator, or None."""
        own = self.own_enum(name)
        return self._besides.enumerators.get(name) if own is None else own

    def own_enum(self, name: str) -> int | None:
        """Value of an enumerator that is described here, and nowhere besides; None for any other."""
        if self._enum_types:
            pending, self._enum_types = self._enum_types, []
            guarded("enumerators", lambda: self._read_enums(pending))
        return self._enums.get(name)

    def described(
        self, types: Mapping[str, Iterable[str]], enumerators: Iterable[str]
    ) -> Described:
        """What is known of these types with these paths, and of these enumerators; the rest is left out.

        Raises `LayoutError` where the enumerators cannot be read.
        """
        known = [name for name in types if self.has(name)]
        found = {name: self.enum(name) for name in enumerators}
        return Described(
            {name: self.sizeof(name) for name in known},
            {
                name: {path: self.field(name, path) for path in types[name] if self.has(name, path)}
                for name in known
            },
            {name: value for name, value in found.items() if value is not None},
        )

    @property
    def declares(self) -> bool:
        """Whether variables that are defined elsewhere are described: clang, and an object without debug
        information, describe none."""
        return bool(self._externs)

    def extern_size(self, name: str) -> int | None:
        """Size of a variable that is declared but not defined here; None where there is no such."""
        die = self._externs.get(name)
        return None if die is None else guarded(name, lambda: size_of(type_of(die)))

    def line_at(self, address: int) -> SourceLine | None:
        """The source line of a code address, or None."""
        table = self._line_table()
        at = bisect_right(table, address, key=itemgetter(0)) - 1
        return table[at][2] if at >= 0 and address < table[at][1] else None

    def _line_table(self) -> list[tuple[int, int, SourceLine]]:
        if self._lines is None:
            self._lines = []
            if self.present:
                try:
                    self._lines = guarded("line table", self._sorted_lines)
                except LayoutError:
                    self._lines = []  # a place without its line is still a place
        return self._lines

    def _sorted_lines(self) -> list[tuple[int, int, SourceLine]]:
        return sorted(read_lines(self._dwarf), key=itemgetter(0))

    def _index(self) -> None:
        seen = 0
        for unit in units(self._dwarf):
            for die in top_level(unit):
                seen += 1
                if seen > MAX_ENTRIES:
                    raise LayoutError(f"more than {MAX_ENTRIES} entries in the debug information")
                self._note(die)

    def _note(self, die: Any) -> None:
        tag = die.tag
        if tag == "DW_TAG_enumeration_type":
            self._enum_types.append(die)
        name = die.attributes.get("DW_AT_name")
        if name is None:
            return
        declared = "DW_AT_declaration" in die.attributes
        prefix = _KINDS.get(tag)
        if prefix is not None and not declared:
            self._types.setdefault(prefix + name.value.decode(), die)
        elif tag == "DW_TAG_variable" and declared:
            self._externs.setdefault(name.value.decode(), die)

    def _read_enums(self, types: list[Any]) -> None:
        for die in types:
            for child in children(die):
                if child.tag == "DW_TAG_enumerator":
                    name = child.attributes["DW_AT_name"].value.decode()
                    self._enums.setdefault(name, child.attributes["DW_AT_const_value"].value)

    def _lacks(self, type_name: str) -> bool:
        """Whether a type is described besides, and not here."""
        if type_name in self._types or type_name not in self._besides.sizes:
            return False
        self.borrowed.add(type_name)
        return True

    def _find(self, type_name: str) -> Any:
        die = self._types.get(type_name)
        if die is None:
            raise LayoutError(
                f"no description of {type_name}",
                hint="compile with -g" if not self.present else "no code of this object uses it",
            )
        return die
