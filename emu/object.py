# SPDX-License-Identifier: GPL-2.0-or-later
"""The object level: one `.o` at an address, a world around it, and calls into it from a snapshot.

Everything outside of the object is a model: undefined functions are stubs of one `ret` under a hook,
undefined variables get room and a value from the profile, L0 answers behind the hypercall page.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from emu import abi
from emu.context import Context, Crash, NoModel, Plan
from emu.elf import PAGE, Elf, Image, Perm, parse_elf, place
from emu.errors import LayoutError, NotThere, TruncatedElf
from emu.externs import MODELS, Model, in_rax
from emu.l0 import L0
from emu.layout import Layout
from emu.memory import Memory, Unmapped
from emu.profile import Extern, Profile
from emu.scenario import Case, Value
from emu.tables import ALTERNATIVE_SIZE, UD2, apply_alternatives, exception_table, resumable_traps
from emu.verdict import ObjectReport
from emu.world import (
    BUFFER,
    GUEST_ABSENT,
    GUEST_FAR,
    GUEST_HIGH,
    GUEST_READONLY,
    LIST,
    LIST_END,
    World,
)

if TYPE_CHECKING:
    from emu.cpu import Batch, Stopped

Depth = Literal["scenarios", "explore"]

IMAGE_BASE = 0xFFFF82D080200000
"""Unless the profile's IMAGE_BASE says otherwise; the rest follows within reach of a 32-bit offset."""
DATA_OFFSET = 0x4000000
STUBS_OFFSET = 0x5000000
HYPERCALLS_OFFSET = 0x6000000
RETURN_OFFSET = 0x6800000
RETURN_WITHIN = 0x7E4
"""No round address: a core that hands out its return address as data is to be seen."""
STUB_SIZE = 16
MAX_EXTERNS = 4096
MAX_EXTERN_SIZE = 1 << 20
MAX_EXTERN_TOTAL = 8 << 20
BUDGET = 20_000
"""Basic blocks a call may take; the longest path of a real core takes some hundreds."""
MAX_FIXUPS = 1000
SCRUBBED = 512
"""Bytes of stack that a callee may have used."""
LEFTOVER = 0x2A2A2A2A2A2A2A2A
RET = b"\xc3"
HYPERCALL_PAGE = "hypercall_page"
SAVED = ("rbx", "rbp", "r12", "r13", "r14", "r15")
"""Registers that a function preserves (psABI 3.2.1)."""
SAVED_VALUES = tuple(0x5A5A000000000000 + i for i in range(len(SAVED)))
CLOBBERED = ("rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11")
CLOBBERED_VALUES = tuple(0xDEAD00C0FFEE0000 + i for i in range(len(CLOBBERED)))
EFLAGS_AC = 1 << 18


class Ended(Exception):
    """The domain has shut down; the call does not return."""


class GuestFault(Exception):
    """A direct access to the guest's memory that is to fault."""


@dataclass(slots=True)
class Run:
    """What came of one call."""

    case: Case
    context: Context
    result: int | None = None
    crash: tuple[str, str, int] | None = None
    """(invariant, message, address) where the core did not return."""
    no_model: str = ""
    ended: bool = False
    """The domain shut down in L0."""
    calls_before: int = 0
    """L0 calls made by the calls that prepared the ground."""
    opened_before: frozenset[int] = frozenset()
    """Ports open in L0 when the judged call began."""
    registers: tuple[int, ...] = ()
    """Callee-saved registers, rsp and eflags at return."""
    buffer_before: bytes = b""
    rsp: int = 0


@dataclass(slots=True)
class Placed:
    """Where the undefined names of the object went."""

    functions: dict[int, str] = field(default_factory=dict)
    variables: dict[str, tuple[int, int]] = field(default_factory=dict)
    hypercall_page: int = 0


