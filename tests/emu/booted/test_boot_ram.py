# SPDX-License-Identifier: GPL-2.0-or-later
"""Physical memory and its snapshot: always put back in full, whatever was learned in between."""

from __future__ import annotations

import pytest

from emu.booted.ram import LEARN_AFTER, MAX_FRAME, SPARE_PAGES, BadAddress, Ram
from emu.elf import PAGE
from emu.spaces import PhysAddr

SIZE = 64 * PAGE


@pytest.fixture
def placed() -> list[int]:
    return []


@pytest.fixture
def ram(placed: list[int]) -> Ram:
    ram = Ram(SIZE, lambda address, _host: placed.append(address))
    for page in range(SIZE // PAGE):
        ram.write(PhysAddr(page * PAGE), bytes((page,)) * PAGE)
    ram.snapshot()
    return ram


def whole(ram: Ram) -> bytes:
    return bytes(ram.view[:SIZE])


def test_a_restore_puts_every_page_back(ram: Ram) -> None:
    before = whole(ram)
    for turn in range(8 * LEARN_AFTER):
        for page in {1, 5, turn % 7 * (turn % 31 == 0), 63 * (turn > 3 * LEARN_AFTER)}:
            ram.write(PhysAddr(page * PAGE + 8), b"written")
        ram.restore()
        assert whole(ram) == before, turn


def test_what_was_learned_does_not_hide_another_page(ram: Ram) -> None:
    before = whole(ram)
    for _ in range(4 * LEARN_AFTER):
        ram.write(PhysAddr(3 * PAGE), b"the same page, again and again")
        ram.restore()
    ram.write(PhysAddr(9 * PAGE), b"another one")
    ram.restore()
    assert whole(ram) == before


def test_a_frame_outside_of_ram_is_put_somewhere_once(ram: Ram, placed: list[int]) -> None:
    frame = 0x100000
    at = ram.page(frame)
    ram.write(PhysAddr(frame * PAGE), b"there")
    assert (ram.page(frame), placed) == (at, [frame * PAGE])
    ram.restore()
    with pytest.raises(BadAddress, match="0x100000000"):
        ram.read(PhysAddr(frame * PAGE), 4)
    assert ram.page(frame) == at
    assert ram.read(PhysAddr(frame * PAGE), 5) == bytes(5)


def test_there_is_an_end_to_frames(ram: Ram) -> None:
    for number in range(SPARE_PAGES):
        assert ram.page(0x200000 + number) >= 0
    assert ram.page(0x300000) == -1
    assert ram.page(MAX_FRAME) == -1
