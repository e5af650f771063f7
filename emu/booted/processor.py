# SPDX-License-Identifier: GPL-2.0-or-later
"""One processor of the machine: its state, memory as it sees it, and what it is doing."""

from __future__ import annotations

from enum import Enum

from emu.booted.paging import L0View, Linear, NotMapped
from emu.booted.ram import Ram
from emu.booted.traps import CR0_PG, Traps
from emu.cpu import Saved, Stop, Stopped, System
from emu.spaces import LinearAddr

HLT = b"\xf4"


class Activity(Enum):
    """What a processor is doing."""

    WAITING = "waits for a startup message"
    RUNNING = "runs"
    HALTED = "halts"
    AT_GUEST = "is at the first instruction of its guest"


class Vcpu:
    """Processor ``number``, with a machine state of its own over the memory of all."""

    def __init__(self, number: int, ram: Ram) -> None:
        self.number = number
        self.cpu = System()
        cr3 = self.cpu.batch("cr3")
        self.linear = Linear(ram, lambda: cr3.read()[0])
        self.view = L0View(self.linear)
        self.traps = Traps(self.cpu, self.linear)
        self.activity = Activity.RUNNING
        self.rip = LinearAddr(0)
        """Where it goes on."""
        self.guest: int | None = None
        """The guest's vcpu that is at its first instruction here."""
        self.nmi = False
        self.spins = 0
        """How often it paused in this turn, with nothing else done."""
        self.looks = 0
        """How often it looked at the time in this turn."""
        self._place = self.cpu.batch("rip", "rsp")
        self._counted = False

    def save(self) -> tuple[Saved, Activity, LinearAddr, int | None, bool]:
        return self.cpu.save(), self.activity, self.rip, self.guest, self.nmi

    def restore(self, saved: tuple[Saved, Activity, LinearAddr, int | None, bool]) -> None:
        context, self.activity, self.rip, self.guest, self.nmi = saved
        self.cpu.restore(context)

    def startup(self, page: int) -> None:
        """A startup message has come."""
        self.cpu.start_in_real_mode(page)
        self.activity, self.rip = Activity.RUNNING, LinearAddr(0)
        self.guest, self.nmi = None, False

    def where(self) -> int:
        """What looks at the time: its place and its stack."""
        rip, rsp = self._place.read()
        return rip ^ rsp

    def enables_interrupts(self) -> bool:
        return self.cpu.interruptible()

    def run(self, until: LinearAddr, count: int) -> Stopped:
        """On from where it is, up to ``until``, a halt or for ``count`` instructions (0: any number)."""
        if bool(count) != self._counted:
            self._counted = bool(count)
            self.cpu.forget_code()
        self.activity = Activity.RUNNING
        self.cpu.dismiss()
        stopped = self.cpu.run(self.rip, until, count)
        self.rip = stopped.rip
        if count and stopped.reason is Stop.HALTED and not self._halts():
            return Stopped(Stop.INVALID, stopped.rip)
        return stopped

    def _halts(self) -> bool:
        """Whether it has come to a ``hlt``: where the library counts, an invalid instruction may end a run
        in the same way."""
        if not self.cpu.read("cr0") & CR0_PG:
            return True
        try:
            return self.linear.read(self.rip - 1, 1) == HLT
        except NotMapped:
            return False
