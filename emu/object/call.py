# SPDX-License-Identifier: GPL-2.0-or-later
"""What came of one call into the core, for those who judge it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from emu.findings.invariant import Invariant
from emu.findings.verdict import L0Call
from emu.l0.standing import Standing
from emu.object.context import Context
from emu.profile.scenario import Case
from emu.spaces import NOWHERE, LinearAddr

SAVED = ("rbx", "rbp", "r12", "r13", "r14", "r15")
"""Registers that a function preserves (psABI 3.2.1)."""
SAVED_VALUES = tuple(0x5A5A000000000000 + i for i in range(len(SAVED)))
EFLAGS_AC = 1 << 18


class Crashed(NamedTuple):
    """Why a core did not return, and where."""

    invariant: Invariant
    message: str
    address: LinearAddr
    deliberate: bool = False
    """The core itself has stopped, by BUG or panic."""


@dataclass(slots=True)
class Run:
    """One case, called under one plan."""

    case: Case
    context: Context
    result: int | None = None
    crash: Crashed | None = None
    """Where the core did not return."""
    no_model: str = ""
    ended: bool = False
    """The domain shut down in L0."""
    calls_before: int = 0
    """L0 calls made by the calls that prepared the ground."""
    opened_before: frozenset[int] = frozenset()
    """Ports open in L0 when the judged call began."""
    masked_before: frozenset[int] = frozenset()
    """Ports that earlier calls have masked in the page shared with L0."""
    stood_before: Standing | None = None
    """How the domain stood when the judged call began, where that is to suspend it."""
    again: int | None = None
    """What the same call came to when it was made once more, with nothing failing."""
    calls_again: tuple[L0Call, ...] = ()
    """What that asked L0 for."""
    amiss_again: tuple[str, ...] = ()
    """What the guest saw of that and should have seen otherwise."""
    registers: tuple[int, ...] = ()
    """Callee-saved registers, rsp and eflags at return."""
    buffer_before: bytes = b""
    guest_before: bytes = b""
    """The guest's pages, where other calls went before this one."""
    stack_before: bytes = b""
    """The stack, where the scenario has changed what is at its top."""
    rsp: LinearAddr = NOWHERE
