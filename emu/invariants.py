# SPDX-License-Identifier: GPL-2.0-or-later
"""What must hold for every call into every core, whatever it does.

Each invariant is a small class with a name, the reason why it is one, and a check that yields
(message, address) for what it finds.  None knows of a particular defect, and none is tuned to a core.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from emu import abi
from emu.world import BUFFER, LIST

if TYPE_CHECKING:
    from emu.object import Machine, Run

Found = Iterator[tuple[str, int]]
EFLAGS_AC = 1 << 18
MAX_LISTED = 4


class Invariant:
    """Checked after a call that returned."""

    name: ClassVar[str]
    reason: ClassVar[str]

    def check(self, machine: Machine, run: Run) -> Found:
        raise NotImplementedError


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


class Registers(Invariant):
    name = "registers"
    reason = (
        "a function preserves rbx, rbp, r12-r15 and returns with its caller's stack (psABI 3.2.1)"
    )

    def check(self, machine: Machine, run: Run) -> Found:
        from emu.object import SAVED, SAVED_VALUES

        for name, value, wanted in zip(SAVED, run.registers, SAVED_VALUES, strict=False):
            if value != wanted:
                yield f"{name} is not preserved", 0
        if run.registers[len(SAVED)] != run.rsp:
            yield f"the stack pointer is off by {run.registers[len(SAVED)] - run.rsp}", 0


class FailureReported(Invariant):
    name = "failure lost"
    reason = "what failed below must not look like success above"

    def check(self, machine: Machine, run: Run) -> Found:
        if run.result is None or run.result < 0:
            return
        status = guest_field(machine, run, "status")
        if status is not None and status < 0:
            return
        for interaction in run.context.plan.injected:
            if interaction.legal and not interaction.ignorable:
                yield f"{interaction.kind} failed, and the result is {run.result}", 0


class ErrorCode(Invariant):
    name = "error code"
    reason = "the guest must learn what failed, or it takes it for something else"

    def check(self, machine: Machine, run: Run) -> Found:
        """Of one failure, where the call would else have gone well."""
        injected = run.context.plan.injected
        wanted = [machine.value(v, run.case) for v in run.case.scenario.result if v != "error"]
        if len(injected) != 1 or run.result is None or run.result >= 0 or run.result in wanted:
            return
        if "error" in run.case.scenario.result:
            return
        (failure,) = injected
        if failure.legal and not failure.ignorable and run.result != -failure.errno:
            failed, told = abi.result_name(-failure.errno), abi.result_name(run.result)
            yield f"{failure.kind} failed with {failed}, and the result is {told}", 0


class GuestStructure(Invariant):
    name = "guest buffer"
    reason = "behind the guest's structure its page may end, or hold what is not ours to change"

    def check(self, machine: Machine, run: Run) -> Found:
        context = run.context
        written = [(address, len(content)) for address, content in context.guest_writes]
        for name, begin, size in self._areas(machine, run):
            for verb, accesses in (("read", context.guest_reads), ("written", written)):
                for address, length in accesses:
                    if begin <= address < begin + size < address + length:
                        over = address + length - begin - size
                        yield f"{over} bytes are {verb} behind the {size} of the guest's {name}", 0

    @staticmethod
    def _areas(machine: Machine, run: Run) -> Iterator[tuple[str, int, int]]:
        """Name, address and size of what the guest has given the core to use."""
        case = run.case
        if case.struct is None or case.scenario.buffer != "buffer":
            return
        yield "structure", BUFFER, case.struct.size
        fields = dict(case.scenario.fields)
        if {"frame_list", "nr_frames"} <= fields.keys():
            width = 4 if case.mode == "compat" else 8
            count = machine.value(fields["nr_frames"], case)
            yield "list", machine.value(fields["frame_list"], case), width * count


class Refusal(Invariant):
    name = "refusal"
    reason = "an operation that L0 refuses has no answer: nothing may be written as if it were one"

    def check(self, machine: Machine, run: Run) -> Found:
        case = run.case
        if case.struct is None or not machine.takes_buffer(case):
            return
        refused = any(
            call.op == case.scenario.operation and call.result < 0
            for call in run.context.l0.calls[run.calls_before :]
        )
        for address, content in run.context.guest_writes if refused else ():
            yield f"L0 refused, and {len(content)} bytes are written to the guest ({address:#x})", 0


class Resources(Invariant):
    name = "resources"
    reason = "what a failing path does not give back is lost until the guest reboots"

    def check(self, machine: Machine, run: Run) -> Found:
        context = run.context
        as_it_should = all(i.legal for i in context.plan.injected)
        if run.result is not None and run.result < 0 and as_it_should:
            for port in context.l0.allocated:
                if port not in run.opened_before:
                    yield (
                        f"L0's port {port}, opened in this call, stays open although the call fails",
                        0,
                    )
        for page in sorted(context.pages):
            if not self._kept(machine, run, page):
                yield f"page {page:#x} is neither given back nor remembered", 0
            elif page not in context.l0.mapped:
                yield f"page {page:#x} is kept, and L0 has nothing mapped there", 0
        for block in sorted(context.blocks):
            if not self._kept(machine, run, block):
                yield f"{context.blocks[block]} allocated bytes are neither freed nor remembered", 0

    @staticmethod
    def _kept(machine: Machine, run: Run, value: int) -> bool:
        """Whether the value stands in the core's variables or in memory that it allocated."""
        needle = value.to_bytes(8, "little")
        memory = machine.memory
        for name in ("data", "variables", "domain"):
            region = next((r for r in memory.regions if r.name == name), None)
            if region is not None and needle in bytes(region.view):
                return True
        return any(needle in memory.read(a, s) for a, s in run.context.blocks.items() if a != value)


