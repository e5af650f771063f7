# SPDX-License-Identifier: GPL-2.0-or-later
"""What is seen of a call into a core, and the rules that can be checked with that."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from emu import abi
from emu.cpu import EFLAGS_IF
from emu.findings.verdict import L0Call
from emu.object.addresses import BUFFER, LIST
from emu.object.call import EFLAGS_AC, SAVED, SAVED_VALUES, Run
from emu.object.machine import Machine
from emu.object.structures import CHANNEL_LOCK
from emu.object.suspension import stands, suspension
from emu.profile.scenario import Name, Value
from emu.rules import Rule, asking, conventions, failures, resources, state, suspended, translation
from emu.rules.state import Area
from emu.spaces import NOWHERE, LinearAddr

MAX_LISTED = 4
_VARIABLES = ("data", "variables", "domain")
"""Regions of what the core may remember."""


class Observed:
    """One call, as the rules look at it."""

    def __init__(self, machine: Machine, run: Run) -> None:
        self._machine = machine
        self._variables: list[bytes] | None = None
        self._run = run
        context, case = run.context, run.case
        self.case = case
        self.result = run.result
        self.plan = context.plan
        self.calls = context.l0.calls[run.calls_before :]
        self.struct = case.struct if machine.takes_buffer(case) else None
        self.opened_before = run.opened_before
        self.asked_with: Sequence[asking.Asked] = context.l0.raw
        self.guest_reads: Sequence[tuple[LinearAddr, int]] = context.guest_reads
        self.guest_writes: Sequence[tuple[LinearAddr, bytes]] = context.guest_writes
        self.buffer = BUFFER

    @property
    def succeeded(self) -> bool:
        """As far as it says: what returns nothing claims nothing, and what returns no does not."""
        returns = self._machine.profile.entries[self.case.scenario.entry].returns
        if self.result is None or returns == "void":
            return False
        return self.result > 0 if returns == "bool" else self.result >= 0

    @property
    def failed(self) -> bool:
        return self.result is not None and self.result < 0

    def value(self, value: Value) -> int:
        return self._machine.value(value, self.case)

    # --- the guest's structure ---

    def asked(self, name: str) -> int | None:
        if self.struct is None or self.struct.member(name) is None:
            return None
        return self.struct.decode(self._run.buffer_before)[name]

    def sees(self, name: str) -> int | None:
        return guest_field(self._machine, self._run, name)

    @property
    def again(self) -> int | None:
        return self._run.again

    def amiss_again(self) -> Sequence[str]:
        return self._run.amiss_again

    @property
    def tells_nothing(self) -> bool:
        return self._machine.profile.entries[self.case.scenario.entry].returns == "void"

    @property
    def calls_again(self) -> Sequence[L0Call]:
        return self._run.calls_again

    # --- conventions ---

    @property
    def access_flag(self) -> bool:
        return bool(self._run.registers[-1] & EFLAGS_AC)

    @property
    def interrupts_off(self) -> bool:
        return not self._run.registers[-1] & EFLAGS_IF

    @property
    def stack_moved(self) -> int:
        return self._run.registers[len(SAVED)] - self._run.rsp

    def lost_registers(self) -> Iterator[str]:
        for name, value, wanted in zip(SAVED, self._run.registers, SAVED_VALUES, strict=False):
            if value != wanted:
                yield name

    def held_locks(self) -> Iterator[str]:
        yield from map(self._machine.lock_name, self._run.context.locks)
        yield from self._machine.world.held_in_place()
        taken = {path for path, _ in self.case.scenario.state}  # by somebody else, beforehand
        for port in self.case.scenario.ports:
            if (
                f"evtchn{port.number}.{CHANNEL_LOCK}" not in taken
                and self._machine.world.channels.is_locked(port.number)
            ):
                yield f"the lock of port {port.number}"

    def unguarded(self) -> Iterator[str]:
        context = self._run.context
        for address in sorted(context.bare & context.own_locks.keys()):
            yield self._machine.lock_name(context.own_locks[address])

    def paused_vcpus(self) -> Iterator[str]:
        return map(self._machine.world.vcpu_name, self._run.context.paused)

    def guest_pointers(self) -> Iterator[tuple[str, LinearAddr, LinearAddr]]:
        for op, pointer in self._run.context.l0.guest_pointers:
            yield op, pointer, NOWHERE

    # --- resources ---

    @property
    def left_open(self) -> Sequence[int]:
        return self._run.context.l0.allocated

    @property
    def pages(self) -> Collection[int]:
        return self._run.context.pages

    @property
    def blocks(self) -> Mapping[LinearAddr, int]:
        return self._run.context.blocks

    @property
    def heap_frames(self) -> Collection[int]:
        return self._run.context.heap_frames - self._run.context.l0.given_back

    @property
    def guest_pages_mapped(self) -> int:
        return self._run.context.mapped

    def is_mapped(self, page: int) -> bool:
        return page in self._run.context.l0.mapped

    def remembers(self, value: int) -> bool:
        memory, needle = self._machine.memory, value.to_bytes(8, "little")
        if self._variables is None:
            regions = (region for region in memory.regions if region.name in _VARIABLES)
            # What was taken in this call can only stand where something has changed.
            self._variables = [part for region in regions for part in memory.touched(region)]
        return any(needle in part for part in self._variables) or any(
            needle in memory.read(at, size) for at, size in self.blocks.items() if at != value
        )

    # --- event channels and the page shared with L0 ---

    @property
    def has_channels(self) -> bool:
        return bool(self._machine.world.channels.size)

    @property
    def open_ports(self) -> frozenset[int]:
        return frozenset(self._run.context.l0.ports)

    def uses_port(self, port: int) -> bool | None:
        state_of = self._machine.world.channels.state(port)
        return None if state_of is None else state_of != self._machine.profile.constant("ECS_FREE")

    def masked_ports(self) -> Collection[int]:
        return self._machine.world.masked_ports() - self._run.masked_before

    @property
    def suspension(self) -> suspended.Suspension | None:
        """None as well where L0 was made to fail in a way that it may not."""
        before = self._run.stood_before
        if before is None or not self.plan.possible:
            return None
        context = self._run.context
        after = stands(self._machine.world, context.l0, context.ranges)
        return suspension(self.calls, before, after)

    def stays_masked(self, port: int) -> bool:
        """By what stands in the page; L0's own part in it is not modelled here."""
        masked = port in self._machine.world.masked_ports()
        for call in self._run.context.l0.calls:
            if ("port", port) in call.arguments and call.result == 0:
                # Masked, if at all, before L0 closes it.
                masked = masked and call.op != "EVTCHNOP_unmask"
                if call.op == "EVTCHNOP_close":
                    masked = port in self._machine.world.masked_ports()
        return masked

    # --- memory ---

    def strayed(self) -> Iterator[str]:
        for address in self._wild()[:MAX_LISTED]:
            yield f"at {address:#x}, outside of its structure"

    def _wild(self) -> list[LinearAddr]:
        """Addresses of changes before the guest's list and not in its structure."""
        guest, memory = self._machine.world.guest, self._machine.memory
        before, struct = self._run.guest_before, self.case.struct
        end = BUFFER + (struct.size if struct is not None else 64)
        outside = ((0, BUFFER - guest.base), (end - guest.base, LIST - guest.base))
        if all(memory.unchanged(guest, *part, before) for part in outside):
            return []
        return [
            address
            for address, length in memory.changes(guest, before)
            if address < LIST and not (address >= BUFFER and address + length <= end)
        ]

    def unchanged(self, area: Area) -> bool:
        world, memory = self._machine.world, self._machine.memory
        if area is Area.CPU_INFO:
            top = world.stack_top - world.stack.base
            return memory.unchanged(world.stack, top, since=self._run.stack_before)
        if area is Area.HEAP:
            return memory.unchanged(world.heap, self._run.context.brk - world.heap.base)
        return memory.unchanged(world.structs, world.structs_end - world.structs.base)