class Machine:
    """An object under a profile, ready to be called."""

    def __init__(self, elf: Elf, profile: Profile) -> None:
        self.profile = profile
        base = profile.constants.get("IMAGE_BASE", IMAGE_BASE)
        self._base = base
        self.placed = Placed()
        # Types must be known before variables can be given room, and the debug information itself is
        # relocated by a first placement with every undefined name at zero distance.
        self.layout = Layout(place(elf, base, lambda name: base))
        if not self.layout.present and self._entries(elf):
            raise LayoutError(
                "no debug information, so no structure is known", hint="compile with -g"
            )
        self.image: Image = place(elf, base, self._resolver(elf))
        apply_alternatives(self.image, profile.constants.get("ALTERNATIVE_SIZE", ALTERNATIVE_SIZE))
        self.fixups = exception_table(self.image)
        self.resumable = resumable_traps(self.image)
        self.memory = Memory()
        self._map()
        self.world = World(self.memory, self.layout, profile)
        self._fill_variables()
        self._lock_names = self._name_locks()
        self.memory.snapshot()
        self.calls = 0
        self._context: Context | None = None
        self._poison = 0
        self._undo: tuple[int, bytes] | None = None
        self._direct_writes: list[tuple[int, int]] = []
        self._start_cpu()

    def _entries(self, elf: Elf) -> bool:
        return any(elf.defines(s) for entry in self.profile.entries.values() for s in entry.symbols)

    # --- placing ---------------------------------------------------------------------------------

    def _resolver(self, elf: Elf) -> _Resolver:
        return _Resolver(self.placed, self.layout, self._base, len(elf.undefined()))

    def _map(self) -> None:
        for segment in self.image.segments:
            region = self.memory.add(segment.name, segment.address, len(segment.data), segment.perm)
            region.view[: len(segment.data)] = segment.data
        base = self._base
        variables = max(
            [a + s for a, s in self.placed.variables.values()], default=base + DATA_OFFSET + 1
        )
        self.memory.add("variables", base + DATA_OFFSET, variables - base - DATA_OFFSET)
        stubs = max(len(self.placed.functions), 1) * STUB_SIZE
        code = Perm.READ | Perm.EXEC
        region = self.memory.add("stubs", base + STUBS_OFFSET, stubs, code)
        region.view[:] = RET * region.size
        region = self.memory.add("hypercall page", base + HYPERCALLS_OFFSET, PAGE, code)
        region.view[:] = RET * PAGE
        self.memory.add("return", base + RETURN_OFFSET, PAGE, code)
        defined = self.image.symbols.get(HYPERCALL_PAGE)
        self.placed.hypercall_page = defined or base + HYPERCALLS_OFFSET
        if defined is not None:
            self.memory.write(defined, RET * PAGE)

    def _fill_variables(self) -> None:
        for name, value in self.profile.data.items():
            self._set_variable(name, value, missing_ok=True)

    def _set_variable(self, name: str, value: int, *, missing_ok: bool) -> None:
        if name in self.placed.variables:
            address, size = self.placed.variables[name]
        else:
            symbol = next((s for s in self.image.elf.symbols if s.name == name and s.size), None)
            if symbol is None:
                if missing_ok:
                    return
                raise NotThere(f"the object has no variable {name}")
            address, size = self.image.symbols[name], symbol.size
        self.memory.write_int(address, value, min(size, 8))

    def _name_locks(self) -> dict[int, str]:
        names = {address: name for name, (address, _) in self.placed.variables.items()}
        names |= {v: n for n, v in self.image.symbols.items() if not n.startswith(".")}
        for extern in self.profile.externs.values():
            for lock in (*extern.locks, *extern.takes):
                address = self.world.lock_address(lock)
                if address is not None:
                    names[address] = lock
        return names

    def lock_name(self, address: int) -> str:
        return self._lock_names.get(address, f"the lock at {address:#x}")

    # --- processor and hooks ---------------------------------------------------------------------

    def _start_cpu(self) -> None:
        from emu.cpu import Cpu

        self.cpu = Cpu(self.memory)
        base = self._base
        self._arguments: Batch = self.cpu.batch("rdi", "rsi", "rdx", "rcx", "r8", "r9", "rsp")
        self._hypercall: Batch = self.cpu.batch(*abi.ARGUMENT_REGISTERS, "rsp", "eflags")
        self._answer: Batch = self.cpu.batch("rax", *CLOBBERED)
        self._initial: Batch = self.cpu.batch(
            "rsp", "eflags", *SAVED, *("rdi", "rsi", "rdx", "rcx", "r8", "r9", "rax")
        )
        self._final: Batch = self.cpu.batch(*SAVED, "rsp", "eflags", "rax")
        self._stubs = {
            address: (name, self.profile.externs.get(name), self._model(name))
            for address, name in self.placed.functions.items()
        }
        if self._stubs:
            begin = base + STUBS_OFFSET
            self.cpu.on_code(begin, begin + len(self._stubs) * STUB_SIZE, self._on_stub)
        page = self.placed.hypercall_page
        self.cpu.on_code(page, page + PAGE, self._on_hypercall)
        for region in self.memory.regions:
            if region.user:
                self.cpu.on_access(region.base, region.end, self._on_guest_access)
        if self.image.segments:
            self.cpu.count_blocks(self.image.base, self.image.end)

    def _model(self, symbol: str) -> Model | None:
        extern = self.profile.externs.get(symbol)
        return MODELS[extern.model] if extern is not None else None

    def _on_stub(self, address: int) -> None:
        ctx = self._context
        assert ctx is not None
        *arguments, rsp = self._arguments.read()
        ctx.call_site = self.memory.read_int(rsp, 8) - 1
        if address not in self._stubs:
            raise Crash("crash", f"jump into nowhere: {address:#x}")
        name, extern, model = self._stubs[address]
        ctx.called.append(name)
        if model is None or extern is None:
            raise NoModel(name)
        self._check_locks(ctx, extern)
        ctx.plan.ignorable = extern.ignorable
        result = model.function(ctx, arguments)
        ctx.plan.ignorable = False
        self._scrub(rsp)
        self._answer.write((in_rax(result, model.returns), *CLOBBERED_VALUES))

    def _scrub(self, rsp: int) -> None:
        """What a callee leaves below its caller's stack is anything."""
        stack = self.world.stack
        if stack.base + SCRUBBED <= rsp <= stack.end:
            at = rsp - stack.base
            stack.view[at - SCRUBBED : at] = bytes((self._poison,)) * SCRUBBED

    def _check_locks(self, ctx: Context, extern: Extern) -> None:
        for name in extern.locks:
            lock = self.world.lock_address(name)
            if lock is not None and lock not in ctx.locks:
                ctx.violate("locks", f"{extern.symbol} is called without {name}")
        for name in extern.takes:
            lock = self.world.lock_address(name)
            if lock is not None and lock in ctx.locks:
                raise Crash(
                    "locks", f"deadlock: {extern.symbol} takes {name}, which is already held"
                )

    def _on_hypercall(self, address: int) -> None:
        ctx = self._context
        assert ctx is not None
        *arguments, rsp, eflags = self._hypercall.read()
        ctx.call_site = self.memory.read_int(rsp, 8) - 1
        number, rest = divmod(address - self.placed.hypercall_page, abi.HYPERCALL_STRIDE)
        if rest:
            raise Crash("crash", f"call into the middle of hypercall {number}")
        if ctx.watched is not None:
            ctx.masked.append(ctx.watched in self.world.masked_ports())
        result = ctx.l0.call(number, arguments, bool(eflags & EFLAGS_AC))
        if ctx.l0.down:
            raise Ended
        self.cpu.write("rax", result)

    def _on_guest_access(self, write: bool, address: int, size: int) -> None:
        ctx = self._context
        assert ctx is not None
        if not self.cpu.read("eflags") & EFLAGS_AC:
            kind = "write to" if write else "read of"
            raise Crash("SMAP", f"{kind} guest memory at {address:#x} with EFLAGS.AC clear")
        if not write:
            ctx.guest_reads.append((address, size))
        if ctx.plan.fails(f"guest {'write' if write else 'read'}", errno=abi.ERRNO["EFAULT"]):
            self._undo = (address, self.memory.read(address, size)) if write else None
            raise GuestFault
        if write:
            self._direct_writes.append((address, size))

    # --- calls -----------------------------------------------------------------------------------

    def entry(self, name: str) -> int | None:
        """Address of an entry point; None where the object has none of its symbols."""
        symbols = self.image.symbols
        return next((symbols[s] for s in self.profile.entries[name].symbols if s in symbols), None)

    def arguments(self, case: Case) -> tuple[Value, ...]:
        """The scenario's own arguments, or those of its entry."""
        own = case.scenario.arguments
        return self.profile.entries[case.scenario.entry].arguments if own is None else own

    def takes_buffer(self, case: Case) -> bool:
        """Whether the guest's structure is what the core is asked to look at."""
        return "buffer" in self.arguments(case)

    def run(self, case: Case, plan: Plan, poison: int = 0xA5) -> Run:
        """Call the case's entry from the snapshot; the last of its repetitions is under ``plan``."""
        scenario = case.scenario
        self.memory.restore()
        context = self._prepare(case, plan)
        run = Run(case, context)
        self._context = context
        address = self.entry(scenario.entry)
        if address is None:
            raise NotThere(f"the object has no entry {scenario.entry}")
        for turn in range(scenario.repeat):
            plan.armed = turn == scenario.repeat - 1
            self._write_buffer(case)
            run.calls_before = len(context.l0.calls)
            run.opened_before = frozenset(context.l0.ports)
            context.guest_writes.clear()
            context.guest_reads.clear()
            self._call(run, address, poison)
            if run.crash or run.no_model or run.ended:
                break
        return run

    def _prepare(self, case: Case, plan: Plan) -> Context:
        scenario = case.scenario
        l0 = L0(_L0View(self.memory), plan, scenario.l0)
        context = Context(self.memory, self.world, l0, plan, self.lock_name)
        context.next_page = scenario.first_page
        context.watched = scenario.masked
        self.world.set_mode(case.mode)
        for port in scenario.ports:
            known = self.world.channel(port.number) is not None
            if known or not (port.l0 and self.world.channel_size):  # else L0 alone knows it
                self.world.set_port(port.number, self._port_state(port.state), port.vcpu or 0)
            if port.l0:
                l0.open(port.number, port.l0, port.vcpu or 0)
        for name, value in scenario.data:
            self._set_variable(name, self.value(value, case), missing_ok=False)
        return context

    def _port_state(self, name: str) -> int:
        return self.profile.constant(f"ECS_{name.upper()}")

    def _write_buffer(self, case: Case) -> None:
        struct = case.struct
        if struct is None:
            return
        # What is only answered holds the guest's leftovers: an answer that is not written shows.
        fields = {m.name: LEFTOVER for m in struct.members if m.out}
        fields |= {name: self.value(value, case) for name, value in case.scenario.fields}
        self.memory.write(BUFFER, struct.encode(fields))

    def value(self, value: Value, case: Case) -> int:
        """A scenario's value as a number."""
        if isinstance(value, int):
            return value
        if value == "operation":
            return self._operation_number(case)
        if value == "buffer":
            target = case.scenario.buffer
            return BUFFER if target == "buffer" else self.value(target, case)
        places = {
            "list": LIST,
            "list_end": LIST_END,
            "readonly": GUEST_READONLY,
            "absent": GUEST_ABSENT,
            "far": GUEST_FAR,
            "high": GUEST_HIGH,
            "hypervisor": self.world.structs.end - PAGE,
            "vcpu0": self.world.vcpus[0],
            "vcpu1": self.world.vcpus[-1],
        }
        return places[value]

    def _operation_number(self, case: Case) -> int:
        operation = case.scenario.operation
        number = abi.named_value(operation)
        if number is None and operation.rpartition(":")[2].isdigit():
            number = int(operation.rpartition(":")[2])
        return number or 0

    def _call(self, run: Run, address: int, poison: int) -> None:
        self.calls += 1
        self._poison = poison
        case, context = run.case, run.context
        world = self.world
        values = [self.value(v, case) for v in self.arguments(case)][:6]
        values += [0xBAD0BAD000000000 + i for i in range(len(values), 6)]
        stack = world.stack
        room = world.stack_top - stack.base
        stack.view[:room] = bytes((poison,)) * room
        rsp = (world.stack_top - 64 & -16) - 8
        returning = self._base + RETURN_OFFSET + RETURN_WITHIN
        self.memory.write_int(rsp, returning, 8)
        run.rsp = rsp + 8
        run.buffer_before = self.memory.read(BUFFER, 64)
        self._undo = None
        self._direct_writes = []
        self.cpu.reset()
        self._initial.write((rsp, 2, *SAVED_VALUES, *(v & (1 << 64) - 1 for v in values), 0))
        try:
            self._execute(run, address, returning)
        except Crash as exc:
            run.crash = exc.invariant, exc.message, context.call_site
        except Unmapped as exc:
            run.crash = "crash", f"a callee was given a bad pointer: {exc}", context.call_site
        except NoModel as exc:
            run.no_model = exc.symbol
        except Ended:
            run.ended = True
        for written, size in self._direct_writes:
            context.guest_writes.append((written, self.memory.read(written, size)))

    def _execute(self, run: Run, start: int, returning: int) -> None:
        from emu.cpu import Stop

        pc = start
        for _ in range(MAX_FIXUPS):
            run.context.call_site = 0
            try:
                stopped = self.cpu.run(pc, returning, BUDGET)
            except GuestFault:
                if self._undo is not None:
                    self.memory.write(*self._undo)
                rip = self.cpu.read("rip")
                if rip not in self.fixups:
                    run.crash = "crash", "a guest access that may fault has no fixup", rip
                    return
                pc = self.fixups[rip]
                continue
            except Crash as exc:
                if run.context.call_site == 0:
                    run.context.call_site = self.cpu.read("rip")
                raise exc
            if stopped.reason is Stop.RETURNED:
                *registers, rax = self._final.read()
                run.registers = tuple(registers)
                run.result = self._result(run, rax)
                return
            if stopped.reason in (Stop.READ, Stop.WRITE) and stopped.rip in self.fixups:
                pc = self.fixups[stopped.rip]
                continue
            if self._is_trap(stopped) and stopped.rip in self.resumable:
                pc = stopped.rip + len(UD2)
                continue
            run.crash = *self._describe(stopped), stopped.rip
            return
        run.crash = "budget", f"more than {MAX_FIXUPS} faults", pc

    def _result(self, run: Run, rax: int) -> int | None:
        returns = self.profile.entries[run.case.scenario.entry].returns
        if returns == "void":
            return 0
        return abi.signed(rax, 32 if returns == "int" else 64)

    def _is_trap(self, stopped: Stopped) -> bool:
        return self.image.bytes_at(stopped.rip, 2) == UD2

    def _describe(self, stopped: Stopped) -> tuple[str, str]:
        from emu.cpu import Stop

        if self._is_trap(stopped):
            return "crash", "BUG"
        if stopped.reason is Stop.BUDGET:
            return "budget", f"did not end within {BUDGET} basic blocks"
        if stopped.reason in (Stop.READ, Stop.WRITE, Stop.FETCH):
            return "crash", f"{stopped.reason.value} ({stopped.address:#x})"
        if stopped.reason is Stop.INTERRUPT:
            return "crash", f"exception {stopped.vector}"
        return "crash", stopped.reason.value

    def where(self, address: int) -> str:
        """``function+0x12 (file.c:34)`` as far as it is known."""
        if not address:
            return ""
        place_name = self.image.where(address)
        line = self.layout.line_at(address)
        return f"{place_name} ({line})" if line else place_name


