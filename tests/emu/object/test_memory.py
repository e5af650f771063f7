# SPDX-License-Identifier: GPL-2.0-or-later
"""Regions, snapshots and what changed since."""

from __future__ import annotations

import pytest

from emu.elf import Perm
from emu.object.regions import MAX_TOTAL, Memory, Unmapped
from emu.spaces import LinearAddr


@pytest.fixture
def memory() -> Memory:
    memory = Memory()
    memory.add("one", LinearAddr(0x10000), 8192)
    memory.add("two", LinearAddr(0x20000), 100)
    memory.add("constant", LinearAddr(0x30000), 4096, Perm.READ)
    memory.snapshot()
    return memory


def test_restore_puts_back_what_was_written(memory: Memory) -> None:
    memory.write_int(LinearAddr(0x10FFE), 0x11223344, 4)
    assert memory.read(LinearAddr(0x10FFE), 4) == bytes.fromhex("44332211")
    memory.restore()
    assert memory.read_int(LinearAddr(0x10FFE), 4) == 0


def test_changes_are_maximal_runs(memory: Memory) -> None:
    memory.write(LinearAddr(0x10FFE), b"\x01\x02\x03")
    memory.write(LinearAddr(0x10100), b"\x09")
    found = list(memory.changes(memory.regions[0]))
    assert found == [(0x10100, 1), (0x10FFE, 2), (0x11000, 1)]
    assert memory.unchanged(memory.regions[1])
    assert not memory.unchanged(memory.regions[0])
    assert memory.unchanged(memory.regions[0], 0x1800)


@pytest.mark.parametrize(("address", "size"), [(0x0, 1), (0x11FFF, 2), (0x21000, 1), (0x18000, 4)])
def test_nothing_outside_of_regions(memory: Memory, address: int, size: int) -> None:
    with pytest.raises(Unmapped, match="not mapped"):
        memory.read(LinearAddr(address), size)
    with pytest.raises(Unmapped):
        memory.write(LinearAddr(address), bytes(size))


def test_negative_numbers_wrap(memory: Memory) -> None:
    memory.write_int(LinearAddr(0x20000), -2, 8)
    assert memory.read_int(LinearAddr(0x20000), 8) == (1 << 64) - 2


@pytest.mark.parametrize(
    ("base", "size", "words"),
    [(0x10800, 4096, "at 0x10800"), (0x11000, 4096, "overlaps"), (0x40000, MAX_TOTAL, "more than")],
)
def test_regions_that_cannot_be(memory: Memory, base: int, size: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        memory.add("bad", LinearAddr(base), size)
