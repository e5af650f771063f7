# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the core leaves its own code: its callees, L0, and the guest's memory.

Each hook looks, asks the plan whether this interaction is to fail, and answers for the outside.
"""

from __future__ import annotations

import re
from functools import partial

from emu import abi
from emu.cpu import INSTRUCTIONS, WIDEST, Batch, Cpu, native_cpuid
from emu.elf import PAGE, Perm
from emu.findings.invariant import Invariant
from emu.hardware.platform import Cpuid
from emu.interactions import Crash
from emu.object.borrowed import Area, borrowed_areas
from emu.object.call import EFLAGS_AC
from emu.object.claims import Claims
from emu.object.context import Context, NoModel
from emu.object.core import Core
from emu.object.models import in_rax, models_of
from emu.object.regions import Memory
from emu.object.world import World
from emu.profile import Extern
from emu.spaces import LinearAddr

UNMASK = "EVTCHNOP_unmask"
SCRUBBED = 512
"""Bytes of stack that a callee may have used."""
_MSRS = {b"\x0f\x30": "wrmsr", b"\x0f\x32": "rdmsr"}
_MSR = re.compile(rb"\x0f[\x30\x32]")
CLOBBERED = ("rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11")
CLOBBERED_VALUES = tuple(0xDEAD00C0FFEE0000 + i for i in range(len(CLOBBERED)))


class Ended(Exception):
    """The domain has shut down; the call does not return."""


class GuestFault(Exception):
    """A direct access to the guest's memory that is to fault."""


