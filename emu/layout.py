# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a field lies: structures, enumerators and extern variables from an object's DWARF.

Only the top level of each unit is indexed, and a structure is opened when somebody asks for it: on a
real core that is a third of the cost of walking all 6,000 entries.  Sections are relocated by
`emu.elf`, not by pyelftools, which takes ten times as long over it.  A hostile file can make the
library raise anything and can make its chains circular: the walk is bounded and every failure becomes
a `LayoutError`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from emu.elf import Image, debug_section
from emu.errors import LayoutError

MAX_ENTRIES = 400_000
MAX_DEPTH = 32

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
_UNUSED = frozenset(
    {".debug_aranges", ".debug_frame", ".eh_frame", ".debug_loc", ".debug_loclists"}
)
_KINDS = {
    "DW_TAG_structure_type": "struct ",
    "DW_TAG_union_type": "union ",
    "DW_TAG_typedef": "",
    "DW_TAG_base_type": "",
    "DW_TAG_enumeration_type": "enum ",
}
_TRANSPARENT = frozenset(
    {
        "DW_TAG_typedef",
        "DW_TAG_const_type",
        "DW_TAG_volatile_type",
        "DW_TAG_restrict_type",
        "DW_TAG_atomic_type",
    }
)
_STEP = re.compile(r"([A-Za-z_]\w*)((?:\[\d+\])*)")


