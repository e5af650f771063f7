# SPDX-License-Identifier: GPL-2.0-or-later
"""What the processor of the object level tells, and what it costs."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from emu.cpu import WIDEST, Cpu
from emu.cpu import watchdog as module
from emu.cpu.watchdog import Watchdog
from emu.elf import PAGE, Perm
from emu.object.regions import Memory
from emu.spaces import LinearAddr

CODE, DATA = LinearAddr(0x10000), LinearAddr(0x20000)


@pytest.mark.parametrize(
    "instruction",
    ["0f1007", "0f1107", "0fae07", "f0480fc70f", "db2f", "48a5"],
    ids=["movups", "movups to memory", "fxsave", "cmpxchg16b", "fld tbyte", "movsq"],
)
def test_no_access_is_told_of_that_is_wider(instruction: str) -> None:
    """A hook before a field would miss what begins further away."""
    code = bytes.fromhex(instruction)
    cpu, memory, seen = Cpu(), Memory(), list[int]()
    for base in (CODE, DATA):
        region = memory.add("some", base, PAGE, Perm.READ | Perm.WRITE | Perm.EXEC)
        cpu.map(base, PAGE, region.perm, region.pointer)
    memory.write(CODE, code)
    cpu.on_access(DATA, DATA + PAGE, lambda _write, _address, size: seen.append(size))
    cpu.write("rdi", DATA + 0x100)
    cpu.write("rsi", DATA + 0x200)
    cpu.run(CODE, CODE + len(code), 10)
    assert seen and max(seen) <= WIDEST


def compute(seconds: float, until: Sequence[float] = ()) -> None:
    """For that long, or until something stands there."""
    end = time.process_time() + seconds
    while not until and time.process_time() < end:
        pass


def test_a_run_is_stopped_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is over when another begins: that has all its time."""
    monkeypatch.setattr(module, "INTERVAL", 0.001)
    stopped: list[float] = []
    watchdog = Watchdog(lambda: stopped.append(time.process_time()))
    try:
        begun = time.process_time()
        watchdog.arm(0.05)
        compute(10, stopped)
        assert len(stopped) == 1 and stopped[0] - begun >= 0.05
        watchdog.arm(1000)
        compute(0.1)
        assert len(stopped) == 1 and not watchdog.fired
    finally:
        watchdog.close()


def test_to_watch_a_short_run_asks_no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL", 1000.0)
    watchdog = Watchdog(lambda: None)
    try:
        monkeypatch.setattr(time, "process_time", lambda: pytest.fail("asked"))
        for _ in range(3):
            watchdog.arm(1)
            watchdog.disarm()
    finally:
        monkeypatch.undo()
        watchdog.close()