class Boundary:
    """The hooks on one processor.  `begin` a call with its context; `finish` it afterwards."""

    def __init__(self, cpu: Cpu, memory: Memory, world: World, core: Core) -> None:
        self.cpu = cpu
        self.memory = memory
        self.world = world
        self._page = core.hypercall_page
        self._image = core.image
        self._context: Context | None = None
        self._poison = bytes(SCRUBBED)
        self._undo: tuple[LinearAddr, bytes] | None = None
        self._direct_writes: list[tuple[LinearAddr, int]] = []
        self._arguments: Batch = cpu.batch("rdi", "rsi", "rdx", "rcx", "r8", "r9", "rsp")
        self._hypercall: Batch = cpu.batch(*abi.ARGUMENT_REGISTERS, "eflags")
        self._answer: Batch = cpu.batch("rax", *CLOBBERED)
        self._flags: Batch = cpu.batch("eflags")
        externs, models = world.profile.externs, models_of(world.profile)
        self._stubs = {
            address: (name, externs.get(name), models.get(name))
            for address, name in core.placed.functions.items()
        }
        self._locks = {symbol: self._locks_of(extern) for symbol, extern in externs.items()}
        if self._stubs:
            cpu.on_code(*core.stubs, self._on_stub)
        cpu.on_code(self._page, self._page + PAGE, self._on_page_entry)
        cpu.on_invalid(self._on_invalid)
        cpu.on_cpuid(self._on_cpuid)
        self._watch_instructions(core)
        for region in memory.regions:
            if region.user:
                cpu.on_access(region.base, region.end, self._on_guest_access)
        self._own = next((r for r in memory.regions if r.name == "data"), None)
        self.mode_read = False
        """Whether the core has looked at its domain's mode since this was last cleared."""
        self.flag_read = False
        """Whether it has ever looked at the very flag of that, and at nothing beside it."""
        self._beside: set[tuple[LinearAddr, int]] = set()
        """(address, size) of accesses near the fields of the mode and not to them."""
        self._mode_fields = tuple(world.mode_fields())
        for begin, end in self._mode_fields:
            cpu.on_access(begin - (WIDEST - 1), end, self._on_mode_access)
        self._claims = Claims(world)
        self._claims.watch(cpu)
        self._usual: set[tuple[LinearAddr, int]] = set()
        """(address, size) of accesses to known fields, so that each is looked up once."""
        self._borrowed = borrowed_areas(world)
        for area in self._borrowed:
            cpu.on_access(area.begin, area.end, partial(self._on_borrowed_access, area))

    def _watch_instructions(self, core: Core) -> None:
        """Those that ask something of the world that is not modelled."""
        for name in INSTRUCTIONS:
            self.cpu.on_instruction(name, partial(self._on_instruction, name))
        for segment in core.image.segments:
            for found in _MSR.finditer(segment.data) if segment.perm & Perm.EXEC else ():
                name, at = _MSRS[found[0]], segment.address + found.start()
                self.cpu.on_code(at, at + 1, partial(self._on_msr, name))

    def _on_instruction(self, name: str) -> None:
        raise NoModel(f"{name} is executed, which is not modelled")

    def _on_msr(self, name: str, address: LinearAddr) -> None:
        self._on_instruction(name)

    def begin(self, context: Context, poison: int) -> None:
        """What happens from here on belongs to ``context``; callees leave ``poison`` on the stack."""
        self._context = context
        if self._own is not None:
            context.watch(self._own)
        self._claims.begin(context)
        context.borrowed = self._borrowed
        context.flags = self._flags
        self._poison = bytes((poison,)) * SCRUBBED
        self._undo = None
        self._direct_writes = []

    def undo(self) -> None:
        """Take back the access that faulted: the processor has written before it was told."""
        if self._undo is not None:
            self.memory.write(*self._undo)

    def finish(self) -> None:
        """Note what was written to the guest directly."""
        ctx = self._context
        assert ctx is not None
        ctx.note_variables()
        for written, size in self._direct_writes:
            ctx.guest_writes.append((written, self.memory.read(written, size)))

    def _on_stub(self, address: LinearAddr) -> None:
        ctx = self._context
        assert ctx is not None
        *arguments, rsp = self._arguments.read()
        ctx.call_site = self._caller(rsp)
        name, extern, model = self._stubs.get(address, ("", None, None))
        if not name:
            raise Crash(Invariant.CRASH, f"jump into nowhere: {address:#x}")
        ctx.note_call(name, arguments[0])
        if model is None or extern is None:
            raise NoModel(f"{name} is called, and the profile has no model for it")
        if self._locks[name]:
            self._check_locks(ctx, name)
        ctx.plan.ignorable = extern.ignorable
        result = model.function(ctx, arguments)
        ctx.plan.ignorable = False
        self._scrub(rsp)
        self._answer.write((in_rax(result, model.returns), *CLOBBERED_VALUES))

    def _caller(self, rsp: int) -> LinearAddr:
        """Within the call whose return address is on top of the stack."""
        return LinearAddr(self.memory.read_int(LinearAddr(rsp), 8) - 1)

    def _locks_of(self, extern: Extern) -> tuple[tuple[str, LinearAddr, bool], ...]:
        """(name, address, whether the callee takes it itself) of the locks that this tree has."""
        wanted = [(name, False) for name in extern.locks] + [(name, True) for name in extern.takes]
        places = [(name, self.world.lock_address(name), takes) for name, takes in wanted]
        return tuple((name, at, takes) for name, at, takes in places if at is not None)

    def _scrub(self, rsp: int) -> None:
        """What a callee leaves below its caller's stack is anything."""
        stack = self.world.stack
        if stack.base + SCRUBBED <= rsp <= stack.end:
            at = rsp - stack.base
            stack.view[at - SCRUBBED : at] = self._poison

    def _check_locks(self, ctx: Context, symbol: str) -> None:
        for name, lock, takes in self._locks[symbol]:
            held = lock in ctx.locks or self.world.is_held(lock)
            if takes and held:
                raise Crash(
                    Invariant.LOCKS, f"deadlock: {symbol} takes {name}, which is already held"
                )
            if not takes and not held and not ctx.alone:
                ctx.violate(Invariant.LOCKS, f"{symbol} is called without {name}")

    def _on_page_entry(self, address: LinearAddr) -> None:
        """By the hypercall page: the address says which."""
        number, rest = divmod(address - self._page, abi.HYPERCALL_STRIDE)
        if rest:
            raise Crash(Invariant.CRASH, f"call into the middle of hypercall {number}")
        self._on_hypercall(number, self._caller(self.cpu.read("rsp")))

    def _on_invalid(self, address: LinearAddr) -> bool:
        """By vmcall or vmmcall in place; every other is an invalid instruction to the core as well."""
        code = self._image.bytes_at(address, abi.HYPERCALL_INSTRUCTION_SIZE)
        if code not in abi.HYPERCALL_INSTRUCTIONS:
            return False
        self._on_hypercall(self.cpu.read("rax") & 0xFFFFFFFF, address)
        self.cpu.write("rip", address + len(code))
        return True

    def _on_hypercall(self, number: int, call_site: LinearAddr) -> None:
        ctx = self._context
        assert ctx is not None
        *arguments, eflags = self._hypercall.read()
        ctx.call_site = call_site
        if ctx.watched is not None:
            ctx.masked.append(ctx.watched in self.world.masked_ports())
        result = ctx.l0.call(number, arguments, bool(eflags & EFLAGS_AC))
        ctx.note_call(ctx.l0.calls[-1].op, arguments[0])
        if ctx.l0.down:
            raise Ended
        self._check_unmask(ctx)
        self.cpu.write("rax", result)

    def _check_unmask(self, ctx: Context) -> None:
        """An event that waits at a port comes at once, before the unmask is over (public event_channel.h).

        What the guest itself has unmasked is its own affair.
        """
        call = ctx.l0.calls[-1]
        if call.op != UNMASK or call.result != 0 or ctx.operation == UNMASK:
            return
        port = dict(call.arguments)["port"]
        if self.world.channels.state(port) == self.world.profile.constant("ECS_FREE"):
            ctx.violate(
                Invariant.PORTS_AGREE,
                f"port {port} is unmasked in L0 while it is free in the core: an event that waits is lost",
            )

    def _on_mode_access(self, write: bool, address: LinearAddr, size: int) -> None:
        if (address, size) in self._beside:  # a core may read one in a loop
            return
        if any(address < end and begin < address + size for begin, end in self._mode_fields):
            self.mode_read = True
            self.flag_read |= (address, address + size) == self._mode_fields[0]
        else:
            self._beside.add((address, size))

    def _on_borrowed_access(self, area: Area, write: bool, address: LinearAddr, size: int) -> None:
        if (address, size) in self._usual:
            return
        assert self._context is not None
        what = area.strange(address, size)
        if not what:
            self._usual.add((address, size))
        elif not self._context.strange:
            self._context.strange = f"{'writes' if write else 'reads'} {what}"

    def _on_cpuid(self, leaf: int, subleaf: int) -> tuple[int, int, int, int]:
        ctx = self._context
        assert ctx is not None
        l0 = ctx.l0
        return Cpuid(native_cpuid, l0.setup.version, lambda: l0.domid).answer(0, leaf, subleaf)

    def _on_guest_access(self, write: bool, address: LinearAddr, size: int) -> None:
        ctx = self._context
        assert ctx is not None
        if not self.cpu.read("eflags") & EFLAGS_AC:
            kind = "write to" if write else "read of"
            raise Crash(Invariant.SMAP, f"{kind} guest memory at {address:#x} with EFLAGS.AC clear")
        if not write:
            ctx.guest_reads.append((address, size))
        if ctx.plan.fails(f"guest {'write' if write else 'read'}", errno=abi.ERRNO["EFAULT"]):
            self._undo = (address, self.memory.read(address, size)) if write else None
            raise GuestFault
        if write:
            self._direct_writes.append((address, size))


class L0View:
    """The core's memory as L0 sees it (`emu.l0.L0Memory`)."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def readable(self, address: LinearAddr, size: int, access: bool) -> bytes | None:
        region = self._memory.covering(address, size)
        if region is None or (region.user and not access):
            return None
        return self._memory.read(address, size)

    def writable(self, address: LinearAddr, content: bytes, access: bool) -> bool:
        region = self._memory.covering(address, len(content))
        if region is None or (region.user and not access) or not region.perm & Perm.WRITE:
            return False
        self._memory.write(address, content)
        return True

    def is_guest(self, address: LinearAddr) -> bool:
        region = self._memory.find(address)
        return region is not None and region.user
