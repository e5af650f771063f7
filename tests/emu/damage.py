# SPDX-License-Identifier: GPL-2.0-or-later
"""Damage that keeps an object's structure: what parsers believe is changed field by field."""

from __future__ import annotations

import struct
from collections.abc import Callable

from hypothesis import strategies as st

EXTREMES = (0, 1, 7, 8, 0xFF, 0xFFF1, 0xFFF2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63)
EXTREME = st.sampled_from((*EXTREMES, (1 << 64) - 1, (1 << 64) - 8, 64 << 20))
SECTION = ((0, "<I"), (4, "<I"), (8, "<Q"), (24, "<Q"), (32, "<Q"), (40, "<I"), (44, "<I"))
"""Name, type, flags, offset, size, link, info of a section header; then its alignment."""
SYMBOL = ((0, "<I"), (4, "<B"), (6, "<H"), (8, "<Q"), (16, "<Q"))
RELOCATION = ((0, "<Q"), (8, "<I"), (12, "<I"), (16, "<q"))
SHT_SYMTAB, SHT_RELA = 2, 4

Damage = Callable[[bytearray, st.DataObject], None]


def _headers(core: bytearray) -> list[tuple[int, int, int, int]]:
    """Place of each section header, with its type, offset and size."""
    start, count = struct.unpack_from("<Q", core, 40)[0], struct.unpack_from("<H", core, 60)[0]
    found = []
    for index in range(count):
        at = start + 64 * index
        kind, offset, size = (
            struct.unpack_from(form, core, at + shift)[0]
            for shift, form in ((4, "<I"), (24, "<Q"), (32, "<Q"))
        )
        found.append((at, kind, offset, size))
    return found


def _put(core: bytearray, at: int, form: str, value: int) -> None:
    width = struct.calcsize(form)
    if at + width <= len(core):
        core[at : at + width] = (value & (1 << 8 * width) - 1).to_bytes(width, "little")


def section_header(core: bytearray, data: st.DataObject) -> None:
    at, *_ = data.draw(st.sampled_from(_headers(core)))
    shift, form = data.draw(st.sampled_from((*SECTION, (48, "<Q"))))
    _put(core, at + shift, form, data.draw(EXTREME))


def symbol(core: bytearray, data: st.DataObject) -> None:
    _entry(core, data, SHT_SYMTAB, SYMBOL)


def relocation(core: bytearray, data: st.DataObject) -> None:
    _entry(core, data, SHT_RELA, RELOCATION)


def _entry(
    core: bytearray, data: st.DataObject, kind: int, fields: tuple[tuple[int, str], ...]
) -> None:
    tables = [header for header in _headers(core) if header[1] == kind and header[3] >= 24]
    if not tables:
        return
    _, _, offset, size = data.draw(st.sampled_from(tables))
    index = data.draw(st.integers(0, min(size, 1 << 20) // 24 - 1))
    shift, form = data.draw(st.sampled_from(fields))
    value = data.draw(st.one_of(EXTREME, st.integers(0, 64)))
    _put(core, offset + 24 * index + shift, form, value)


def swapped(core: bytearray, data: st.DataObject) -> None:
    """Two sections have each other's bytes."""
    headers = st.sampled_from(_headers(core))
    one, other = data.draw(headers), data.draw(headers)
    for shift in (24, 32):
        first, second = (struct.unpack_from("<Q", core, h[0] + shift)[0] for h in (one, other))
        _put(core, one[0] + shift, "<Q", second)
        _put(core, other[0] + shift, "<Q", first)


def content(core: bytearray, data: st.DataObject) -> None:
    """Some bytes of one section."""
    full = [h for h in _headers(core) if h[3] and h[1] != 8 and h[2] + h[3] <= len(core)]
    if not full:
        return
    _, _, offset, size = data.draw(st.sampled_from(full))
    at = offset + data.draw(st.integers(0, size - 1))
    new = data.draw(st.one_of(st.binary(min_size=1, max_size=8), st.just(b"\xff" * 8)))
    core[at : at + len(new)] = new[: len(core) - at]


def cut(core: bytearray, data: st.DataObject) -> None:
    del core[data.draw(st.integers(0, len(core))) :]


KINDS: tuple[Damage, ...] = (section_header, symbol, relocation, swapped, content)


def damaged(core: bytes, data: st.DataObject) -> bytes:
    """``core`` with one to six of its beliefs changed."""
    changed = bytearray(core)
    for kind in data.draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6)):
        try:
            kind(changed, data)
        except struct.error:  # an earlier change has moved the headers out of the file
            break
    if data.draw(st.integers(0, 9)) == 0:
        cut(changed, data)
    return bytes(changed)
