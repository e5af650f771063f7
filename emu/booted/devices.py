# SPDX-License-Identifier: GPL-2.0-or-later
"""What changes besides memory and registers: time, the interval timer, the local APICs, what is to come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from emu.hardware.clock import Clock
from emu.hardware.lapic import NEVER, Lapic
from emu.hardware.platform import Ports

Action = Callable[[], None]


@dataclass(slots=True)
class Devices:
    """Of one machine; a copy is a snapshot of them."""

    clock: Clock
    ports: Ports
    lapics: tuple[Lapic, ...]
    later: list[tuple[int, Action]] = field(default_factory=list)
    """(time, what happens then) from outside of the domain."""
    due: int = NEVER
    """The next time at which something happens by itself."""

    @classmethod
    def new(cls, vcpus: int) -> Devices:
        clock = Clock()
        return cls(clock, Ports(clock), tuple(Lapic(clock, number) for number in range(vcpus)))

    def copy(self) -> Devices:
        clock = self.clock.copy()
        lapics = tuple(lapic.copy(clock) for lapic in self.lapics)
        return Devices(clock, self.ports.copy(clock), lapics, list(self.later), self.due)

    def at(self, ticks: int, action: Action) -> None:
        """Let something happen at a time of the clock."""
        self.later.append((ticks, action))
        self.look_ahead()

    def look_ahead(self) -> None:
        """Find the next time again, after a timer was set or has fired."""
        due = min(lapic.due for lapic in self.lapics)
        self.due = min([due, *(ticks for ticks, _ in self.later)])

    def tick(self) -> None:
        """Let happen what is due by now."""
        now = self.clock.ticks
        for lapic in self.lapics:
            lapic.tick()
        for event in [event for event in self.later if event[0] <= now]:
            self.later.remove(event)
            event[1]()
        self.look_ahead()

    def skip(self) -> bool:
        """Nobody does anything: on to the next time at which something happens; False for none."""
        if self.due >= NEVER:
            return False
        self.clock.pass_by(max(0, self.due - self.clock.ticks))
        self.tick()
        return True
