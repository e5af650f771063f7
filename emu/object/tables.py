# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables that a Xen or Linux object carries for its traps: fixups and bug frames.

Without the exception table a faulting guest access is a crash; without bug frames a WARN looks like a BUG.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from emu.abi import signed
from emu.elf import Image
from emu.errors import TruncatedElf
from emu.spaces import LinearAddr

M64 = (1 << 64) - 1
TRAPS = (b"\x0f\x0b", b"\xd6")
"""ud2, and udb: how a hypervisor stops itself, or says something and goes on."""
RESUMABLE_FRAMES = (0, 1)
"""BUGFRAME_run_fn and BUGFRAME_warn go on behind the ud2; bug and assert do not."""


def exception_table(image: Image) -> dict[LinearAddr, LinearAddr]:
    """Address of the faulting instruction to address of its fixup (``.ex_table``)."""
    found = {}
    for at, fault, fixup in _pairs(image, ".ex_table"):
        found[(at + signed(fault, 32)) & M64] = (at + 4 + signed(fixup, 32)) & M64
    return found


def trap_size(code: bytes) -> int:
    """Bytes of the trap that ``code`` begins with; 0 for anything else."""
    return next((len(trap) for trap in TRAPS if code.startswith(trap)), 0)


def resumable_traps(image: Image) -> frozenset[LinearAddr]:
    """Addresses of the traps that are no fatal BUG."""
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
