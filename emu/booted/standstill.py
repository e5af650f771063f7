# SPDX-License-Identifier: GPL-2.0-or-later
"""Proof that a processor loops: it is again where it was, with nothing changed.

Registers alike at the same place, no memory written that was not so already, and nothing asked of what
is outside: what it did once it will do for ever.  A lock that nobody will drop, an endless loop, a wait
for a flag.  Whoever looks, and whenever, finds the same circle; so it is told by its lowest address.
"""

from __future__ import annotations

from emu.booted.machine import Machine
from emu.booted.processor import Vcpu
from emu.booted.ram import BadAddress
from emu.cpu.engine import REGISTERS, Stopped
from emu.spaces import LinearAddr, PhysAddr

STEPS = 20_000
"""Instructions in which a circle has to be closed."""


def run_closely(machine: Machine, vcpu: Vcpu) -> tuple[Stopped, LinearAddr | None]:
    """Let a processor run some way, and look whether it gets anywhere.

    Where it ended, and the lowest address of the circle that it runs in, if it does: there it is then.
    """
    circle = _Circle(machine, vcpu)
    with vcpu.cpu.watched(circle.on_code, circle.on_write):
        stopped = vcpu.run(machine.kernel.start, 0)
    return stopped, circle.found


class _Circle:
    def __init__(self, machine: Machine, vcpu: Vcpu) -> None:
        self.found: LinearAddr | None = None
        self._machine = machine
        self._vcpu = vcpu
        self._registers = vcpu.cpu.batch(*REGISTERS, "cr3", "cr0", "cr4", "fs_base", "gs_base")
        self._begin: LinearAddr | None = None
        """The first address that is seen: in real mode that is not the instruction pointer."""
        self._changes = 0
        self._seen: dict[tuple[int, ...], int] = {}
        self._lowest: list[LinearAddr] = []
        """Between one time at the beginning and the next: the lowest address."""
        self._steps = 0

    def on_code(self, address: LinearAddr) -> None:
        self._steps += 1
        if self.found is None and self._steps <= STEPS:
            self._look(address)
        if self._steps > STEPS or address == self.found:
            self._vcpu.cpu.stop()

    def _look(self, address: LinearAddr) -> None:
        if self._begin is None:
            self._begin = address
        if address == self._begin:
            state = (*self._registers.read(), self._changes, self._machine.contacts)
            if state in self._seen:
                self.found = min(self._lowest[self._seen[state] :])
                self._steps = 0
                return
            self._seen[state] = len(self._lowest)
            self._lowest.append(address)
        self._lowest[-1] = min(self._lowest[-1], address)

    def on_write(self, address: PhysAddr, content: bytes) -> None:
        try:
            same = self._machine.ram.read(address, len(content)) == content
        except BadAddress:
            same = False
        self._changes += not same