class _Resolver:
    """Gives each undefined name a stub or room for a variable, as it is asked for."""

    def __init__(self, placed: Placed, layout: Layout, base: int, count: int) -> None:
        if count > MAX_EXTERNS:
            raise TruncatedElf(f"{count} undefined names; at most {MAX_EXTERNS} are placed")
        self._placed = placed
        self._layout = layout
        self._base = base
        self._known: dict[str, int] = {}
        self._data = base + DATA_OFFSET

    def __call__(self, name: str) -> int:
        if name not in self._known:
            self._known[name] = self._place(name)
        return self._known[name]

    def _place(self, name: str) -> int:
        if name == HYPERCALL_PAGE:
            return self._base + HYPERCALLS_OFFSET
        size = self._layout.extern_size(name)
        if size is None:
            address = self._base + STUBS_OFFSET + STUB_SIZE * len(self._placed.functions)
            self._placed.functions[address] = name
            return address
        size = max(size, 8)
        if (
            size > MAX_EXTERN_SIZE
            or self._data + size - self._base - DATA_OFFSET > MAX_EXTERN_TOTAL
        ):
            raise LayoutError(f"variable {name} of {size} bytes is too large to give room to")
        address = self._data
        self._placed.variables[name] = address, size
        self._data += (size + 63) & -64
        return address


class _L0View:
    """The core's memory as L0 sees it (`emu.l0.L0Memory`)."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def readable(self, address: int, size: int, access: bool) -> bytes | None:
        region = self._memory.covering(address, size)
        if region is None or (region.user and not access):
            return None
        return self._memory.read(address, size)

    def writable(self, address: int, content: bytes, access: bool) -> bool:
        region = self._memory.covering(address, len(content))
        if region is None or (region.user and not access) or not region.perm & Perm.WRITE:
            return False
        self._memory.write(address, content)
        return True

    def is_guest(self, address: int) -> bool:
        region = self._memory.find(address)
        return region is not None and region.user


def emulate_object(
    elf: bytes, profile: Profile, *, depth: Depth = "scenarios", only: str | None = None
) -> ObjectReport:
    """Run every scenario of ``profile`` on an object; ``only`` names one (or one finding's rerun).

    Raises an `EmuError` for an object that cannot be used; whatever the core does is in the report.
    """
    from emu.explore import judge_object

    started = time.perf_counter()
    machine = Machine(parse_elf(elf), profile)
    digest = hashlib.sha256(elf).hexdigest()
    return judge_object(machine, digest, depth, only, started)


__all__ = ["Depth", "Machine", "Run", "emulate_object"]
