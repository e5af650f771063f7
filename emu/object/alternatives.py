# SPDX-License-Identifier: GPL-2.0-or-later
"""Alternatives: instructions that a loader puts in place of others, on a processor that has a feature.

Without them stac and clac are no-ops and SMAP cannot be judged, and a core of today asks L0 through a stub
that is only there while it boots.

An entry is s32 original, s32 replacement (both relative to themselves), u16 feature, u8 length, u8 length of
the replacement (Xen 4.10); then u8 padding, which makes room behind the original (4.11), and a byte of the
loader's own.  The size of an entry is read from the relocations of the section: two an entry.  The highest
bit of the feature says that the replacement is for processors without it.
"""

from __future__ import annotations

import struct

from emu.elf import Image
from emu.errors import TruncatedElf
from emu.spaces import LinearAddr

SECTION = ".altinstructions"
SHORTEST, PADDED = 12, 13
"""Bytes of an entry, without and with padding."""
WITHOUT = 1 << 15
M64 = (1 << 64) - 1
NOP = b"\x90"
_NEAR = (0xE8, 0xE9)
"""call and jmp: relative to where they are."""


def apply_alternatives(image: Image) -> int:
    """Patch every alternative in, as on a processor that has every feature; returns how many.

    In the order of the table, as a loader does it: of several for one place the last one counts.
    """
    table = image.section(SECTION)
    if table is None:
        return 0
    address, size = table
    stride = entry_size(image)
    applied = 0
    for at in range(address, address + size, stride):
        applied += _apply(image, LinearAddr(at), stride)
    return applied


def entry_size(image: Image) -> int:
    """Bytes of an entry; 0 where there is no table."""
    section = image.elf.section(SECTION)
    if section is None or not section.size:
        return 0
    size = section.size
    offsets = sorted(offset for offset, *_ in image.elf.relocations(section))
    count = len(offsets) // 2
    stride, rest = divmod(size, count) if count else (size, 0)
    wanted = [start + field for start in range(0, size, stride or 1) for field in (0, 4)]
    if rest or stride < SHORTEST or offsets != wanted:
        raise TruncatedElf(
            f"{len(offsets)} relocations in {size} bytes are not two for each entry",
            SECTION,
            "an entry begins with the places of original and replacement",
        )
    return stride


def _apply(image: Image, at: LinearAddr, stride: int) -> bool:
    entry = image.bytes_at(at, stride)
    original, replacement, feature, length, new_length = struct.unpack_from("<iiHBB", entry)
    if feature & WITHOUT:
        return False
    room = length + (entry[SHORTEST] if stride >= PADDED else 0)
    if new_length > room:
        raise TruncatedElf(f"{new_length} bytes do not fit in {room}", SECTION)
    source, target = (at + 4 + replacement) & M64, (at + original) & M64
    new = bytearray(image.bytes_at(LinearAddr(source), new_length))
    if new_length >= 5 and new[0] in _NEAR:
        distance = int.from_bytes(new[1:5], "little", signed=True) + source - target
        new[1:5] = (distance & 0xFFFFFFFF).to_bytes(4, "little")
    _patch(image, LinearAddr(target), bytes(new).ljust(room, NOP))
    return True


def _patch(image: Image, address: LinearAddr, content: bytes) -> None:
    for segment in image.segments:
        offset = address - segment.address
        if offset >= 0 and offset + len(content) <= len(segment.data):
            segment.data[offset : offset + len(content)] = content
            return
    raise TruncatedElf(f"an alternative for {address:#x}, out of the object", SECTION)
