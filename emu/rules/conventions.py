# SPDX-License-Identifier: GPL-2.0-or-later
"""What every function owes its caller: locks, SMAP, registers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from emu.findings.invariant import Invariant
from emu.rules.base import Broken, Rule
from emu.spaces import LinearAddr


class HoldsLocks(Protocol):
    """What the core has locked and paused."""

    def held_locks(self) -> Iterable[str]:
        """Names of the locks that it holds at return."""

    def paused_vcpus(self) -> Iterable[str]:
        """Names of the vcpus that it has paused and not let go."""


class HeldLocks(Rule[HoldsLocks]):
    name = Invariant.LOCKS
    reason = "a lock that is held at return deadlocks the next caller"

    def check(self, seen: HoldsLocks) -> Iterator[Broken]:
        for lock in seen.held_locks():
            yield Broken(f"{lock} is still held at return")


class PausedVcpus(Rule[HoldsLocks]):
    name = Invariant.VCPUS
    reason = "a vcpu that stays paused never runs again"

    def check(self, seen: HoldsLocks) -> Iterator[Broken]:
        for vcpu in seen.paused_vcpus():
            yield Broken(f"{vcpu} is still paused at return")


class UsesVariables(Protocol):
    """The core's own variables and locks."""

    def unguarded(self) -> Iterable[str]:
        """The lock of each variable that was written under it, and without it while others could run, in this
        call or in those before it."""


class Guarded(Rule[UsesVariables]):
    """What is written under a lock here, another vcpu may write there at the same moment (Savage et al.,
    Eraser, 1997; here for a few calls in a row)."""

    name = Invariant.LOCKS
    reason = "what is written without the lock, another may be writing under it"

    def check(self, seen: UsesVariables) -> Iterator[Broken]:
        for lock in dict.fromkeys(seen.unguarded()):
            yield Broken(f"a variable that is written under {lock} is written without it, too")


class ReturnState(Protocol):
    """The processor when the function has returned."""

    @property
    def access_flag(self) -> bool:
        """EFLAGS.AC."""

    @property
    def interrupts_off(self) -> bool:
        """EFLAGS.IF is clear, and was set when the function was called."""

    @property
    def stack_moved(self) -> int:
        """The stack pointer, less what the caller's was."""

    def lost_registers(self) -> Iterable[str]:
        """Names of the callee-saved registers that have another value."""


class AccessFlag(Rule[ReturnState]):
    name = Invariant.SMAP
    reason = "EFLAGS.AC left set at return switches SMAP off for whatever runs next"

    def check(self, seen: ReturnState) -> Iterator[Broken]:
        if seen.access_flag:
            yield Broken("EFLAGS.AC is set at return")


class Interrupts(Rule[ReturnState]):
    name = Invariant.LOCKS
    reason = "a lock that was taken with interrupts off is let go with them as they were"

    def check(self, seen: ReturnState) -> Iterator[Broken]:
        if seen.interrupts_off:
            yield Broken("interrupts are off at return, and were on when it was called")


class Registers(Rule[ReturnState]):
    name = Invariant.REGISTERS
    reason = (
        "a function preserves rbx, rbp, r12-r15 and returns with its caller's stack (psABI 3.2.1)"
    )

    def check(self, seen: ReturnState) -> Iterator[Broken]:
        for name in seen.lost_registers():
            yield Broken(f"{name} is not preserved")
        if seen.stack_moved:
            yield Broken(f"the stack pointer is off by {seen.stack_moved}")


class HandsPointers(Protocol):
    """What L0 was given to read."""

    def guest_pointers(self) -> Iterable[tuple[str, LinearAddr, LinearAddr]]:
        """(operation, pointer, address of the caller or `NOWHERE`) of guest memory that L0 was handed while
        EFLAGS.AC was clear."""


class GuestPointers(Rule[HandsPointers]):
    name = Invariant.SMAP
    reason = "L0 reads with its caller's SMAP: a guest's pointer without EFLAGS.AC is -EFAULT"

    def check(self, seen: HandsPointers) -> Iterator[Broken]:
        for op, pointer, caller in seen.guest_pointers():
            yield Broken(
                f"{op} is handed to L0 with a pointer to guest memory ({pointer:#x}), EFLAGS.AC clear",
                caller,
            )
