# SPDX-License-Identifier: GPL-2.0-or-later
"""Who runs, and for how long: from where the machine is to where its guest is at its start again.

With one processor started it runs until something from outside stops it.  With more of them each has
its turn, in the order of their numbers, which ends where it halts, spins, waits for the time, or starts
another: the same order in every run.  To count instructions instead would make it ten times as slow; only
where that did not come to an end in time is everything done again with turns that are counted.

An interrupt is taken before an instruction, where the processor takes any.  Nobody doing anything, the
time goes on to the next timer, or to the next thing that is to come from outside.
"""

from __future__ import annotations

from collections.abc import Callable

from emu.booted.ending import BOOT, SLOWEST, Bounds, Ended, OutOfTime, TooSlow
from emu.booted.machine import SPINS, Machine
from emu.booted.processor import Activity, Vcpu
from emu.booted.standstill import run_closely
from emu.booted.traps import VECTOR_NMI, VECTOR_UD, TripleFault
from emu.cpu import Stop, Stopped
from emu.cpu.watchdog import Watchdog
from emu.findings.invariant import Invariant
from emu.hardware.clock import TSC_HZ
from emu.spaces import LinearAddr

TURN = 1_000
"""Instructions of one processor while others want to run, where they are counted; and what one that spins
pays for its turn, where they are not."""
COUNTED = 1_000_000
"""Instructions at a time of a processor that is alone, where they are counted."""
STANDSTILL = "loops, and nothing changes any more"
GUEST_VCPU = "rbp"
"""Where the guest of ours keeps the number of its vcpu."""


