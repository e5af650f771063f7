# SPDX-License-Identifier: GPL-2.0-or-later
"""Hypercalls of the guest, each from the snapshot taken at its first instruction.

What is asked goes through the real entry (``syscall`` or ``int $0x82``), the real copies from and to the
guest, the real translation of 32-bit structures.  Nothing of the image is modelled here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from emu import abi
from emu.booted.ending import CALL, Ended, TooSlow
from emu.booted.machine import Machine
from emu.booted.paging import NotMapped
from emu.booted.processor import Activity, Vcpu
from emu.booted.traps import VECTOR_UD
from emu.booted.turns import Runner
from emu.cpu import Batch
from emu.cpu.engine import M32
from emu.elf import PAGE
from emu.findings.invariant import Invariant
from emu.findings.verdict import L0Call
from emu.hardware.clock import TSC_HZ
from emu.interactions import Plan
from emu.l0 import Interactions, L0Setup
from emu.spaces import LinearAddr

COMPAT_REGISTERS = ("rbx", "rcx", "rdx", "rsi", "rdi")
"""Hypercall arguments of a 32-bit guest."""
VERSION = re.compile(rb"\bXen[ -](?:version )?(\d{1,4})\.(\d{1,4})")
ABSENT = LinearAddr(0x50000000)
RESULT_BITS: dict[abi.Mode, int] = {abi.Mode.NATIVE: 64, abi.Mode.COMPAT: 32}
MAX_CONSOLE_SHOWN = 2000
WAIT = TSC_HZ // 5
"""Some time slices of a scheduler."""
Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one hypercall."""

    result: int | None
    calls: tuple[L0Call, ...]
    callers: tuple[LinearAddr, ...]
    end: Ended | None = None
    """Why it did not come back."""
    console: str = ""
    taken: tuple[tuple[int, LinearAddr], ...] = ()
    """(vector, address) of the exceptions on the way."""

    def report(self) -> str:
        """How it ended, with what the image printed about it."""
        if self.end is None:
            return ""
        said = self.console.strip().splitlines()
        words = [line for key in ("BUG", "anic") for line in said if key in line]
        word = words[0] if words else ""
        return f"{self.end.message} {word.removeprefix('(XEN) ')}".strip()

    def culprit(self) -> LinearAddr:
        """Where it went wrong: the BUG that led to the end, where one did."""
        bugs = [address for vector, address in self.taken if vector == VECTOR_UD]
        if bugs:
            return bugs[-1]
        return self.end.address if self.end is not None else LinearAddr(0)


