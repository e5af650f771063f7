# SPDX-License-Identifier: GPL-2.0-or-later
"""The guests (L2) that the booted level gives the shim to run: drivers that make hypercalls for us."""

from emu.guest.context import first_registers
from emu.guest.kernel import GuestKernel, build_kernel

__all__ = ["GuestKernel", "build_kernel", "first_registers"]