class Runner:
    """Runs one machine, until a moment (`time.monotonic`) at most: from then on it raises OutOfTime."""

    def __init__(self, machine: Machine, until: float = float("inf")) -> None:
        self.machine = machine
        self.counting = False
        """Whether a run is bounded in instructions, since time was not enough."""
        self._watchdog = Watchdog(self._stop, until)
        self._last = 0
        """Whose turn it was."""
        self._left = 0
        """Instructions, where they are counted."""
        self._cut = False
        """The last turn was cut short by the time of the machine below, and goes on."""
        self._closely = False
        """The next turn is one to look closely at."""
        self._spun = 0
        """Turns in which one that is alone did nothing but spin."""

    def close(self) -> None:
        """Give everything back."""
        self._watchdog.close()
        self.machine.close()

    def boot(self) -> None:
        """Up to the guest's first instruction; raises Ended or TooSlow."""
        machine = self.machine
        self.run(BOOT, lambda: machine.vcpus[self._last].activity is Activity.AT_GUEST)
        vcpu = machine.vcpus[self._last]
        if not vcpu.cpu.read("cs") & 3:
            message = "jumps to the guest's code without leaving ring 0"
            raise Ended(Invariant.CRASH, message, machine.kernel.start)
        vcpu.guest = 0

    def call(self, vcpu: Vcpu, entry: LinearAddr, bounds: Bounds) -> None:
        """A guest's vcpu, which is at its start, goes on at ``entry``, until it is there again."""
        guest, vcpu.guest = vcpu.guest, None
        vcpu.rip, vcpu.activity = entry, Activity.RUNNING
        self._last = vcpu.number
        vcpus = self.machine.vcpus
        self.run(bounds, lambda: any(v.guest == guest for v in vcpus), first=vcpu)

    def settle(self, bounds: Bounds) -> None:
        """Until nobody has anything to do that does not wait for the time."""
        self.run(bounds, lambda: False, quiet=True)

    def run(
        self,
        bounds: Bounds,
        done: Callable[[], bool],
        *,
        first: Vcpu | None = None,
        quiet: bool = False,
    ) -> None:
        """Run until ``done()``, asked whenever a guest is at its start; with ``quiet`` also where nobody
        has anything to do.  Raises Ended, or TooSlow where not even instructions are counted."""
        machine = self.machine
        machine.patience = machine.devices.clock.ticks + bounds.patience * TSC_HZ
        self._left = bounds.instructions
        self._cut = self._closely = self._watchdog.fired = False
        self._spun = 0
        self._watchdog.arm(bounds.seconds * SLOWEST if self.counting else bounds.seconds / 4)
        try:
            vcpu = first or self._next()
            while True:
                if vcpu is None:
                    if quiet:
                        return
                    self._idle()
                elif self._turn(vcpu, bounds) and done():
                    return
                vcpu = self._next()
        except TripleFault as exc:
            raise Ended(Invariant.CRASH, str(exc), exc.address) from exc
        finally:
            self._watchdog.disarm()

    # --- whose turn ---

    def _next(self) -> Vcpu | None:
        """The next in the order of their numbers that has anything to do."""
        vcpus = self.machine.vcpus
        if self._cut:
            return vcpus[self._last]
        if not self.machine.company:
            return vcpus[0] if self._has_work(vcpus[0]) else None
        count = len(vcpus)
        for step in range(1, count + 1):
            vcpu = vcpus[(self._last + step) % count]
            if self._has_work(vcpu):
                return vcpu
        return None

    def _has_work(self, vcpu: Vcpu) -> bool:
        if vcpu.activity is Activity.RUNNING:
            return True
        if vcpu.activity is Activity.WAITING:
            return False
        if vcpu.nmi:
            return True
        return self.machine.waiting(vcpu) is not None and vcpu.enables_interrupts()

    def _idle(self) -> None:
        """Nobody has anything to do: the time goes on."""
        machine = self.machine
        vcpu = machine.vcpus[self._last]
        if not machine.devices.skip():
            raise Ended(Invariant.HALT, "halts, and nothing will wake it", vcpu.rip - 1)
        if machine.devices.clock.ticks > machine.patience:
            raise Ended(
                Invariant.LOOP,
                "halts again and again, and never returns to the guest",
                vcpu.rip - 1,
            )

    def _turn(self, vcpu: Vcpu, bounds: Bounds) -> bool:
        """Let one run; whether it is at its guest's start now."""
        machine = self.machine
        self._last = vcpu.number
        if not self._cut:  # the time of the machine below is no moment of this one's
            self._take_interrupt(vcpu)
            vcpu.spins = vcpu.looks = 0
        vcpu.guest, machine.turn_over = None, False
        place, count = None, self._counted()
        if self._closely:
            self._closely = False
            stopped, place = run_closely(machine, vcpu)
            if place is not None:
                self._circles(vcpu, place)
        else:
            stopped = vcpu.run(machine.kernel.start, count)
        self._cut = stopped.reason is Stop.ASKED and not machine.turn_over and place is None
        if stopped.reason is Stop.RETURNED:
            vcpu.activity = Activity.AT_GUEST
            vcpu.guest = vcpu.cpu.read(GUEST_VCPU) & 0xFF
            return True
        if stopped.reason is Stop.HALTED:
            vcpu.activity = Activity.HALTED
        elif stopped.reason is Stop.INVALID:
            self._invalid(vcpu)
        elif stopped.reason is Stop.BUDGET:
            self._spend(vcpu, count, bounds)
        elif stopped.reason is not Stop.ASKED:
            self._crashed(stopped)
        elif vcpu.spins >= SPINS:
            self._spins(vcpu, bounds)
        if self._watchdog.expired:
            raise OutOfTime
        if self._watchdog.fired:
            self._time_is_up(bounds)
        return False

    def _counted(self) -> int:
        """The instructions of a turn; 0 where they are not counted."""
        if not self.counting:
            return 0
        return TURN if self.machine.company else min(self._left, COUNTED)

    def _spins(self, vcpu: Vcpu, bounds: Bounds) -> None:
        """It waits for another: all of them doing nothing else is the end.  One that is alone waits for
        an interrupt, or for ever.  Which of the two, is looked at in its first turn, its second, its fourth:
        by turns and not by the time of the machine below, so that the verdict is the same on every one."""
        if not self.machine.company:
            self._spun += 1
            self._closely = self._spun & self._spun - 1 == 0
            if not self._closely and vcpu.enables_interrupts():
                self._pass(vcpu.rip)
        self._spend(vcpu, TURN, bounds)

    def _take_interrupt(self, vcpu: Vcpu) -> None:
        if vcpu.nmi:
            vcpu.nmi = False
            self._enter(vcpu, VECTOR_NMI)
            return
        machine = self.machine
        vector = machine.waiting(vcpu)
        if vector is None or not vcpu.enables_interrupts():
            return
        lapic = machine.devices.lapics[vcpu.number]
        if lapic.waiting() == vector:
            lapic.accept(vector)
        self._enter(vcpu, vector)

    def _enter(self, vcpu: Vcpu, vector: int) -> None:
        vcpu.cpu.write("rip", vcpu.rip)
        vcpu.traps.interrupt(vector)
        vcpu.rip = vcpu.cpu.rip()

    # --- ends ---

    def _invalid(self, vcpu: Vcpu) -> None:
        """The one exception for which the library stops instead of calling back; a vmcall is none."""
        if self.machine.hypercall_in_place(vcpu):
            return
        self.machine.note_unknown(vcpu)
        self.machine.exception(vcpu, VECTOR_UD)
        vcpu.rip = vcpu.cpu.rip()

    def _crashed(self, stopped: Stopped) -> None:
        raise Ended(Invariant.CRASH, f"{stopped.reason.value} ({stopped.address:#x})", stopped.rip)

    def _spend(self, vcpu: Vcpu, count: int, bounds: Bounds) -> None:
        """Instructions are used up: all of them is the end, which may still have a better name."""
        self._left -= count
        if self._left > 0:
            return
        rip, places = vcpu.rip, []
        for each in self.machine.vcpus:
            if each.activity is Activity.RUNNING:
                each.spins = SPINS  # it may pause now
                _, place = run_closely(self.machine, each)
                places.append(place)
        first = places[0]
        if first is not None and None not in places:
            raise Ended(Invariant.LOOP, STANDSTILL, first)
        raise Ended(
            Invariant.LOOP, f"does not finish within {bounds.instructions} instructions", rip
        )

    def _circles(self, vcpu: Vcpu, place: LinearAddr) -> None:
        """Another can help now, or an interrupt, if one is to come; raises Ended where none is."""
        if any(self._has_work(each) for each in self.machine.vcpus if each is not vcpu):
            return
        if not vcpu.enables_interrupts() or not self._pass(place):
            raise Ended(Invariant.LOOP, STANDSTILL, place)

    def _pass(self, place: LinearAddr) -> bool:
        """The time goes on for who waits at ``place``; False where nothing is to come."""
        comes = self.machine.devices.skip()
        if self.machine.devices.clock.ticks > self.machine.patience:
            raise Ended(Invariant.LOOP, "waits forever", place)
        return comes

    def _stop(self) -> None:
        """The watchdog: whoever runs is to stop."""
        self.machine.vcpus[self._last].cpu.stop()

    def _time_is_up(self, bounds: Bounds) -> None:
        """Which is no verdict, only the time to look closer, in the end to count, and at last to give up."""
        if self.counting:
            done = bounds.instructions - self._left
            raise Ended(
                Invariant.L0_MODEL,
                f"is not done after {bounds.seconds * SLOWEST:.0f} s and {done} instructions",
                self.machine.vcpus[self._last].rip,
            )
        if not self._watchdog.again(bounds.seconds):
            self._watchdog.disarm()
            raise TooSlow
        self._closely = self._cut
