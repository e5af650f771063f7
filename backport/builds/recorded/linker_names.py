# SPDX-License-Identifier: GPL-2.0-or-later
"""What a linker goes by in an object file: the names it defines and needs, and its sections.

An object whose names and sections are the same as before links as before, whatever its code has
become (but for room: an image that a linker script bounds can grow past it).
"""

from __future__ import annotations

import struct

_SYMTAB, _REL, _ALLOC, _UNDEFINED, _RESERVED = 2, 1, 2, 0, 0xFF00


def link_names(data: bytes) -> frozenset[tuple[str, int, int]] | None:
    """Names with their binding, and sections with theirs; None for what is no 64-bit ELF object."""
    if data[:6] != b"\x7fELF\x02\x01" or data[16:18] != b"\x01\x00":
        return None
    try:
        return frozenset(_read(data))
    except (struct.error, IndexError, ValueError):
        return None


def _read(data: bytes) -> list[tuple[str, int, int]]:
    (table,) = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    if size != 64 or not 0 < names < count:
        raise ValueError("section headers of another kind")
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, table + 64 * n) for n in range(count)]
    found = []
    for name, kind, flags, _, at, length, link, local, _, _ in sections:
        if flags & _ALLOC:
            found.append((_text(data, sections[names][4] + name), kind, flags))
        if kind != _SYMTAB:
            continue
        strings = sections[link][4]
        for entry in range(at + 24 * local, at + length, 24):
            spelled, info, other, place = struct.unpack_from("<IBBH", data, entry)
            where = place if place == _UNDEFINED or place >= _RESERVED else _REL
            found.append((_text(data, strings + spelled), info << 8 | other, where))
    return found


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode("utf-8", "surrogateescape")
