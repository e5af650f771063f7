# SPDX-License-Identifier: GPL-2.0-or-later
"""The hypervisor below the shim, as far as a guest can see it: a model written from the public ABI.

    model       dispatch, argument reading (with SMAP), recording, failures on demand
    events      event channels
    grants      grant tables
    platform    memory, vcpu, sched, hvm parameters, version, console
    shared      the shared info page: time, pending and masked events

The model knows nothing of how the shim runs: the object level and the booted level give it a
`L0Memory` each.
"""

from emu.l0.model import L0, Frames, Interactions, L0Memory, L0Setup
from emu.l0.registry import OPERATIONS

__all__ = ["L0", "OPERATIONS", "Frames", "Interactions", "L0Memory", "L0Setup"]
