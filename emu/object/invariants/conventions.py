# SPDX-License-Identifier: GPL-2.0-or-later
"""What every function owes its caller: locks, SMAP, registers."""

from __future__ import annotations

from emu.object.call import EFLAGS_AC, SAVED, SAVED_VALUES, Run
from emu.object.invariants.invariant import Found, Invariant
from emu.object.machine import Machine


class Locks(Invariant):
    name = "locks"
    reason = "a lock that is held at return deadlocks the next caller"

    def check(self, machine: Machine, run: Run) -> Found:
        for lock in run.context.locks:
            yield f"{machine.lock_name(lock)} is still held at return", 0


class AccessFlag(Invariant):
    name = "SMAP"
    reason = "EFLAGS.AC left set at return switches SMAP off for whatever runs next"

    def check(self, machine: Machine, run: Run) -> Found:
        if run.registers[-1] & EFLAGS_AC:
            yield "EFLAGS.AC is set at return", 0


class GuestPointers(Invariant):
    name = "SMAP"
    reason = "L0 reads with its caller's SMAP: a guest's pointer without EFLAGS.AC is -EFAULT"

    def check(self, machine: Machine, run: Run) -> Found:
        for op, address in run.context.l0.guest_pointers:
            yield (
                f"{op} is handed to L0 with a pointer to guest memory ({address:#x}), EFLAGS.AC clear",
                0,
            )


class Vcpus(Invariant):
    name = "vcpus"
    reason = "a vcpu that stays paused never runs again"

    def check(self, machine: Machine, run: Run) -> Found:
        for vcpu in run.context.paused:
            yield f"{machine.world.vcpu_name(vcpu)} is still paused at return", 0


class Registers(Invariant):
    name = "registers"
    reason = (
        "a function preserves rbx, rbp, r12-r15 and returns with its caller's stack (psABI 3.2.1)"
    )

    def check(self, machine: Machine, run: Run) -> Found:
        for name, value, wanted in zip(SAVED, run.registers, SAVED_VALUES, strict=False):
            if value != wanted:
                yield f"{name} is not preserved", 0
        if run.registers[len(SAVED)] != run.rsp:
            yield f"the stack pointer is off by {run.registers[len(SAVED)] - run.rsp}", 0
