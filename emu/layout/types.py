# SPDX-License-Identifier: GPL-2.0-or-later
"""Sizes and members of types, from their entries in the debug information."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from emu.errors import LayoutError
from emu.layout.dwarf import children

MAX_DEPTH = 32
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


def type_of(die: Any) -> Any:
    """What a variable, member or pointer is of; None for void."""
    return die.get_DIE_from_attribute("DW_AT_type") if "DW_AT_type" in die.attributes else None


def _strip(die: Any) -> Any:
    for _ in range(MAX_DEPTH):
        if die is None or die.tag not in _TRANSPARENT:
            return die
        die = type_of(die)
    raise LayoutError("a circular type in the debug information")


def size_of(die: Any, depth: int = 0) -> int:
    """Bytes of a type; 0 for void and for an array without length."""
    if depth > MAX_DEPTH:
        raise LayoutError("a circular type in the debug information")
    die = _strip(die)
    if die is None:
        return 0
    if die.tag == "DW_TAG_array_type":
        count = 1
        for length in _lengths(die):
            count *= length
        return count * size_of(type_of(die), depth + 1)
    if die.tag == "DW_TAG_pointer_type" and "DW_AT_byte_size" not in die.attributes:
        return 8
    return int(die.attributes["DW_AT_byte_size"].value)


def _lengths(array: Any) -> Iterator[int]:
    for child in children(array):
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


def field_of(die: Any, type_name: str, path: str) -> Field:
    """The field at ``path`` below the structure ``die``, which errors call ``type_name``."""
    offset = 0
    bit: int | None = None
    width = 0
    for part in path.split("."):
        match = _STEP.fullmatch(part)
        if match is None:
            raise LayoutError(f"{path!r} is not a path to a field", type_name)
        found = _member(die, match[1], 0)
        if found is None:
            raise LayoutError(f"no field {part!r}", f"{type_name}.{path}")
        at, member, bit, width = found
        offset += at
        die = type_of(member)
        for index in re.findall(r"\d+", match[2]):
            array = _strip(die)
            if array is None or array.tag != "DW_TAG_array_type":
                raise LayoutError(f"{part!r} is not an array", f"{type_name}.{path}")
            if len(list(_lengths(array))) != 1:
                raise LayoutError(f"{part!r} has more than one dimension", f"{type_name}.{path}")
            die = type_of(array)
            offset += int(index) * size_of(die)
    return Field(offset, size_of(die), bit, width)


def _member(die: Any, name: str, depth: int) -> tuple[int, Any, int | None, int] | None:
    """(offset, member, first bit, width) of ``name``, looked for in anonymous members too."""
    die = _strip(die)
    if die is None or depth > MAX_DEPTH:
        return None
    for child in children(die):
        if child.tag != "DW_TAG_member":
            continue
        location = child.attributes.get("DW_AT_data_member_location")
        offset = location.value if location is not None else 0
        label = child.attributes.get("DW_AT_name")
        if label is None:
            inner = _member(type_of(child), name, depth + 1)
            if inner is not None:
                return offset + inner[0], *inner[1:]
        elif label.value.decode() == name:
            return _bits(child, offset)
    return None


def _bits(member: Any, offset: int) -> tuple[int, Any, int | None, int]:
    attributes = member.attributes
    if "DW_AT_bit_size" not in attributes:
        return offset, member, None, 0
    width = attributes["DW_AT_bit_size"].value
    if "DW_AT_data_bit_offset" in attributes:
        first = attributes["DW_AT_data_bit_offset"].value
    else:  # DWARF 2 and 3 count from the most significant bit of the storage unit
        storage = attributes.get("DW_AT_byte_size")
        unit = storage.value if storage is not None else size_of(type_of(member))
        first = 8 * offset + 8 * unit - attributes["DW_AT_bit_offset"].value - width
    return first // 8, member, first % 8, width
