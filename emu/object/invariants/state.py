# SPDX-License-Identifier: GPL-2.0-or-later
"""What a call leaves behind: event channels, the page shared with L0, memory."""

from __future__ import annotations

from emu.object.addresses import BUFFER, LIST
from emu.object.call import Run
from emu.object.invariants.invariant import Found, Invariant
from emu.object.machine import Machine

MAX_LISTED = 4


class PortsAgree(Invariant):
    name = "ports agree"
    reason = "a port is in use above exactly when it is open below"

    def check(self, machine: Machine, run: Run) -> Found:
        world, l0 = machine.world, run.context.l0
        if not world.channels.size or any(not i.legal for i in run.context.plan.injected):
            return
        free = machine.profile.constant("ECS_FREE")
        before, after = run.opened_before, frozenset(l0.ports)
        for port in sorted(after - before):
            if run.result == 0 and world.channels.state(port) == free:
                yield f"port {port} was opened in L0 and is free in the core", 0
        for port in sorted(before - after):
            if run.case.scenario.operation != "EVTCHNOP_reset" and world.channels.state(
                port
            ) not in (
                None,
                free,
            ):
                yield f"port {port} was closed in L0 and is still in use in the core", 0
        if run.case.scenario.repeat > 1:
            return
        states = {port.number for port in run.case.scenario.ports}
        for port in sorted(_ports_named(run) - states - after - before):
            if world.channels.state(port) not in (None, free):
                yield f"port {port} is not open in L0, and is in use in the core", 0


class SharedPage(Invariant):
    name = "shared page"
    reason = "a bit set for the wrong port takes another device's events away"

    def check(self, machine: Machine, run: Run) -> Found:
        case = run.case
        if case.struct is None or not machine.takes_buffer(case):
            return
        asked = case.struct.decode(run.buffer_before)
        for port in sorted(machine.world.masked_ports()):
            if port != asked.get("port"):
                yield f"port {port} is masked in L0's shared page, which nobody asked for", 0


class Memory(Invariant):
    name = "memory"
    reason = "only the guest's own buffers, the core's variables and what it was given may change"

    def check(self, machine: Machine, run: Run) -> Found:
        world, memory = machine.world, machine.memory
        for address in self._wild(machine, run)[:MAX_LISTED]:
            yield f"guest memory is changed at {address:#x}, outside of its structure", 0
        info = world.stack_top - world.stack.base
        if not memory.unchanged(world.stack, info):
            yield "the per-processor structure at the top of the stack is overwritten", 0
        used = run.context.brk - world.heap.base
        if not memory.unchanged(world.heap, used):
            yield "the heap is written to behind its last allocation", 0
        if not memory.unchanged(world.structs, world.structs_end - world.structs.base):
            yield "hypervisor memory is written to that belongs to nobody", 0

    @staticmethod
    def _wild(machine: Machine, run: Run) -> list[int]:
        """Addresses of changes before the guest's list and not in its structure."""
        guest, memory, before = machine.world.guest, machine.memory, run.guest_before
        struct = run.case.struct
        end = BUFFER + (struct.size if struct is not None else 64)
        outside = ((0, BUFFER - guest.base), (end - guest.base, LIST - guest.base))
        if all(memory.unchanged(guest, *part, before) for part in outside):
            return []
        return [
            address
            for address, length in memory.changes(guest, before)
            if address < LIST and not (address >= BUFFER and address + length <= end)
        ]


def _ports_named(run: Run) -> set[int]:
    """Ports that L0 was asked about or handed out in this call."""
    return {
        value
        for call in run.context.l0.calls[run.calls_before :]
        for name, value in call.arguments
        if name in ("port", "local_port") and call.hypercall == "event_channel_op"
    }
