# SPDX-License-Identifier: GPL-2.0-or-later
"""First registers of a guest's vcpu: ``struct vcpu_guest_context`` (public arch-x86/xen.h), both modes.

Only what a kernel of ours needs is filled: where to begin, its stack, its page tables, its callbacks.
"""

from __future__ import annotations

import struct

from emu.abi import Mode
from emu.elf import PAGE
from emu.guest.kernel import GuestKernel

VGCF_IN_KERNEL = 1 << 2
EFLAGS = 0x202
SIZES: dict[Mode, int] = {Mode.NATIVE: 5168, Mode.COMPAT: 2800}


def first_registers(kernel: GuestKernel, vcpu: int, root: int) -> bytes:
    """``root``: the frame of the guest's page tables, of their top level as its mode has it."""
    content = bytearray(SIZES[kernel.mode])
    if kernel.mode is Mode.NATIVE:
        _fill64(content, kernel, vcpu, root)
    else:
        _fill32(content, kernel, vcpu, root)
    return bytes(content)


def _fill64(content: bytearray, kernel: GuestKernel, vcpu: int, root: int) -> None:
    kernel_ss, kernel_cs = 0xE02B, 0xE033
    regs = 520
    struct.pack_into("<Q", content, 512, VGCF_IN_KERNEL)
    struct.pack_into("<Q", content, regs + 4 * 8, vcpu)  # rbp
    frame = kernel.start, kernel_cs, EFLAGS, kernel.stack, kernel_ss
    struct.pack_into("<QQQQQ", content, regs + 128, *frame)
    struct.pack_into("<QQ", content, 4968, kernel_ss, kernel.stack)
    struct.pack_into("<Q", content, 4984 + 3 * 8, root * PAGE)  # cr3
    struct.pack_into("<QQ", content, 5112, kernel.event, kernel.event)


def _fill32(content: bytearray, kernel: GuestKernel, vcpu: int, root: int) -> None:
    kernel_cs, kernel_ss = 0xE019, 0xE021
    regs = 516
    struct.pack_into("<I", content, 512, VGCF_IN_KERNEL)
    struct.pack_into("<I", content, regs + 5 * 4, vcpu)  # ebp
    frame = kernel.start, kernel_cs, EFLAGS, kernel.stack, kernel_ss
    struct.pack_into("<IIIII", content, regs + 32, *frame)
    struct.pack_into("<III", content, regs + 52, kernel_ss, kernel_ss, 0)  # es, ds, fs
    struct.pack_into("<II", content, 2708, kernel_ss, kernel.stack)
    root = (root << 12 | root >> 20) & 0xFFFFFFFF
    struct.pack_into("<I", content, 2716 + 3 * 4, root)  # cr3
    struct.pack_into("<IIII", content, 2780, kernel_cs, kernel.event, kernel_cs, kernel.event)
