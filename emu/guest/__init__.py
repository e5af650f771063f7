# SPDX-License-Identifier: GPL-2.0-or-later
"""The guests (L2) that the booted level gives the shim to run: drivers that make hypercalls for us.

kernel        a kernel of a few instructions
vcpu_context  first registers of its second vcpu
system_time   the time as it computes it
"""

from emu.guest.kernel import GuestKernel, build_kernel
from emu.guest.system_time import TIME_INFO_SIZE, TimeInfo
from emu.guest.vcpu_context import first_registers

__all__ = ["TIME_INFO_SIZE", "GuestKernel", "TimeInfo", "build_kernel", "first_registers"]
