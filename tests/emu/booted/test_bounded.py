# SPDX-License-Identifier: GPL-2.0-or-later
"""A boot without end in which each instruction is a trap: given up by the clock, and not called a fault."""

from __future__ import annotations

import pytest

from emu.booted import turns
from emu.booted.emulate import MODES, emulate_mode
from emu.booted.ending import Bounds
from emu.profile import load_profile
from tests.emu.images import shim32


def test_it_is_given_up_and_could_not_be_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "BOOT", Bounds(0.4, 150_000_000, 300))
    monkeypatch.setattr(turns, "SLOWEST", 2)
    image = shim32("mov $0x3f8, %dx; 1: outb %al, %dx; inc %ebx; jmp 1b")
    report = emulate_mode(image, load_profile("xen-pv-shim-4.10"), MODES[0], only="send/64")
    assert not report.findings
    missing, then = report.unjudged
    assert "is not done after 1 s" in missing
    assert "at pvh_start" in missing
    assert then.startswith("then the guest is never entered: is not done after 1 s")