class Drive:
    """A booted machine and its snapshot."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.machine = machine = runner.machine
        self.kernel = machine.kernel
        self.calls = 0
        said = VERSION.search(bytes(machine.l0.console))
        machine.version = (int(said[1]), int(said[2])) if said else None
        self.rebase()
        names = abi.ARGUMENT_REGISTERS if self.kernel.mode is abi.Mode.NATIVE else COMPAT_REGISTERS
        self._names = ("rax", *names)
        self._batches: dict[int, tuple[Batch, Batch]] = {}
        self._mask = (1 << RESULT_BITS[self.kernel.mode]) - 1
        self.start_info = LinearAddr(machine.cpu.read("rsi"))
        """Address of the guest's start info, as it is given to it."""
        self.read_only = self._find_read_only()

    def _find_read_only(self) -> LinearAddr | None:
        """A page that the guest may only read: its page tables, as a rule."""
        linear, start = self.machine.linear, self.kernel.start
        for page in range(2048):
            address = start + page * PAGE
            try:
                mapping = linear.walk(address)
            except NotMapped:
                continue
            if mapping.user and not mapping.writable:
                return address
        return None

    def rebase(self) -> None:
        """The snapshot is how everything stands now."""
        machine = self.machine
        machine.ram.snapshot()
        self._saved = [vcpu.save() for vcpu in machine.vcpus]
        self._company = machine.company
        self._devices = machine.devices.copy()
        self._l0 = machine.l0

    def restore(self, interactions: Interactions, setup: L0Setup) -> None:
        """Everything as at the snapshot; L0 with these answers from now on."""
        machine = self.machine
        machine.limits.clear()
        machine.ram.restore()
        for vcpu, saved in zip(machine.vcpus, self._saved, strict=False):
            vcpu.restore(saved)
        for vcpu in machine.vcpus[len(self._saved) :]:  # nobody had started it
            vcpu.activity = Activity.WAITING
        machine.company = self._company
        machine.devices = self._devices.copy()
        machine.l0 = self._l0.fork(interactions, setup)

    def call(self, number: int, arguments: Sequence[int], guest: int = 0) -> Answer:
        """One hypercall of a vcpu of the guest, which is at its start."""
        machine = self.machine
        self.calls += 1
        vcpu = self._processor_of(guest)
        l0, taken = machine.l0, vcpu.traps.taken
        calls_before, console_before = len(l0.calls), len(l0.console)
        machine.callers.clear()
        taken.clear()
        self._ask(vcpu, number, arguments)
        end: Ended | None = None
        try:
            self.runner.call(vcpu, self.kernel.start + 1, CALL)
        except Ended as exc:
            end = exc
        result = None
        if end is None:
            back = self._processor_of(guest)
            result = abi.signed(self._registers(back)[1].read()[0], RESULT_BITS[self.kernel.mode])
        text = bytes(l0.console[console_before:]).decode("utf-8", "replace")
        return Answer(
            result,
            tuple(l0.calls[calls_before:]),
            tuple(machine.callers),
            end,
            text[-MAX_CONSOLE_SHOWN:],
            tuple(taken),
        )

    def begin(self, number: int, arguments: Sequence[int], guest: int) -> None:
        """Let a vcpu make a hypercall and not wait for it to come back; raises Ended."""
        vcpu = self._processor_of(guest)
        self.calls += 1
        self._ask(vcpu, number, arguments)
        vcpu.guest = None
        vcpu.rip, vcpu.activity = self.kernel.start + 1, Activity.RUNNING
        self.settle()

    def _ask(self, vcpu: Vcpu, number: int, arguments: Sequence[int]) -> None:
        values = [value & self._mask for value in arguments][:5]
        values += [0] * (5 - len(values))
        self._registers(vcpu)[0].write((self.kernel.hypercall(number), *values))

    def limits(self, end: Ended | None = None) -> tuple[str, ...]:
        """What has happened since the snapshot that this emulation does not know, each with its place; with
        ``end`` that itself where it is none of the image's."""
        return limits(self.machine, end)

    def timestamp(self, guest: int = 0) -> int:
        """The time stamp counter as a vcpu of the guest reads it: an image may keep one for its guest and
        have it trap.  Raises Ended."""
        vcpu = self._processor_of(guest)
        vcpu.cpu.write("rax", self.kernel.timestamp)
        self.runner.call(vcpu, self.kernel.start + 1, CALL)
        cpu = self._processor_of(guest).cpu
        return (cpu.read("rdx") & M32) << 32 | cpu.read("rax") & M32

    def _processor_of(self, guest: int) -> Vcpu:
        """Where a vcpu of the guest is at its start; the image may have another one run there first."""
        vcpus = self.machine.vcpus
        if all(vcpu.guest != guest for vcpu in vcpus):
            self.runner.run(CALL, lambda: any(vcpu.guest == guest for vcpu in vcpus))
        return next(vcpu for vcpu in vcpus if vcpu.guest == guest)

    def _registers(self, vcpu: Vcpu) -> tuple[Batch, Batch]:
        """Of a hypercall: its number and arguments, and its result."""
        if vcpu.number not in self._batches:
            self._batches[vcpu.number] = vcpu.cpu.batch(*self._names), vcpu.cpu.batch("rax")
        return self._batches[vcpu.number]

    def settle(self) -> None:
        """Let everybody come to rest; raises Ended."""
        self.runner.settle(CALL)

    def wait_for(self, what: Callable[[], bool]) -> bool:
        """The same, and let some time pass where that is needed: a scheduler may take its time."""
        devices = self.machine.devices
        end = devices.clock.ticks + WAIT
        self.settle()
        while not what() and devices.clock.ticks < end and devices.skip():
            self.settle()
        return what()

    def bounded(self, attempt: Callable[[], Outcome]) -> Outcome:
        """``attempt``, which begins with `restore`; again with instructions counted where the time was
        up, so that what it ends with does not depend on the machine."""
        try:
            return attempt()
        except TooSlow:
            self.runner.counting = True
        try:
            return attempt()
        finally:
            self.runner.counting = False


def count_vcpus(drive: Drive, setup: L0Setup, most: int) -> int:
    """How many vcpus the guest has: those that the image knows, up to ``most``."""
    number, operation = abi.numbers("VCPUOP_is_up") or (0, 0)

    def knows(vcpu: int) -> bool:
        def attempt() -> Answer:
            drive.restore(Plan(), setup)
            return drive.call(number, (operation, vcpu, 0))

        return drive.bounded(attempt).result in (0, 1)

    count = 1
    while count < most and knows(count):
        count += 1
    return count


def limits(machine: Machine, end: Ended | None = None) -> tuple[str, ...]:
    """See `Drive.limits`."""
    where = machine.image.where
    found = [f"{what}, at {where(address)}" for what, address in machine.limits]
    found += [f"L0 is asked for {op}, which is not modelled" for op in machine.l0.unknown]
    if end is not None and end.kind is Invariant.L0_MODEL:
        found.append(f"{end.message}, at {where(end.address)}")
    return tuple(dict.fromkeys(found))
