# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things lie in the address space that a core finds, and where its guest has put what it asks with."""

from __future__ import annotations

from emu.abi import Mode
from emu.elf import PAGE
from emu.spaces import LinearAddr

STACK_BASE = LinearAddr(0xFFFF830000100000)
HEAP_BASE = LinearAddr(0xFFFF830000400000)
HEAP_SIZE = 24 * PAGE
"""Small, since it is put back before each call: room for a thousand event channels."""
WORLD_BASE = LinearAddr(0xFFFF830000800000)
GUEST_BASE = LinearAddr(0x00A00000)
GUEST_SIZE = 2 * PAGE
GUEST_READONLY = LinearAddr(0x00B00000)
GUEST_ABSENT = LinearAddr(0x00C00000)
GUEST_FAR = LinearAddr(0x00007F8000000000)
GUEST_HIGH = LinearAddr(0xFFFF880000000000)
"""Where a 64-bit guest's own kernel begins: the first byte above the hypervisor's range."""
BUFFER = GUEST_BASE + 0x100
LIST = GUEST_BASE + PAGE
LIST_END = GUEST_BASE + GUEST_SIZE - 8
COMPAT_HYPERVISOR = LinearAddr(0xF5800000)
"""Where a 32-bit guest's address space ends."""
COMPAT_FLAG, COMPAT_START = "arch.is_32bit_pv", "arch.hv_compat_vstart"
"""All that makes a domain a 32-bit one."""
START_INFO_BASE = LinearAddr(0xFFFF82C000000000)
"""Where the core finds the guest's start info page once it has mapped it."""
START_INFO_FRAME = {Mode.NATIVE: 0x100054321, Mode.COMPAT: 0x54321}
"""Wider than 16 bits, and a 64-bit guest's wider than 32."""
RUBBISH = 0xDEADBEEF << 32
"""In the upper half of a 32-bit guest's registers, where nothing of the guest is (SDM volume 1, 3.4.1.1)."""
FIRST_HEAP_FRAME = 0x4007000
"""Wider than 16 bits, and a multiple of a page's bytes, so that its `page_info`, of any size, is at the
begin of a page."""
HEAP_FRAMES = 256
TOT_PAGES = 0x3210
