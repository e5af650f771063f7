# SPDX-License-Identifier: GPL-2.0-or-later
"""Time of a machine.

It is virtual, so that every run is the same: it advances with each look at it, and faster and faster
while the same place looks again and again, since that place is waiting.  A delay of one second that is
written as a thousand of a millisecond each is over after some thousand looks.
"""

from __future__ import annotations

from dataclasses import dataclass

TSC_HZ = 2_000_000_000
LOOK = 2_000
"""Ticks that one look at the time takes: a microsecond."""
EAGER = 4
"""Looks from one place before the time begins to run faster."""
IDLE = 2_000
"""Looks with nothing else going on: a delay written as very many short ones.  A timer's handlers look
tens of times, and must not see the time run away from under them."""
MAX_STEP = 4_000_000
FIRST_TSC = 1 << 32


@dataclass(slots=True)
class Clock:
    """Virtual time, in ticks of the TSC."""

    ticks: int = FIRST_TSC
    looks: int = 0
    _place: int = 0
    _same: int = 0
    _idle: int = 0

    def look(self, place: int) -> int:
        """The time; ``place`` stands for the instruction that reads it and the stack that it runs on, so
        that a function which everybody asks for the time does not look like somebody who waits."""
        self.looks += 1
        self._same = self._same + 1 if place == self._place else 0
        self._place = place
        self._idle += 1
        step = LOOK
        if self._idle > IDLE:
            step = MAX_STEP
        elif self._same > EAGER:
            step = min(LOOK << min(self._same - EAGER, 20), MAX_STEP)
        self.ticks += step
        return self.ticks

    def pass_by(self, ticks: int) -> int:
        """Time that something else takes."""
        self._idle = 0
        self.ticks += ticks
        return self.ticks

    @property
    def waited(self) -> bool:
        """Whether who looked last does nothing but look."""
        return self._same > EAGER

    def copy(self) -> Clock:
        return Clock(self.ticks, self.looks, self._place)
