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

from emu.elf.headers import (
    HEADER_SIZE,
    OFFSET_IN_SECTION,
    OFFSET_IN_SEGMENT,
    SECTION_SIZE,
    SECTIONS_AT,
    SEGMENT_SIZE,
    SEGMENTS_AT,
    SHF_ALLOC,
    SHT_NOBITS,
    SHT_PROGBITS,
    SIZE_IN_SECTION,
    section_headers,
    segment_headers,
)
from emu.elf.linked import image_header
from emu.errors import ElfError, TruncatedElf

_DEBUG = b".debug_"
_FIELD = 8
"""Bytes of an offset or a size."""


def without_debug(data: bytes) -> bytes:
    """The same image with empty ``.debug_...`` sections, and all that came after them moved forward.

    What is no image comes back as it is, and so does one in which anything else lies among them.
    """
    try:
        return _without(data, *_layout(data))
    except ElfError:
        return data


class _Range(NamedTuple):
    """Bytes [start, end) of the file, and where the file says so: of what stays, its start, of what goes,
    its size."""

    start: int
    end: int
    said: int


def _layout(data: bytes) -> tuple[list[_Range], list[_Range], list[_Range]]:
    """What goes, in order, what stays, and of that the segments."""
    header = image_header(data)
    segments, sections = segment_headers(data, header), section_headers(data, header)
    if header.names >= len(sections):
        raise TruncatedElf("no names of sections", "ELF header")
    at, spelled = header.segments_at, sections[header.names].offset
    stay = [_Range(at, at + SEGMENT_SIZE * len(segments), SEGMENTS_AT)]
    for segment in segments:
        end = segment.offset + segment.filled
        stay.append(_Range(segment.offset, end, at + OFFSET_IN_SEGMENT))
        at += SEGMENT_SIZE
    loaded = stay[1:]
    at = header.sections_at
    stay.append(_Range(at, at + SECTION_SIZE * len(sections), SECTIONS_AT))
    go = []
    for section in sections:
        offset, length = section.offset, section.size
        named = data[spelled + section.name : spelled + section.name + len(_DEBUG)] == _DEBUG
        if named and length and section.type == SHT_PROGBITS and not section.flags & SHF_ALLOC:
            go.append(_Range(offset, offset + length, at + SIZE_IN_SECTION))
            length = 0
        end = offset if section.type == SHT_NOBITS else offset + length
        stay.append(_Range(offset, end, at + OFFSET_IN_SECTION))
        at += SECTION_SIZE
    return sorted(go), stay, loaded


def _without(
    data: bytes, go: Sequence[_Range], stay: Sequence[_Range], loaded: Sequence[_Range]
) -> bytes:
    starts, ends = [cut.start for cut in go], [cut.end for cut in go]
    gone = [0, *accumulate(cut.end - cut.start for cut in go)]
    if not go or starts[0] < HEADER_SIZE or ends[-1] > len(data):
        return data
    if any(a.end > b.start for a, b in pairwise(go)):
        return data
    # Tables that lie over the header or over each other: a place written there is read as something else.
    written = sorted(each.said for each in (*go, *stay))
    in_tables = written[2:]
    if written[:2] != [SEGMENTS_AT, SECTIONS_AT] or in_tables[0] < HEADER_SIZE:
        return data
    if any(b - a < _FIELD for a, b in pairwise(in_tables)):
        return data
    # What a segment loads is what the guest sees, also where that is one of these tables.
    for load in loaded:
        nearest = bisect_left(written, load.start - _FIELD + 1)
        if nearest < len(written) and written[nearest] < load.end:
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
