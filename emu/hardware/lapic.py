# SPDX-License-Identifier: GPL-2.0-or-later
"""The local APIC of one processor (Intel SDM vol. 3, chapter 10), as far as a PVH domain uses it.

Registers are as they were written, but for what moves by itself: requested and served interrupts, the
timer.  Messages to other processors go through whoever owns them all (`Message`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from emu.hardware.clock import LOOK, Clock

BASE = 0xFEE00000
ID, VERSION, TPR, EOI, LDR, DFR, SPIV = 0x20, 0x30, 0x80, 0xB0, 0xD0, 0xE0, 0xF0
ISR, IRR = 0x100, 0x200
ICR_LOW, ICR_HIGH, LVTT, TMICT, TMCCT = 0x300, 0x310, 0x320, 0x380, 0x390
TICKS_PER_COUNT = 20 * 16
LVT_MASKED, LVT_PERIODIC = 1 << 16, 1 << 17
FIRST_VECTOR = 16
NEVER = 1 << 64


class Delivery(Enum):
    """Delivery mode of a message."""

    FIXED = 0
    LOWEST = 1
    SMI = 2
    NMI = 4
    INIT = 5
    STARTUP = 6
    OTHER = 7


@dataclass(frozen=True, slots=True)
class Message:
    """One write to the interrupt command register."""

    delivery: Delivery
    vector: int
    logical: bool
    destination: int
    shorthand: int
    """0 for the destination, 1 self, 2 all, 3 all but self."""
    asserted: bool


@dataclass(slots=True)
class Lapic:
    """One local APIC; ``number`` is its processor's."""

    clock: Clock
    number: int = 0
    registers: dict[int, int] = field(default_factory=dict)
    requested: int = 0
    """One bit a vector."""
    serving: int = 0
    due: int = NEVER
    """When the timer fires, in ticks."""
    _started: int = 0

    @property
    def id(self) -> int:
        return self.number * 2

    def reset(self) -> None:
        """As after INIT."""
        self.registers.clear()
        self.requested = self.serving = 0
        self.due = NEVER

    def copy(self, clock: Clock) -> Lapic:
        return Lapic(
            clock,
            self.number,
            dict(self.registers),
            self.requested,
            self.serving,
            self.due,
            self._started,
        )

    # --- registers ---

    def read(self, offset: int, _size: int) -> int:
        now = self.clock.pass_by(LOOK)
        if offset == TMCCT:
            gone = (now - self._started) // TICKS_PER_COUNT
            return max(0, self.registers.get(TMICT, 0) - gone)
        if offset == ID:
            return self.id << 24
        if offset == VERSION:
            return 0x50014
        for base, bits in ((ISR, self.serving), (IRR, self.requested)):
            if base <= offset < base + 0x80:
                return bits >> (offset - base) // 0x10 * 32 & 0xFFFFFFFF
        return self.registers.get(offset, 0xFF if offset == SPIV else 0)

    def write(self, offset: int, _size: int, value: int) -> Message | None:
        """Set a register; what it sends, if it sends something."""
        value &= 0xFFFFFFFF
        if offset == EOI:
            self.serving &= ~(1 << self.serving.bit_length() - 1) if self.serving else 0
            return None
        self.registers[offset] = value
        if offset == TMICT:
            self._started = self.clock.ticks
            self.due = self._started + value * TICKS_PER_COUNT if value else NEVER
        elif offset == ICR_LOW:
            return _message(value, self.registers.get(ICR_HIGH, 0) >> 24)
        return None

    def addressed(self, message: Message, sender: int) -> bool:
        """Whether a message is for this processor."""
        if message.shorthand:
            own = self.number == sender
            return {1: own, 2: True, 3: not own}[message.shorthand]
        if message.destination == 0xFF:
            return True
        if not message.logical:
            return message.destination == self.id
        logical = self.registers.get(LDR, 0) >> 24
        if self.registers.get(DFR, 0xFFFFFFFF) >> 28 == 0xF:
            return bool(logical & message.destination)
        same = logical >> 4 == message.destination >> 4
        return same and bool(logical & message.destination & 15)

    # --- interrupts ---

    def request(self, vector: int) -> None:
        if vector >= FIRST_VECTOR:
            self.requested |= 1 << vector

    def waiting(self) -> int | None:
        """The vector that the processor is to take now, if it takes any."""
        if not self.requested:
            return None
        vector = self.requested.bit_length() - 1
        priority = max(self.registers.get(TPR, 0), self.serving.bit_length() - 1)
        return vector if vector >> 4 > priority >> 4 else None

    def accept(self, vector: int) -> None:
        """The processor takes it."""
        self.requested &= ~(1 << vector)
        self.serving |= 1 << vector

    def tick(self) -> None:
        """The time has moved: the timer may have to fire."""
        if self.clock.ticks < self.due:
            return
        entry = self.registers.get(LVTT, LVT_MASKED)
        if entry & LVT_PERIODIC:
            self.due += max(1, self.registers.get(TMICT, 0)) * TICKS_PER_COUNT
        else:
            self.due = NEVER
        if not entry & LVT_MASKED:
            self.request(entry & 0xFF)


def _message(low: int, destination: int) -> Message:
    mode = low >> 8 & 7
    known = {kind.value for kind in Delivery}
    return Message(
        Delivery(mode) if mode in known else Delivery.OTHER,
        low & 0xFF,
        bool(low & 1 << 11),
        destination,
        low >> 18 & 3,
        bool(low & 1 << 14),
    )
