# SPDX-License-Identifier: GPL-2.0-or-later
"""Which function answers which operation."""

from __future__ import annotations

from emu.l0 import console, events, grants, hvm, memory, sched, vcpu
from emu.l0.domain import Operation

OPERATIONS: dict[str, Operation] = {
    **events.OPERATIONS,
    **grants.OPERATIONS,
    **memory.OPERATIONS,
    **vcpu.OPERATIONS,
    **sched.OPERATIONS,
    **hvm.OPERATIONS,
    **console.OPERATIONS,
}
