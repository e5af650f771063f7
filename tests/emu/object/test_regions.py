# SPDX-License-Identifier: GPL-2.0-or-later
"""The memory of the object level: what has changed since the snapshot."""

from __future__ import annotations

import pytest

from emu.elf import PAGE
from emu.object.regions import WORD, Memory
from emu.spaces import LinearAddr

BASE = LinearAddr(0x10000)


@pytest.mark.parametrize("at", [0, PAGE - 8, PAGE - 4, 2 * PAGE - 4, 4 * PAGE - 8])
def test_what_was_written_stands_where_something_was_touched(at: int) -> None:
    """Also across two pages of which one was as before: here, by its zeroes."""
    memory = Memory()
    region = memory.add("some", BASE, 4 * PAGE)
    memory.snapshot()
    assert list(memory.touched(region)) == []
    needle = (0x1234).to_bytes(8, "little")
    memory.write(BASE + at, needle)
    parts = list(memory.touched(region))
    assert [needle in part for part in parts] == [True]
    assert len(parts[0]) <= 2 * PAGE + 2 * WORD
    memory.restore()
    assert list(memory.touched(region)) == []