@dataclass(frozen=True, slots=True)
class Field:
    """Offset and size in bytes; for a bitfield also its first bit within the byte, and its width."""

    offset: int
    size: int
    bit: int | None = None
    width: int = 0


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A place in the source, as the line table gives it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Layout:
    """The types of one object.  Values of macros, which DWARF does not hold, come from the profile."""

    def __init__(self, image: Image) -> None:
        self._types: dict[str, Any] = {}
        self._externs: dict[str, Any] = {}
        self._enums: dict[str, int] = {}
        self._enum_types: list[Any] = []
        self._fields: dict[tuple[str, str], Field] = {}
        self._sizes: dict[str, int] = {}
        self._lines: list[tuple[int, int, SourceLine]] | None = None
        self._dwarf: Any = None
        self.present = image.elf.section(".debug_info") is not None
        if self.present:
            self._guard("debug information", lambda: self._index(image))

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
        if type_name not in self._sizes:
            die = self._find(type_name)
            self._sizes[type_name] = self._guard(type_name, lambda: self._size(die))
        return self._sizes[type_name]

    def field(self, type_name: str, path: str) -> Field:
        """``field("struct domain", "arch.is_32bit_pv")``; ``name[2]`` indexes an array."""
        key = (type_name, path)
        if key not in self._fields:
            die = self._find(type_name)
            self._fields[key] = self._guard(
                f"{type_name}.{path}", lambda: self._walk(die, type_name, path)
            )
        return self._fields[key]

    def enum(self, name: str) -> int | None:
        """Value of an enumerator, or None."""
        if self._enum_types:
            pending, self._enum_types = self._enum_types, []
            self._guard("enumerators", lambda: self._read_enums(pending))
        return self._enums.get(name)

    def extern_size(self, name: str) -> int | None:
        """Size of a variable that is declared but not defined here; None where there is no such."""
        die = self._externs.get(name)
        if die is None:
            return None
        size: int = self._guard(name, lambda: self._size(self._type(die)))
        return size

    def line_at(self, address: int) -> SourceLine | None:
        """The source line of a code address, or None."""
        for start, end, line in self._line_table():
            if start <= address < end:
                return line
        return None

    def _line_table(self) -> list[tuple[int, int, SourceLine]]:
        if self._lines is None:
            self._lines = []
            if self._dwarf is not None:
                try:
                    self._lines = self._guard("line table", lambda: list(self._read_lines()))
                except LayoutError:
                    self._lines = []  # a place without its line is still a place
        return self._lines

    def _guard(self, what: str, action: Any) -> Any:
        try:
            return action()
        except (LayoutError, MemoryError):
            raise
        except Exception as exc:  # pyelftools raises whatever its parsing stumbles over
            raise LayoutError(
                f"the DWARF of {what} cannot be read: {type(exc).__name__}: {exc}",
                hint="compile with -g and an unmodified compiler",
            ) from exc

    def _index(self, image: Image) -> None:
        from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DwarfConfig, DWARFInfo

        descriptors = []
        for name in _SECTIONS:
            content = None if name in _UNUSED else debug_section(image, name)
            descriptors.append(
                None
                if content is None
                else DebugSectionDescriptor(io.BytesIO(content), name, None, len(content), 0)
            )
        self._dwarf = DWARFInfo(DwarfConfig(True, "x64", 8), *descriptors)
        seen = 0
        for unit in self._dwarf.iter_CUs():
            for die in unit.iter_DIE_children(unit.get_top_DIE()):
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
            for child in self._children(die):
                if child.tag == "DW_TAG_enumerator":
                    name = child.attributes["DW_AT_name"].value.decode()
                    self._enums.setdefault(name, child.attributes["DW_AT_const_value"].value)

    def _find(self, type_name: str) -> Any:
        die = self._types.get(type_name)
        if die is None:
            raise LayoutError(
                f"no description of {type_name}",
                hint="compile with -g" if not self.present else "no code of this object uses it",
            )
        return die

    @staticmethod
    def _children(die: Any) -> Iterator[Any]:
        for seen, child in enumerate(die.iter_children()):
            if seen > MAX_ENTRIES:
                raise LayoutError("a type without end in the debug information")
            yield child

    @staticmethod
    def _type(die: Any) -> Any:
        return die.get_DIE_from_attribute("DW_AT_type") if "DW_AT_type" in die.attributes else None

    def _strip(self, die: Any) -> Any:
        for _ in range(MAX_DEPTH):
            if die is None or die.tag not in _TRANSPARENT:
                return die
            die = self._type(die)
        raise LayoutError("a circular type in the debug information")

    def _size(self, die: Any, depth: int = 0) -> int:
        if depth > MAX_DEPTH:
            raise LayoutError("a circular type in the debug information")
        die = self._strip(die)
        if die is None:
            return 0
        if die.tag == "DW_TAG_array_type":
            count = 1
            for length in self._lengths(die):
                count *= length
            return count * self._size(self._type(die), depth + 1)
        if die.tag == "DW_TAG_pointer_type" and "DW_AT_byte_size" not in die.attributes:
            return 8
        return int(die.attributes["DW_AT_byte_size"].value)

    def _lengths(self, array: Any) -> Iterator[int]:
        for child in self._children(array):
            if child.tag != "DW_TAG_subrange_type":
                continue
            bound = child.attributes.get("DW_AT_upper_bound")
            count = child.attributes.get("DW_AT_count")
            if bound is not None and isinstance(bound.value, int):
                yield max(bound.value + 1, 0)
            elif count is not None and isinstance(count.value, int):
                yield count.value
            else:
                yield 0

    def _walk(self, die: Any, type_name: str, path: str) -> Field:
        offset = 0
        bit: int | None = None
        width = 0
        for part in path.split("."):
            match = _STEP.fullmatch(part)
            if match is None:
                raise LayoutError(f"{path!r} is no path to a field", type_name)
            found = self._member(die, match[1], 0)
            if found is None:
                raise LayoutError(f"no field {part!r}", f"{type_name}.{path}")
            at, member, bit, width = found
            offset += at
            die = self._type(member)
            for index in re.findall(r"\d+", match[2]):
                array = self._strip(die)
                if array is None or array.tag != "DW_TAG_array_type":
                    raise LayoutError(f"{part!r} is no array", f"{type_name}.{path}")
                if len(list(self._lengths(array))) != 1:
                    raise LayoutError(
                        f"{part!r} has more than one dimension", f"{type_name}.{path}"
                    )
                die = self._type(array)
                offset += int(index) * self._size(die)
        return Field(offset, self._size(die), bit, width)

    def _member(self, die: Any, name: str, depth: int) -> tuple[int, Any, int | None, int] | None:
        """(offset, member, first bit, width) of ``name``, looked for in anonymous members too."""
        die = self._strip(die)
        if die is None or depth > MAX_DEPTH:
            return None
        for child in self._children(die):
            if child.tag != "DW_TAG_member":
                continue
            location = child.attributes.get("DW_AT_data_member_location")
            offset = location.value if location is not None else 0
            label = child.attributes.get("DW_AT_name")
            if label is None:
                inner = self._member(self._type(child), name, depth + 1)
                if inner is not None:
                    return offset + inner[0], *inner[1:]
            elif label.value.decode() == name:
                return self._bits(child, offset)
        return None

    def _bits(self, member: Any, offset: int) -> tuple[int, Any, int | None, int]:
        attributes = member.attributes
        if "DW_AT_bit_size" not in attributes:
            return offset, member, None, 0
        width = attributes["DW_AT_bit_size"].value
        if "DW_AT_data_bit_offset" in attributes:
            first = attributes["DW_AT_data_bit_offset"].value
        else:  # DWARF 2 and 3 count from the most significant bit of the storage unit
            storage = attributes.get("DW_AT_byte_size")
            unit = storage.value if storage is not None else self._size(self._type(member))
            first = 8 * offset + 8 * unit - attributes["DW_AT_bit_offset"].value - width
        return first // 8, member, first % 8, width

    def _read_lines(self) -> Iterator[tuple[int, int, SourceLine]]:
        read = 0
        for unit in self._dwarf.iter_CUs():
            program = self._dwarf.line_program_for_CU(unit)
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