class OutFields(Invariant):
    name = "out fields"
    reason = "what L0 answered is what the guest asked for: it must reach the guest's structure"

    def check(self, machine: Machine, run: Run) -> Found:
        case = run.case
        if run.result != 0 or case.struct is None or not machine.takes_buffer(case):
            return
        calls = run.context.l0.calls[run.calls_before :]
        last = next((c for c in reversed(calls) if c.op == case.scenario.operation), None)
        if last is None or last.result < 0:
            return
        answered = dict(last.arguments)
        for member in case.struct.members:
            seen = guest_field(machine, run, member.name)
            if member.out and member.name in answered and seen != answered[member.name]:
                yield (
                    f"L0 answered {member.name} = {answered[member.name]}, the guest sees {seen}",
                    0,
                )


class Translation(Invariant):
    name = "translation"
    reason = "an operation that is forwarded must ask L0 what the guest asked"

    def check(self, machine: Machine, run: Run) -> Found:
        case = run.case
        if case.struct is None or not machine.takes_buffer(case):
            return
        asked = case.struct.decode(run.buffer_before)
        for call in run.context.l0.calls[run.calls_before :]:
            if call.op != case.scenario.operation:
                continue
            for name, value in call.arguments:
                member = case.struct.member(name)
                if member is None or member.out or member.pointer:
                    continue
                if value != asked[name]:
                    yield f"the guest asked for {name} = {asked[name]}, L0 is asked for {value}", 0


class PortsAgree(Invariant):
    name = "ports agree"
    reason = "a port is in use above exactly when it is open below"

    def check(self, machine: Machine, run: Run) -> Found:
        world, l0 = machine.world, run.context.l0
        if not world.channel_size or any(not i.legal for i in run.context.plan.injected):
            return
        free = machine.profile.constant("ECS_FREE")
        before, after = run.opened_before, frozenset(l0.ports)
        for port in sorted(after - before):
            if run.result == 0 and world.port_state(port) == free:
                yield f"port {port} was opened in L0 and is free in the core", 0
        for port in sorted(before - after):
            if run.case.scenario.operation != "EVTCHNOP_reset" and world.port_state(port) not in (
                None,
                free,
            ):
                yield f"port {port} was closed in L0 and is still in use in the core", 0
        if run.case.scenario.repeat > 1:
            return
        states = {port.number for port in run.case.scenario.ports}
        for port in sorted(_ports_named(run) - states - after - before):
            if world.port_state(port) not in (None, free):
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
        struct = run.case.struct
        allowed = range(BUFFER, BUFFER + (struct.size if struct is not None else 64))
        wild = [
            address
            for address, length in memory.changes(world.guest)
            if address < LIST and not (address in allowed and address + length - 1 in allowed)
        ]
        for address in wild[:MAX_LISTED]:
            yield f"guest memory is changed at {address:#x}, outside of its structure", 0
        info = world.stack_top - world.stack.base
        if not memory.unchanged(world.stack, info):
            yield "the per-processor structure at the top of the stack is overwritten", 0
        used = run.context.brk - world.heap.base
        if not memory.unchanged(world.heap, used):
            yield "the heap is written to behind its last allocation", 0
        if not memory.unchanged(world.structs, world.structs_end - world.structs.base):
            yield "hypervisor memory is written to that belongs to nobody", 0


AFTER_RETURN: tuple[Invariant, ...] = (
    Locks(),
    AccessFlag(),
    GuestPointers(),
    Registers(),
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


def _ports_named(run: Run) -> set[int]:
    """Ports that L0 was asked about or handed out in this call."""
    return {
        value
        for call in run.context.l0.calls[run.calls_before :]
        for name, value in call.arguments
        if name in ("port", "local_port") and call.hypercall == "event_channel_op"
    }


def guest_field(machine: Machine, run: Run, name: str) -> int | None:
    """A field of the guest's structure as it stands now; None where it has no such field."""
    struct = run.case.struct
    if struct is None or run.case.scenario.buffer != "buffer" or struct.member(name) is None:
        return None
    return struct.decode(machine.memory.read(BUFFER, struct.size))[name]
