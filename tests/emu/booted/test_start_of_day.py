# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's start info says what L0 has given, in both layouts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emu import abi
from emu.abi import Mode
from emu.booted.drive import Drive
from emu.booted.guest import Guest
from emu.booted.paging import FRAME_MASK, LARGE, SHIFTS, USER
from emu.booted.starting import boot_image
from emu.booted.stories.start_of_day import RINGS, amiss, scribble, untrue
from emu.elf import PAGE
from emu.elf.linked import parse_image
from emu.findings.boot_report import Treatment
from emu.profile import load_profile
from emu.spaces import PhysAddr
from tests.emu.booted.test_boot_wrong import boot
from tests.emu.images import sample_image


@pytest.fixture(scope="module", params=list(Mode))
def guest(request: pytest.FixtureRequest) -> Iterator[Guest]:
    profile, image = load_profile("xen-pv-shim-4.10"), parse_image(sample_image())
    runner, end = boot_image(image, profile, request.param)
    assert end is None
    yield Guest(Drive(runner))
    runner.close()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("store_mfn", 0x77, "store_mfn is 0x77, L0 has given 0x4100"),
        ("store_mfn", 0, "store_mfn is 0x0, L0 has given 0x4100"),
        ("store_evtchn", 3, "store_evtchn is 0x3, L0 has given 0x1"),
        ("console_evtchn", 1, "console_evtchn is 0x1, L0 has given 0x2"),
        ("console_mfn", 0x5000, "console_mfn is 0x5000, which is neither memory nor L0's page"),
        ("flags", 3, "flags are 0x3: the guest has no privilege"),
        ("nr_pages", 0x4001, "nr_pages is 0x4001, more than there is"),
    ],
)
def test_a_field_that_is_not_true(guest: Guest, name: str, value: int, said: str) -> None:
    linear, at = guest.machine.linear, guest.drive.start_info
    member = abi.START_INFO[guest.kernel.mode].member(name)
    assert member is not None
    place = at + member.offset
    before = linear.read(place, member.size)
    assert list(untrue(guest)) == []
    linear.write(place, value.to_bytes(member.size, "little"))
    assert list(untrue(guest)) == [said]
    linear.write(place, before)


def test_what_is_not_filled_in_is_no_lie_but_after_a_resume(guest: Guest) -> None:
    linear, at = guest.machine.linear, guest.drive.start_info
    layout = abi.START_INFO[guest.kernel.mode]
    before = linear.read(at, layout.size)
    names = ("store_mfn", "store_evtchn", "console_evtchn")
    for member in layout.members:
        if member.name in names:
            linear.write(at + member.offset, bytes(member.size))
    assert list(untrue(guest)) == []
    assert [told.split()[0] for told in untrue(guest, filled=True)] == list(names)
    linear.write(at, before)


def test_rings_that_are_not_behind_the_start_info(guest: Guest) -> None:
    """The layout is the guest's to rely on as soon as the builder follows it in one of the two."""
    linear, at = guest.machine.linear, guest.drive.start_info
    layout = abi.START_INFO[guest.kernel.mode]
    before = linear.read(at, layout.size)
    assert list(amiss(guest)) == []
    behind = [linear.walk((at & -PAGE) + n * PAGE).physical // PAGE for n in (1, 2)]

    def name(*frames: int) -> list[str]:
        for ring, frame in zip(RINGS, frames, strict=True):
            member = layout.member(ring)
            assert member is not None
            linear.write(at + member.offset, frame.to_bytes(member.size, "little"))
        return [said.partition(", ")[2] for said in amiss(guest)]

    assert name(*behind) == []
    assert name(behind[0], 7) == ["and console_mfn is 0x7"]
    assert name(7, behind[1]) == ["and store_mfn is 0x7"]
    assert len(name(*reversed(behind))) == 2
    assert name(7, 8) == []
    linear.write(at, before)


def test_rings_that_the_guests_ring_does_not_reach(guest: Guest) -> None:
    """A 64-bit guest's kernel runs in ring 3 (public arch-x86/xen-x86_64.h); a 32-bit one's does not."""
    linear, ram = guest.machine.linear, guest.machine.ram
    at = guest.drive.start_info
    layout, mode = abi.START_INFO[guest.kernel.mode], guest.kernel.mode
    before = linear.read(at, layout.size)
    for number, ring in enumerate(RINGS, 1):
        place = (at & -PAGE) + number * PAGE
        member = layout.member(ring)
        assert member is not None
        frame = linear.walk(place).physical // PAGE
        linear.write(at + member.offset, frame.to_bytes(member.size, "little"))
    table = PhysAddr(linear.cr3() & FRAME_MASK)
    for shift in SHIFTS:
        entry_at = table + (at >> shift & 511) * 8
        entry = ram.word(entry_at)
        table = PhysAddr(entry & FRAME_MASK)
        if entry & LARGE and shift == 21:
            break
    # Of small pages those behind it have entries of their own.
    entries = [entry_at + 8 * number for number in range(3 if shift == 12 else 1)]
    were = [ram.word(one) for one in entries]
    for one, word in zip(entries, were, strict=True):
        ram.write(one, (word & ~USER).to_bytes(8, "little"))
    said = [told.rpartition(", ")[2] for told in amiss(guest)]
    assert said == ([] if mode is Mode.COMPAT else ["is not mapped for its ring"] * 2)
    for one, word in zip(entries, were, strict=True):
        ram.write(one, word.to_bytes(8, "little"))
    linear.write(at, before)


def test_what_a_resume_leaves_as_the_guest_had_it_is_seen(guest: Guest) -> None:
    linear, at = guest.machine.linear, guest.drive.start_info
    before = linear.read(at, abi.START_INFO[guest.kernel.mode].size)
    scribble(guest)
    said = [told.split()[0] for told in untrue(guest, filled=True)]
    assert said == ["store_mfn", "store_evtchn", "console_evtchn", "flags"]
    linear.write(at, before)


def test_a_shim_that_gives_no_store_yet() -> None:
    (row,) = boot(b"\xc3", "start info/64", "pv_shim_setup_dom").behaviour
    assert (row.treatment, row.note) == (Treatment.LOCAL, "the guest is given no store")
    assert not row.findings


def test_a_store_whose_port_is_refused() -> None:
    (row,) = boot(b"\x48\xc7\xc0\xea\xff\xff\xff\xc3", "start info/64").behaviour  # -EINVAL
    (finding,) = row.findings
    assert finding.message == "the store's port 1 is refused by EVTCHNOP_send: -EINVAL"


def test_rings_that_there_is_room_for(guest: Guest) -> None:
    """Between start info and page tables; whoever leaves it has to fill it."""
    linear, at = guest.machine.linear, guest.drive.start_info
    mode = guest.kernel.mode
    before = linear.read(at, PAGE)
    offset, size = abi.PT_BASE[mode]
    room = (at & -PAGE) + 3 * PAGE
    linear.write(at + offset, room.to_bytes(size, "little"))
    for name in RINGS:
        member = abi.START_INFO[mode].member(name)
        assert member is not None
        linear.write(at + member.offset, (0x77).to_bytes(member.size, "little"))
    assert [said.partition(", ")[2] for said in amiss(guest)] == [f"and {n} is 0x77" for n in RINGS]
    linear.write(at, before)
    assert list(amiss(guest)) == []
