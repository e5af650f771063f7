# SPDX-License-Identifier: GPL-2.0-or-later
"""A core in its world, ready to be called: each call starts from the same snapshot."""

from __future__ import annotations

from emu import abi
from emu.abi import Mode
from emu.cpu import EFLAGS_IF, LONGEST, Batch, Cpu, Stop, Stopped, TooSlow, unknown_instruction
from emu.elf import Elf, Image
from emu.errors import LayoutError, NotThere
from emu.findings.invariant import Invariant
from emu.interactions import Crash, Plan
from emu.l0 import L0, OPERATIONS
from emu.layout import Layout
from emu.object.addresses import BUFFER
from emu.object.boundary import Boundary, Ended, GuestFault, L0View
from emu.object.call import SAVED, SAVED_VALUES, Crashed, Run
from emu.object.context import Context, NoModel
from emu.object.core import Core, load_core
from emu.object.regions import Memory, Unmapped
from emu.object.suspension import stands
from emu.object.tables import trap_size
from emu.object.values import guest_bytes, resolve
from emu.object.world import World
from emu.profile import Profile
from emu.profile.scenario import Case, Name, Value
from emu.rules.suspended import SUSPEND
from emu.spaces import NOWHERE, LinearAddr

BUDGET = 20_000
"""Basic blocks a call may take; the longest path of a real core takes some hundreds."""
MAX_FIXUPS = 1000
FLAGS = 2 | EFLAGS_IF
"""A guest's call is served with interrupts on."""


