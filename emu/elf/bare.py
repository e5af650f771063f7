# SPDX-License-Identifier: GPL-2.0-or-later
"""An image without its debug information, which nothing at this level reads.

Seven eighths of Xen's image are that: bare of it, it is kept, handed to another process and read in a tenth
of the time and of the room.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from emu.elf.linked import SHF_ALLOC, SHT_PROGBITS, check_header
from emu.errors import ElfError

SHT_NOBITS = 8
_HEADER, _SEGMENT, _SECTION = 64, 56, 64
"""Sizes of a header in bytes (gABI: Elf64_Ehdr, Elf64_Phdr, Elf64_Shdr)."""


def without_debug(data: bytes) -> bytes:
    """The same image with empty ``.debug_...`` sections, and all that came after them moved forward.

    What is no image comes back as it is, and so does one in which anything else lies among them.
    """
    try:
        check_header(data)
        return _without(data, *_layout(data))
    except (ElfError, struct.error):
        return data


class _Range(NamedTuple):
    """Bytes [start, end) of the file, and where the file says so: of what stays, its start, of what goes,
    its size."""

    start: int
    end: int
    said: int


def _layout(data: bytes) -> tuple[list[_Range], list[_Range]]:
    """What goes, in order, and what stays."""
    segments, sections = struct.unpack_from("<QQ", data, 32)
    size, count, other_size, other_count, names = struct.unpack_from("<HHHHH", data, 54)
    if size != _SEGMENT or other_size != _SECTION or names >= other_count:
        raise struct.error("headers of another kind")
    stay = [
        _Range(segments, segments + _SEGMENT * count, 32),
        _Range(sections, sections + _SECTION * other_count, 40),
    ]
    for at in range(segments, segments + _SEGMENT * count, _SEGMENT):
        offset, _, _, filled = struct.unpack_from("<QQQQ", data, at + 8)
        stay.append(_Range(offset, offset + filled, at + 8))
    (spelled,) = struct.unpack_from("<Q", data, sections + _SECTION * names + 24)
    go = []
    for at in range(sections, sections + _SECTION * other_count, _SECTION):
        name, kind, flags, _, offset, length = struct.unpack_from("<IIQQQQ", data, at)
        debug = data[spelled + name : spelled + name + 7] == b".debug_"
        if debug and length and kind == SHT_PROGBITS and not flags & SHF_ALLOC:
            go.append(_Range(offset, offset + length, at + 32))
            length = 0
        stay.append(_Range(offset, offset if kind == SHT_NOBITS else offset + length, at + 24))
    return sorted(go), stay


def _without(data: bytes, go: Sequence[_Range], stay: Sequence[_Range]) -> bytes:
    starts, ends = [cut.start for cut in go], [cut.end for cut in go]
    gone = [0, *accumulate(cut.end - cut.start for cut in go)]
    if not go or starts[0] < _HEADER or ends[-1] > len(data):
        return data
    if any(a.end > b.start for a, b in pairwise(go)):
        return data
    for each in stay:
        nearest = bisect_right(ends, each.start)
        if nearest < len(go) and starts[nearest] < max(each.start, each.end):
            return data
    found = bytearray().join(
        memoryview(data)[end:start]
        for end, start in zip([0, *ends], [*starts, len(data)], strict=True)
    )

    def moved(place: int) -> int:
        return place - gone[bisect_left(starts, place)]

    for each in go:
        struct.pack_into("<Q", found, moved(each.said), 0)
    for each in stay:
        struct.pack_into("<Q", found, moved(each.said), moved(each.start))
    return bytes(found)
