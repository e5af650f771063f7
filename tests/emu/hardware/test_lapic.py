# SPDX-License-Identifier: GPL-2.0-or-later
"""The local APIC: what the SDM (vol. 3, chapter 10) says of messages, priorities and the timer."""

from __future__ import annotations

import pytest

from emu.hardware.clock import Clock
from emu.hardware.lapic import (
    DFR,
    EOI,
    ICR_HIGH,
    ICR_LOW,
    ID,
    IRR,
    ISR,
    LDR,
    LVT_MASKED,
    LVT_PERIODIC,
    LVTT,
    NEVER,
    TICKS_PER_COUNT,
    TMCCT,
    TMICT,
    TPR,
    Delivery,
    Lapic,
    Message,
)


@pytest.fixture
def lapic() -> Lapic:
    return Lapic(Clock(), 1)


def to(destination: int, *, logical: bool = False, shorthand: int = 0) -> Message:
    return Message(Delivery.FIXED, 0x40, logical, destination, shorthand, False)


def test_a_message_is_what_the_command_register_says(lapic: Lapic) -> None:
    assert lapic.write(ICR_HIGH, 4, 2 << 24) is None
    sent = lapic.write(ICR_LOW, 4, 0x4000 | 5 << 8)
    assert sent == Message(Delivery.INIT, 0, False, 2, 0, True)
    sent = lapic.write(ICR_LOW, 4, 6 << 8 | 0x12)
    assert sent == Message(Delivery.STARTUP, 0x12, False, 2, 0, False)
    assert lapic.read(ID, 4) == 2 << 24


@pytest.mark.parametrize(
    ("message", "sender", "taken"),
    [
        (to(2), 0, True),
        (to(0), 0, False),
        (to(0xFF), 0, True),
        (to(0, shorthand=1), 1, True),
        (to(0, shorthand=1), 0, False),
        (to(0, shorthand=2), 1, True),
        (to(0, shorthand=3), 1, False),
        (to(0, shorthand=3), 0, True),
        (to(0b110, logical=True), 0, True),
        (to(0b101, logical=True), 0, False),
    ],
)
def test_whom_a_message_is_for(lapic: Lapic, message: Message, sender: int, taken: bool) -> None:
    lapic.write(LDR, 4, 0b010 << 24)
    assert lapic.addressed(message, sender) is taken


def test_logical_clusters(lapic: Lapic) -> None:
    """DFR 0: the upper half of the number is the cluster."""
    lapic.write(DFR, 4, 0x0FFFFFFF)
    lapic.write(LDR, 4, 0x32 << 24)
    assert lapic.addressed(to(0x3A, logical=True), 0)
    assert not lapic.addressed(to(0x3C, logical=True), 0)
    assert not lapic.addressed(to(0x42, logical=True), 0)


def test_the_highest_class_comes_first_and_blocks_the_others(lapic: Lapic) -> None:
    lapic.request(0x41)
    lapic.request(0x62)
    assert lapic.waiting() == 0x62
    lapic.accept(0x62)
    assert lapic.waiting() is None
    lapic.request(0x6F)
    assert lapic.waiting() is None, "the class that is being served"
    lapic.write(EOI, 4, 0)
    assert lapic.waiting() == 0x6F
    lapic.write(TPR, 4, 0x60)
    assert lapic.waiting() is None
    assert lapic.read(IRR + 0x30, 4) == 1 << 0x0F
    assert lapic.read(ISR + 0x30, 4) == 0


def test_exceptions_are_no_interrupts(lapic: Lapic) -> None:
    lapic.request(3)
    assert lapic.waiting() is None


def test_the_timer_fires_once(lapic: Lapic) -> None:
    lapic.write(LVTT, 4, 0x50)
    lapic.write(TMICT, 4, 100)
    assert lapic.due == lapic.clock.ticks + 100 * TICKS_PER_COUNT
    lapic.tick()
    assert lapic.waiting() is None
    lapic.clock.pass_by(100 * TICKS_PER_COUNT)
    assert lapic.read(TMCCT, 4) == 0
    lapic.tick()
    assert (lapic.waiting(), lapic.due) == (0x50, NEVER)


def test_the_timer_fires_again(lapic: Lapic) -> None:
    lapic.write(LVTT, 4, 0x50 | LVT_PERIODIC)
    lapic.write(TMICT, 4, 100)
    first = lapic.due
    lapic.clock.pass_by(100 * TICKS_PER_COUNT)
    lapic.tick()
    assert lapic.due == first + 100 * TICKS_PER_COUNT


def test_a_masked_timer_asks_for_nothing(lapic: Lapic) -> None:
    lapic.write(LVTT, 4, 0x50 | LVT_MASKED)
    lapic.write(TMICT, 4, 1)
    lapic.clock.pass_by(10 * TICKS_PER_COUNT)
    lapic.tick()
    assert (lapic.waiting(), lapic.due) == (None, NEVER)


def test_init_forgets_everything(lapic: Lapic) -> None:
    lapic.request(0x41)
    lapic.write(TPR, 4, 0x20)
    lapic.reset()
    assert (lapic.waiting(), lapic.read(TPR, 4), lapic.read(ID, 4)) == (None, 0, 2 << 24)
