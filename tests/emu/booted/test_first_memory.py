# SPDX-License-Identifier: GPL-2.0-or-later
"""Page tables, the guest's list of frames and the machine's table say the same of its first memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emu import abi
from emu.abi import Mode
from emu.booted.drive import Drive
from emu.booted.guest import WORD, Guest, NoAnswer
from emu.booted.paging import FRAME_MASK, SHIFTS, USER, WRITABLE
from emu.booted.starting import boot_image
from emu.booted.stories.first_memory import FirstMemory, amiss
from emu.elf import PAGE
from emu.elf.linked import parse_image
from emu.guest.kernel import BASE
from emu.interactions import Plan
from emu.profile import load_profile
from emu.spaces import LinearAddr, PhysAddr
from tests.emu.images import sample_image

PLACE = 0x205
"""A page of the kernel's, above where the guest begins."""


@pytest.fixture(scope="module", params=list(Mode))
def drive(request: pytest.FixtureRequest) -> Iterator[Drive]:
    profile, image = load_profile("xen-pv-shim-4.10"), parse_image(sample_image())
    runner, end = boot_image(image, profile, request.param)
    assert end is None
    yield Drive(runner)
    runner.close()


@pytest.fixture
def guest(drive: Drive) -> Guest:
    drive.restore(Plan(), drive.machine.l0.setup)
    return Guest(drive)


def wrong(guest: Guest) -> list[str]:
    return list(amiss(FirstMemory(guest)))


def told(guest: Guest, name: str) -> int:
    layout = abi.START_OF_DAY[guest.kernel.mode]
    return layout.decode(guest.machine.linear.read(guest.drive.start_info, layout.size))[name]


def tell(guest: Guest, **fields: int) -> None:
    for name, value in fields.items():
        member = abi.START_OF_DAY[guest.kernel.mode].member(name)
        assert member is not None
        at = guest.drive.start_info + member.offset
        guest.machine.linear.write(at, value.to_bytes(member.size, "little"))


def put_in_list(guest: Guest, number: int, frame: int) -> None:
    width = WORD[guest.kernel.mode]
    at = LinearAddr(told(guest, "mfn_list") + number * width)
    guest.machine.linear.write(at, frame.to_bytes(width, "little"))


def entry_of(guest: Guest, address: int) -> PhysAddr:
    """Where the last entry for a linear address lies."""
    ram, table = guest.machine.ram, PhysAddr(guest.machine.linear.cr3() & FRAME_MASK)
    for shift in SHIFTS:
        at = table + (address >> shift & 511) * 8
        table = PhysAddr(ram.word(at) & FRAME_MASK)
    return at


def without(guest: Guest, address: int, bits: int) -> None:
    at = entry_of(guest, address)
    guest.machine.ram.write(at, (guest.machine.ram.word(at) & ~bits).to_bytes(8, "little"))


def test_the_samples_memory_is_as_it_is_said(guest: Guest) -> None:
    memory = FirstMemory(guest)
    assert len(memory.pages) == len(memory.frames) > PLACE
    assert list(amiss(memory)) == []


def test_a_page_that_is_another_frame_by_the_list(guest: Guest) -> None:
    frame = FirstMemory(guest).frames[PLACE]
    put_in_list(guest, PLACE, 0x3FFF0)
    at = BASE[guest.kernel.mode] + PLACE * PAGE
    assert wrong(guest) == [
        f"page 0x205 is frame 0x3fff0 by the guest's list, and {at:#x} is mapped to {frame:#x}"
    ]


def test_a_list_that_is_another_throughout_is_one_thing(guest: Guest) -> None:
    frames = FirstMemory(guest).frames
    put_in_list(guest, 0, frames[1])
    put_in_list(guest, 1, frames[0])
    (said,) = wrong(guest)
    assert said.endswith("(1 more of this kind)")


def test_a_frame_that_is_two_pages(guest: Guest) -> None:
    frames = FirstMemory(guest).frames
    put_in_list(guest, PLACE, frames[1])
    assert wrong(guest)[1] == f"frame {frames[1]:#x} is page 0x1 and page 0x205 by the guest's list"


def test_a_machine_table_that_leads_elsewhere(
    guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sample has none: one is put where its guest has room, and said to be there."""
    mode = guest.kernel.mode
    frames = FirstMemory(guest).frames
    width, linear = WORD[mode], guest.machine.linear
    tell(guest, nr_pages=4)
    per_page = PAGE // width
    start = guest.kernel.lists - frames[0] // per_page * PAGE
    monkeypatch.setitem(abi.MACH2PHYS, mode, start)
    number = dict(zip(frames[:4], range(4), strict=True))
    for frame in number:
        linear.write(LinearAddr(start + frame * width), number[frame].to_bytes(width, "little"))
    assert wrong(guest) == []
    linear.write(LinearAddr(start + frames[2] * width), (9).to_bytes(width, "little"))
    assert wrong(guest) == [
        f"frame {frames[2]:#x} is page 0x2 by the guest's list, and 0x9 by the machine's"
    ]


def test_page_tables_that_the_guest_may_write(guest: Guest) -> None:
    base = BASE[guest.kernel.mode]
    tell(guest, pt_base=base + PLACE * PAGE, nr_pt_frames=2)
    without(guest, base + PLACE * PAGE, WRITABLE)
    assert wrong(guest) == [
        f"{base + (PLACE + 1) * PAGE:#x}, which is of the guest's page tables, is mapped writable"
    ]
    without(guest, base + (PLACE + 1) * PAGE, WRITABLE)
    assert wrong(guest) == []
    without(guest, base + (PLACE + 2) * PAGE, WRITABLE)
    (said,) = wrong(guest)
    assert said.endswith("which is none of the guest's page tables, is mapped read-only")


def test_a_page_that_the_guests_ring_does_not_reach(guest: Guest) -> None:
    base = BASE[guest.kernel.mode]
    tell(guest, pt_base=base + PLACE * PAGE, nr_pt_frames=1)
    without(guest, base + PLACE * PAGE, WRITABLE)
    without(guest, base + 7 * PAGE, USER)
    native = [f"{base + 7 * PAGE:#x} is not mapped for its ring"]
    assert wrong(guest) == (native if guest.kernel.mode is Mode.NATIVE else [])


@pytest.mark.parametrize(
    ("words", "is_told"), [(b"", True), (b"gues", True), (b"guest noapic", False)]
)
def test_a_command_line_that_is_not_its_own(guest: Guest, words: bytes, is_told: bool) -> None:
    offset, _ = abi.CMD_LINE[guest.kernel.mode]
    guest.machine.linear.write(guest.drive.start_info + offset, words + b"\0")
    said = [f"the guest's command line is {words!r}, the loader has b'guest'"]
    assert wrong(guest) == (said if is_told else [])


def test_a_guest_without_such_a_list(guest: Guest) -> None:
    tell(guest, mfn_list=0)
    with pytest.raises(NoAnswer, match="no list of its frames"):
        FirstMemory(guest)


def test_a_list_that_is_not_where_it_is_said_to_be(guest: Guest) -> None:
    tell(guest, mfn_list=0x7000)
    assert wrong(guest) == ["the guest's list of frames, at 0x7000, is not mapped"]


def test_more_pages_than_the_machine_has(guest: Guest) -> None:
    there = guest.machine.settings.memory // PAGE
    tell(guest, nr_pages=there + 1)
    said = f"start_info has {there + 1:#x} pages, and the machine has {there:#x}"
    assert wrong(guest) == [said]
