# SPDX-License-Identifier: GPL-2.0-or-later
"""The page that says what a PV guest has (public xen.h); in the 32-bit layout for a 32-bit guest.

`START_INFO` has what is filled in on boot and on resume, `START_OF_DAY` what is on boot alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from emu.abi.arguments import Mode
from emu.abi.struct import Member, Struct

MAGIC_SIZE = 32

START_INFO: Mapping[Mode, Struct] = {
    Mode.NATIVE: Struct(
        "start_info",
        88,
        (
            Member("nr_pages", 32, 8),
            Member("shared_info", 40, 8),
            Member("flags", 48, 4),
            Member("store_mfn", 56, 8),
            Member("store_evtchn", 64, 4),
            Member("console_mfn", 72, 8),
            Member("console_evtchn", 80, 4),
        ),
    ),
    Mode.COMPAT: Struct(
        "compat_start_info",
        60,
        (
            Member("nr_pages", 32, 4),
            Member("shared_info", 36, 4),
            Member("flags", 40, 4),
            Member("store_mfn", 44, 4),
            Member("store_evtchn", 48, 4),
            Member("console_mfn", 52, 4),
            Member("console_evtchn", 56, 4),
        ),
    ),
}
MAGIC: Mapping[Mode, bytes] = {Mode.NATIVE: b"xen-3.0-x86_64", Mode.COMPAT: b"xen-3.0-x86_32p"}
"""What stands in its first 32 bytes, ended by a NUL."""
PT_BASE: Mapping[Mode, tuple[int, int]] = {Mode.NATIVE: (88, 8), Mode.COMPAT: (60, 4)}
"""Offset and size of ``pt_base``: where the guest sees its own page tables.  What lies behind the ports of
the console is written when a domain is built, and no more by a shim that resumes."""

START_OF_DAY: Mapping[Mode, Struct] = {
    Mode.NATIVE: Struct(
        "start_info",
        1168,
        (
            Member("nr_pages", 32, 8),
            Member("pt_base", 88, 8),
            Member("nr_pt_frames", 96, 8),
            Member("mfn_list", 104, 8),
            Member("nr_p2m_frames", 1160, 8),
        ),
    ),
    Mode.COMPAT: Struct(
        "compat_start_info",
        1112,
        (
            Member("nr_pages", 32, 4),
            Member("pt_base", 60, 4),
            Member("nr_pt_frames", 64, 4),
            Member("mfn_list", 68, 4),
            Member("nr_p2m_frames", 1108, 4),
        ),
    ),
}
"""What only who builds a domain fills in: how its memory is laid out."""
CMD_LINE: Mapping[Mode, tuple[int, int]] = {Mode.NATIVE: (128, 1024), Mode.COMPAT: (80, 1024)}
"""Offset and size of ``cmd_line``."""
MACH2PHYS: Mapping[Mode, int] = {Mode.NATIVE: 0xFFFF800000000000, Mode.COMPAT: 0xF5800000}
"""Where a guest sees the table of all frames of the machine (public arch-x86/xen-x86_64.h, xen-x86_32.h)."""