class Machine:
    """An object under a profile."""

    def __init__(self, elf: Elf, profile: Profile) -> None:
        self.profile = profile
        self.core: Core = load_core(elf, profile)
        self.image: Image = self.core.image
        self.layout: Layout = self.core.layout
        self.memory = Memory()
        self.core.map_into(self.memory)
        try:
            self.world = World(self.memory, self.layout, profile)
        except Unmapped as exc:
            what = f"a structure does not fit its place: {exc}"
            raise LayoutError(what, hint="the debug information is damaged") from exc
        callees = self.core.placed.functions
        self.world.fill_tables({name: address for address, name in callees.items()})
        for name, value in profile.data.items():
            self._set_variable(name, value)
        self._lock_names = self.core.names() | self.world.lock_names()
        self._scenarios = {scenario.name: scenario for scenario in profile.scenarios}
        self._callees = frozenset(callees.values())
        self.memory.snapshot()
        self.calls = 0
        self._encoded: tuple[Case | None, bytes] = None, b""
        self._poisons: dict[int, bytes] = {}
        """The whole stack full of each."""
        self.blocks: dict[LinearAddr, int] = {}
        """Address and size of every basic block that ran."""
        self._start_cpu(counted=False)

    def _start_cpu(self, *, counted: bool) -> None:
        self.cpu = Cpu()
        for region in self.memory.regions:
            self.cpu.map(region.base, region.size, region.perm, region.pointer)
        self._initial: Batch = self.cpu.batch(
            "rsp", "eflags", *SAVED, *("rdi", "rsi", "rdx", "rcx", "r8", "r9", "rax")
        )
        self._final: Batch = self.cpu.batch(*SAVED, "rsp", "eflags", "rax")
        self.boundary = Boundary(self.cpu, self.memory, self.world, self.core)
        if self.image.segments and counted:
            self.cpu.count_blocks(self.image.base, self.image.end)
        elif self.image.segments:
            self.cpu.watch_blocks(self.image.base, self.image.end)
        self.cpu.blocks |= self.blocks
        self.blocks = self.cpu.blocks

    def close(self) -> None:
        """End what watches its calls."""
        self.cpu.close()

    def _set_variable(self, name: str, value: int) -> bool:
        """False where there is no variable of that name."""
        place = self.core.variable(name)
        if place is not None:
            self.memory.write_int(place[0], value, min(place[1], 8))
        return place is not None

    def lock_name(self, address: LinearAddr) -> str:
        return self._lock_names.get(address, f"the lock at {address:#x}")

    def where(self, address: LinearAddr) -> str:
        """``function+0x12 (file.c:34)`` as far as it is known."""
        return self.core.where(address)

    def entry(self, name: str) -> LinearAddr | None:
        """Address of an entry point; None where the object has none of its symbols."""
        symbols = self.image.symbols
        return next((symbols[s] for s in self.profile.entries[name].symbols if s in symbols), None)

    def arguments(self, case: Case) -> tuple[Value, ...]:
        """The scenario's own arguments, or those of its entry."""
        own = case.scenario.arguments
        return self.profile.entries[case.scenario.entry].arguments if own is None else own

    def takes_buffer(self, case: Case) -> bool:
        """Whether the guest's structure is what the core is asked to look at."""
        return Name.BUFFER in self.arguments(case)

    def value(self, value: Value, case: Case) -> int:
        """A scenario's value as a number."""
        return resolve(self.world, value, case)

    def run(self, case: Case, plan: Plan, poison: int) -> Run:
        """Call the case's entry from the snapshot; the last of its repetitions is under ``plan``.

        From the first call on that takes long, every call is counted: a core that hangs once may hang in
        each of its operations.
        """
        calls = self.calls
        try:
            return self._run(case, plan, poison)
        except TooSlow:
            seen = self.boundary.mode_read
            self.close()
            self._start_cpu(counted=True)
            self.boundary.mode_read = seen
            self.calls = calls
            return self._run(case, Plan(plan.numbers, plan.kinds, plan.errno), poison)

    def ask_again(self, run: Run, poison: int) -> Run:
        """Make a call that has failed once more, from where it has left things and with nothing failing."""
        again = Run(run.case, run.context, calls_before=len(run.context.l0.calls))
        address = self._entry(run.case)
        self.memory.write(BUFFER, self._guest_bytes(run.case))
        run.context.plan.armed = False
        run.context.pending.clear()
        run.context.l0.number_anew()
        try:
            self._call(again, address, poison)
        except TooSlow:
            again.crash = Crashed(Invariant.BUDGET, "takes too long", address)
            self.close()
            self._start_cpu(counted=True)
        return again

    def _run(self, case: Case, plan: Plan, poison: int) -> Run:
        scenario = case.scenario
        self.memory.restore()
        context = self._prepare(case, plan)
        run = Run(case, context)
        if case.mode is Mode.COMPAT or any(path.startswith("cpu.") for path, _ in scenario.state):
            run.stack_before = bytes(self.world.stack.view)
        missing = [n for n in scenario.needs if n not in self._callees]
        if missing:
            raise NotThere(f"the object does not call {' or '.join(missing)}")
        others = [n for n in scenario.lacks if n in self._callees]
        if others:
            raise NotThere(f"the object calls {' and '.join(others)}: its entry is another")
        before = [Case(self._scenarios[name], case.mode) for name in scenario.before]
        turns = [*before, *[case] * scenario.repeat]
        for turn, this in enumerate(turns):
            plan.armed = turn == len(turns) - 1
            run.case = this
            address = self._entry(this)
            self.memory.write(BUFFER, self._guest_bytes(this))
            if before:
                run.guest_before = bytes(self.world.guest.view)
                run.masked_before = self.world.masked_ports()
            run.calls_before = len(context.l0.calls)
            if this.scenario.operation == SUSPEND:
                run.stood_before = stands(self.world, context.l0)
            run.opened_before = frozenset(context.l0.ports)
            context.operation = this.scenario.operation
            context.guest_writes.clear()
            context.guest_reads.clear()
            context.pending.clear()
            run.result = None
            self._call(run, address, poison)
            if run.crash or run.no_model or run.ended:
                break
            if turn < len(before):
                self._stop_where_refused(run)
        return run

    def _stop_where_refused(self, run: Run) -> None:
        """A scenario that goes on from a call which the core does not have is not there either."""
        scenario, calls = run.case.scenario, run.context.l0.calls
        if (
            run.result in self.profile.entries[scenario.entry].refusals
            and run.result not in scenario.result
            and len(calls) == run.calls_before
        ):
            refusal = abi.result_name(run.result)
            raise NotThere(f"{scenario.operation} before it is refused with {refusal}")

    def _guest_bytes(self, case: Case) -> bytes:
        """Of the case that was asked for last, which is mostly the same."""
        if case is not self._encoded[0]:
            self._encoded = case, guest_bytes(self.world, case)
        return self._encoded[1]

    def _entry(self, case: Case) -> LinearAddr:
        address = self.entry(case.scenario.entry)
        if address is None:
            raise NotThere(f"the object has no entry {case.scenario.entry}")
        return address

    def _prepare(self, case: Case, plan: Plan) -> Context:
        scenario = case.scenario
        l0 = L0(OPERATIONS, L0View(self.memory), plan, scenario.l0)
        context = Context(self.memory, self.world, l0, plan, self.lock_name)
        context.next_page = scenario.first_page
        context.watched = scenario.masked
        self.world.set_mode(case.mode)
        for port in scenario.ports:
            known = self.world.channels.find(port.number) is not None
            if known or not (port.l0 and self.world.channels.size):  # else L0 alone knows it
                state = self.profile.constant(port.state.constant)
                self.world.channels.set(port.number, state, port.vcpu or 0)
            if port.l0:
                l0.open(port.number, port.l0, port.vcpu or 0)
        for name, value in scenario.data:
            if not self._set_variable(name, self.value(value, case)):
                raise NotThere(f"the object has no variable {name}")
        for path, value in scenario.state:
            if not self.world.known(path):
                raise NotThere(f"no structure of the object has {path}")
            self.world.set(*self.world.place(path), self.value(value, case))
        return context

    def _call(self, run: Run, address: LinearAddr, poison: int) -> None:
        self.calls += 1
        context, world = run.context, self.world
        self.boundary.begin(context, poison)
        values = [self.value(v, run.case) for v in self.arguments(run.case)][:6]
        values += [0xBAD0BAD000000000 + i for i in range(len(values), 6)]
        room = world.stack_top - world.stack.base
        if poison not in self._poisons:
            self._poisons[poison] = bytes((poison,)) * room
        world.stack.view[:room] = self._poisons[poison]
        rsp = (world.stack_top - 64 & -16) - 8
        self.memory.write_int(rsp, self.core.returning, 8)
        run.rsp = rsp + 8
        run.buffer_before = self.memory.read(BUFFER, 64)
        self.cpu.reset()
        self._initial.write((rsp, FLAGS, *SAVED_VALUES, *(v & (1 << 64) - 1 for v in values), 0))
        try:
            self._execute(run, address)
        except Crash as exc:
            run.crash = Crashed(exc.invariant, exc.message, context.call_site, exc.deliberate)
        except Unmapped as exc:
            message = f"a callee was given a bad pointer: {exc}"
            run.crash = Crashed(Invariant.CRASH, message, context.call_site)
        except NoModel as exc:
            run.no_model = exc.what
        except Ended:
            run.ended = True
        self.boundary.finish()

    def _execute(self, run: Run, start: LinearAddr) -> None:
        fixups = self.core.fixups
        pc = start
        for _ in range(MAX_FIXUPS):
            run.context.call_site = NOWHERE
            try:
                stopped = self.cpu.run(pc, self.core.returning, BUDGET)
            except GuestFault:
                self.boundary.undo()
                rip = self.cpu.rip()
                if rip not in fixups:
                    message = "a guest access that may fault has no fixup"
                    run.crash = Crashed(Invariant.CRASH, message, rip)
                    return
                pc = fixups[rip]
                continue
            except Crash as exc:
                if run.context.call_site == NOWHERE:
                    run.context.call_site = self.cpu.rip()
                raise exc
            if stopped.reason is Stop.RETURNED:
                *registers, rax = self._final.read()
                run.registers = tuple(registers)
                run.result = self._result(run, rax)
                return
            if stopped.reason in (Stop.READ, Stop.WRITE) and stopped.rip in fixups:
                pc = fixups[stopped.rip]
                continue
            if stopped.rip in self.core.resumable and (size := self._trap(stopped)):
                pc = stopped.rip + size
                continue
            if stopped.reason in (Stop.READ, Stop.WRITE) and (
                what := self.world.lacking_at(LinearAddr(stopped.address))
            ):
                raise NoModel(f"{what}, which the core uses at {self.where(stopped.rip)}")
            if stopped.reason is Stop.INVALID and (
                name := unknown_instruction(self.image.bytes_at(stopped.rip, LONGEST))
            ):
                raise NoModel(
                    f"{name}, which the emulator does not know, at {self.where(stopped.rip)}"
                )
            if stopped.reason is Stop.FETCH and (
                name := self.core.undeclared(LinearAddr(stopped.address))
            ):
                raise NoModel(f"{name} is called, and was taken for a variable")
            run.crash = Crashed(*self._describe(stopped), stopped.rip, bool(self._trap(stopped)))
            return
        run.crash = Crashed(Invariant.BUDGET, f"more than {MAX_FIXUPS} faults", pc)

    def _result(self, run: Run, rax: int) -> int | None:
        returns = self.profile.entries[run.case.scenario.entry].returns
        if returns == "void":
            return 0
        return abi.signed(rax & 0xFF if returns == "bool" else rax, 32 if returns == "int" else 64)

    def _trap(self, stopped: Stopped) -> int:
        """Bytes of the trap at which it has stopped; 0 for none."""
        return trap_size(self.image.bytes_at(stopped.rip, 2))

    def _describe(self, stopped: Stopped) -> tuple[Invariant, str]:
        if self._trap(stopped):
            return Invariant.CRASH, "BUG"
        if stopped.reason is Stop.BUDGET:
            return Invariant.BUDGET, f"did not end within {BUDGET} basic blocks"
        if stopped.reason in (Stop.READ, Stop.WRITE, Stop.FETCH):
            return Invariant.CRASH, f"{stopped.reason.value} ({stopped.address:#x})"
        if stopped.reason is Stop.INTERRUPT:
            return Invariant.CRASH, f"exception {stopped.vector}"
        return Invariant.CRASH, stopped.reason.value
