# SPDX-License-Identifier: GPL-2.0-or-later
"""The hypervisor below the shim, as far as a guest can see it: a model written from the public ABI.

    domain      what L0 keeps of the domain, how it reads its arguments
    dispatch    recording, failures on demand
    registry    which function answers which operation
    standing    how a domain stands, to compare it with another moment
    shared      the shared info page: time, pending and masked events
    events      EVTCHNOP_*
    grants      GNTTABOP_*
    memory      XENMEM_*
    vcpu        VCPUOP_*
    sched       SCHEDOP_*
    hvm         HVMOP_*
    console     CONSOLEIO_*, XENVER_*

The operations import `domain`; `dispatch` is given them.  The model knows nothing of how
the shim runs: the object level and the booted level give it a `L0Memory` each.
"""

from emu.l0.dispatch import L0
from emu.l0.domain import Hardware, Interactions, L0Memory, L0Setup, PortKind
from emu.l0.registry import OPERATIONS

__all__ = ["L0", "OPERATIONS", "Hardware", "Interactions", "L0Memory", "L0Setup", "PortKind"]
