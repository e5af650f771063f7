# SPDX-License-Identifier: GPL-2.0-or-later
"""Hypercalls of the guest, each from the snapshot taken at its first instruction.

What is asked goes through the real entry (``syscall`` or ``int $0x82``), the real copies from and to the
guest, the real translation of 32-bit structures.  Nothing of the image is modelled here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from emu import abi
from emu.booted.machine import (
    CALL_INSTRUCTIONS,
    CALL_SECONDS,
    Ended,
    Machine,
    TooSlow,
)
from emu.booted.paging import NotMapped
from emu.booted.traps import VECTOR_UD, TripleFault
from emu.cpu import Saved
from emu.elf import PAGE
from emu.l0 import Interactions, L0Setup
from emu.verdict import L0Call

COMPAT_REGISTERS = ("rbx", "rcx", "rdx", "rsi", "rdi")
"""Hypercall arguments of a 32-bit guest."""
ABSENT = 0x50000000
RESULT_BITS: dict[abi.Mode, int] = {"64": 64, "compat": 32}
MAX_CONSOLE_SHOWN = 2000
Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one hypercall."""

    result: int | None
    calls: tuple[L0Call, ...]
    callers: tuple[int, ...]
    end: Ended | None = None
    """Why it did not come back."""
    console: str = ""
    taken: tuple[tuple[int, int], ...] = ()
    """(vector, address) of the exceptions on the way."""

    def told(self) -> str:
        """How it ended, with what the image said about it."""
        if self.end is None:
            return ""
        said = self.console.strip().splitlines()
        words = [line for key in ("BUG", "anic") for line in said if key in line]
        word = words[0] if words else ""
        return f"{self.end.message} {word.removeprefix('(XEN) ')}".strip()

    def culprit(self) -> int:
        """Where it went wrong: the BUG that led to the end, where one did."""
        bugs = [address for vector, address in self.taken if vector == VECTOR_UD]
        if bugs:
            return bugs[-1]
        return self.end.address if self.end is not None else 0


class Drive:
    """A booted machine and its snapshot."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.kernel = machine.kernel
        self.calls = 0
        self._counting = False
        cpu = machine.cpu
        machine.ram.snapshot()
        self._saved: Saved = cpu.save()
        self._devices = machine.devices.copy()
        self._l0 = machine.l0
        names = abi.ARGUMENT_REGISTERS if self.kernel.mode == "64" else COMPAT_REGISTERS
        self._arguments = cpu.batch("rax", *names)
        self._rax = cpu.batch("rax")
        self._mask = (1 << RESULT_BITS[self.kernel.mode]) - 1
        self.start_info = cpu.read("rsi")
        """Address of the guest's start info, as it is given to it."""
        self.read_only = self._find_read_only()

    def _find_read_only(self) -> int | None:
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

    def restore(self, interactions: Interactions, setup: L0Setup) -> None:
        """Everything as at the snapshot; L0 with these answers from now on."""
        machine = self.machine
        machine.ram.restore()
        machine.cpu.restore(self._saved)
        machine.devices = self._devices.copy()
        machine.l0 = self._l0.fork(interactions, setup)

    def call(self, number: int, arguments: Sequence[int]) -> Answer:
        """One hypercall of the guest, from wherever the machine is now (at the guest's start)."""
        machine = self.machine
        self.calls += 1
        l0, taken = machine.l0, machine.traps.taken
        calls_before, console_before = len(l0.calls), len(l0.console)
        machine.callers.clear()
        taken.clear()
        values = [value & self._mask for value in arguments][:5]
        values += [0] * (5 - len(values))
        self._arguments.write((self.kernel.hypercall(number), *values))
        end: Ended | None = None
        try:
            self._go(self.kernel.start + 1)
        except Ended as exc:
            end = exc
        result = None
        if end is None:
            result = abi.signed(self._rax.read()[0], RESULT_BITS[self.kernel.mode])
        text = bytes(l0.console[console_before:]).decode("utf-8", "replace")
        return Answer(
            result,
            tuple(l0.calls[calls_before:]),
            tuple(machine.callers),
            end,
            text[-MAX_CONSOLE_SHOWN:],
            tuple(taken),
        )

    def interrupt(self, vector: int) -> None:
        """One from outside while the guest is at its start; raises Ended."""
        machine = self.machine
        try:
            machine.traps.interrupt(vector)
        except TripleFault as exc:
            raise Ended("crash", str(exc), exc.address) from exc
        self._go(machine.cpu.read("rip"))

    def _go(self, start: int) -> None:
        count = CALL_INSTRUCTIONS if self._counting else 0
        self.machine.run_from(start, CALL_SECONDS, count)

    def bounded(self, attempt: Callable[[], Outcome]) -> Outcome:
        """``attempt``, which begins with `restore`; again with instructions counted where the time was
        up, so that what it ends with does not depend on the machine."""
        try:
            return attempt()
        except TooSlow:
            self._counting = True
        self.machine.cpu.forget_code()
        try:
            return attempt()
        finally:
            self._counting = False
            self.machine.cpu.forget_code()
