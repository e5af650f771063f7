# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables that a Xen or Linux object carries for its loader: alternatives, fixups, bug frames.

Without the alternatives stac and clac are no-ops and SMAP cannot be judged; without the exception
table a faulting guest access is a crash; without bug frames a WARN looks like a BUG.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from emu.abi import signed
from emu.elf import Image
from emu.errors import TruncatedElf
from emu.spaces import LinearAddr

M64 = (1 << 64) - 1
ALTERNATIVE_SIZE = 12
"""Xen 4.10: s32 original, s32 replacement (both relative to themselves), u16 feature, u8 lengths."""
UD2 = b"\x0f\x0b"
RESUMABLE_FRAMES = (0, 1)
"""BUGFRAME_run_fn and BUGFRAME_warn go on behind the ud2; bug and assert do not."""


def apply_alternatives(image: Image, entry_size: int = ALTERNATIVE_SIZE) -> int:
    """Patch every alternative in, as on a processor that has every feature; returns how many."""
    table = image.section(".altinstructions")
    if table is None:
        return 0
    address, size = table
    if entry_size < ALTERNATIVE_SIZE or size % entry_size:
        raise TruncatedElf(
            f"{size} bytes are not a whole number of entries of {entry_size} bytes",
            ".altinstructions",
            "the profile's ALTERNATIVE_SIZE must be that of this tree",
        )
    for offset in range(0, size, entry_size):
        at = address + offset
        original, replacement, _, length, new_length = struct.unpack(
            "<iiHBB", image.bytes_at(at, ALTERNATIVE_SIZE)
        )
        if new_length > length:
            raise TruncatedElf(f"{new_length} bytes do not fit in {length}", ".altinstructions")
        new = image.bytes_at((at + 4 + replacement) & M64, new_length)
        _patch(image, (at + original) & M64, new.ljust(length, b"\x90"))
    return size // entry_size


def _patch(image: Image, address: LinearAddr, content: bytes) -> None:
    for segment in image.segments:
        offset = address - segment.address
        if offset >= 0 and offset + len(content) <= len(segment.data):
            segment.data[offset : offset + len(content)] = content
            return
    raise TruncatedElf(f"an alternative for {address:#x}, out of the object", ".altinstructions")


def exception_table(image: Image) -> dict[LinearAddr, LinearAddr]:
    """Address of the faulting instruction to address of its fixup (``.ex_table``)."""
    found = {}
    for at, fault, fixup in _pairs(image, ".ex_table"):
        found[(at + signed(fault, 32)) & M64] = (at + 4 + signed(fixup, 32)) & M64
    return found


def resumable_traps(image: Image) -> frozenset[LinearAddr]:
    """Addresses of the ud2 instructions that are no fatal BUG."""
    return frozenset(
        (at + signed(location & 0xFFFFFF, 24)) & M64
        for kind in RESUMABLE_FRAMES
        for at, location, _ in _pairs(image, f".bug_frames.{kind}")
    )


def _pairs(image: Image, name: str) -> Iterator[tuple[LinearAddr, int, int]]:
    table = image.section(name)
    if table is None:
        return
    address, size = table
    if size % 8:
        raise TruncatedElf(f"{size} bytes are not a whole number of entries of 8 bytes", name)
    for offset in range(0, size, 8):
        at = address + offset
        first, second = struct.unpack("<II", image.bytes_at(at, 8))
        yield at, first, second
