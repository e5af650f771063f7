# SPDX-License-Identifier: GPL-2.0-or-later
"""What must hold for every call into every core, whatever it does.

Each invariant is a small class with a name, the reason why it is one, and a check that yields
(message, address) for what it finds.  None knows of a particular defect, and none is tuned to a core.
What can only be seen while the core runs (a deadlock, a bad unlock, SMAP on a direct access, a page given
back twice) is noted where it happens: `emu.object.context` and `emu.object.boundary`.
"""

from emu.object.invariants.conventions import AccessFlag, GuestPointers, Locks, Registers, Vcpus
from emu.object.invariants.failures import ErrorCode, FailureReported, Refusal, Resources
from emu.object.invariants.invariant import Invariant
from emu.object.invariants.state import Memory, PortsAgree, SharedPage
from emu.object.invariants.translation import GuestStructure, OutFields, Translation

AFTER_RETURN: tuple[Invariant, ...] = (
    Locks(),
    AccessFlag(),
    GuestPointers(),
    Registers(),
    Vcpus(),
    FailureReported(),
    ErrorCode(),
    GuestStructure(),
    Refusal(),
    Resources(),
    OutFields(),
    Translation(),
    PortsAgree(),
    SharedPage(),
    Memory(),
)
ALWAYS: tuple[Invariant, ...] = (GuestPointers(), Translation())
"""Also checked where the core did not return."""

__all__ = ["AFTER_RETURN", "ALWAYS", "Invariant"]