def guest_field(machine: Machine, run: Run, name: str) -> int | None:
    """A field of the guest's structure as it stands now; None where it has no such field."""
    struct: abi.Struct | None = run.case.struct
    if struct is None or run.case.scenario.buffer is not Name.BUFFER or struct.member(name) is None:
        return None
    return struct.decode(machine.memory.read(BUFFER, struct.size))[name]


AFTER_RETURN: tuple[Rule[Observed], ...] = (
    conventions.HeldLocks(),
    conventions.AccessFlag(),
    conventions.Interrupts(),
    conventions.GuestPointers(),
    conventions.Registers(),
    conventions.PausedVcpus(),
    conventions.Guarded(),
    failures.RefusalReported(),
    failures.FailureReported(),
    failures.ErrorCode(),
    translation.GuestBuffer(),
    failures.Refusal(),
    resources.Ports(),
    resources.Pages(),
    resources.GuestPages(),
    resources.Heap(),
    resources.HeapFrames(),
    translation.OutFields(),
    translation.Answered(),
    translation.Translation(),
    state.PortsAgree(),
    state.SharedPage(),
    state.Unmasked(),
    suspended.StateKept(),
    state.GuestMemory(),
    state.Memory(),
    asking.Reserved(),
    asking.Nothing(),
)
AGAIN = failures.GoesWellAgain()
"""Checked when the call has been made once more, since that changes all that there is to see."""
ALWAYS: tuple[Rule[Observed], ...] = (
    conventions.GuestPointers(),
    translation.Translation(),
    asking.Reserved(),
    asking.Nothing(),
)
"""Also checked where the core did not return."""
