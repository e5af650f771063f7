# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest has put into memory of its own for each vcpu: its vcpu_info, and a second copy of its time
(public vcpu.h, VCPUOP_register_vcpu_info and VCPUOP_register_vcpu_time_memory_area).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from emu import abi
from emu.booted.guest import Guest, NoAnswer
from emu.booted.stories.arrivals import REFUSALS, arrived, bind
from emu.booted.stories.runstates import blocked
from emu.booted.stories.telling import Came, Story
from emu.elf import PAGE
from emu.findings.boot_report import Treatment
from emu.guest import TIME_INFO_SIZE, TimeInfo
from emu.hardware.clock import TSC_HZ
from emu.l0.shared import VCPU_INFO_SIZE
from emu.rules.expected import LEFTOVER
from emu.spaces import PhysAddr

INFO, TIMES = "VCPUOP_register_vcpu_info", "VCPUOP_register_vcpu_time_memory_area"
OFFSET = 0x240
"""In its page, and neither at its beginning nor where it was in the shared page."""
AREA = 0x100
"""Bytes from one vcpu's copy of its time to the next."""
SKEW_NS = 1_000_000
"""By which the clocks of two processors may differ."""


@dataclass(frozen=True, slots=True)
class Moment:
    """System time as the first vcpu computes it (ns), and the machine's clock (ticks)."""

    system_time: int
    ticks: int

    @classmethod
    def of(cls, guest: Guest) -> Moment:
        return cls(guest.time(), guest.machine.now())


class _NotThere(Exception):
    """The image does not have the operation; ``result`` is its answer."""

    def __init__(self, result: int) -> None:
        super().__init__(result)
        self.result = result


def _register(guest: Guest, operation: str, vcpu: int, by: int = 0, **fields: int) -> None:
    result = guest.call(operation, vcpu, by=by, **fields).result
    if result in REFUSALS:
        raise _NotThere(result or 0)
    if result != 0:
        raise NoAnswer(f"{operation} of vcpu {vcpu}: {abi.result_name(result)}")


def story(tell: Callable[[Guest], Iterator[str]]) -> Callable[[Guest], Came]:
    """``tell`` gives what is wrong."""

    def attempt(guest: Guest) -> Came:
        try:
            return Came(Treatment.LOCAL, "", 0, tuple(dict.fromkeys(tell(guest))))
        except _NotThere as exc:
            return Came(Treatment.REFUSED, "", exc.result)

    return attempt


def info(
    guest: Guest, vcpu: int, by: int = 0, then: Callable[[], object] = lambda: None
) -> Iterator[str]:
    """From then on its events, and its time, are there; and it "may be called only once per vcpu".
    ``then``: what happens behind the call."""
    since = Moment.of(guest)
    frame = guest.machine.linear.walk(guest.kernel.lists).physical // PAGE
    guest.machine.linear.write(guest.kernel.lists, LEFTOVER * PAGE)
    _register(guest, INFO, vcpu, by, mfn=frame, offset=OFFSET)
    guest.moved[vcpu] = PhysAddr(frame * PAGE + OFFSET)
    then()
    guest.look_at_all(vcpu)  # L0 has everything pending in the new place, lest something is lost
    port = bind(guest, vcpu=vcpu)
    if vcpu:
        guest.unmask_upcalls(vcpu)
    else:
        guest.listen()
    guest.drive.settle()
    came = guest.upcalls(vcpu)
    guest.machine.l0.raise_event(port)
    guest.drive.settle()
    if arrived(guest, port).treatment is not Treatment.DELIVERED:
        raise NoAnswer(f"an event at port {port} does not come to the guest")
    if guest.upcalls(vcpu) == came:
        yield f"vcpu {vcpu} has its vcpu_info elsewhere, and is not called for an event"
    yield from _told_the_time(guest, vcpu, since)
    whole = guest.machine.linear.read(guest.kernel.lists, PAGE)
    if whole[:OFFSET] + whole[OFFSET + VCPU_INFO_SIZE :] != LEFTOVER * (PAGE - VCPU_INFO_SIZE):
        yield f"around the vcpu_info of vcpu {vcpu}, its page is written"
    if guest.call(INFO, vcpu, by=by, mfn=frame, offset=PAGE // 2).result == 0:
        yield f"{INFO} of vcpu {vcpu} succeeds a second time"


def _told_the_time(guest: Guest, vcpu: int, since: Moment) -> Iterator[str]:
    """It is the time of all, and goes on where it was."""
    told = guest.time(vcpu)
    passed = (guest.machine.now() - since.ticks) * 10**9 // TSC_HZ
    wanted = since.system_time + passed
    if not wanted - SKEW_NS <= told <= wanted + SKEW_NS:
        yield f"the time of vcpu {vcpu} is {told} ns, and by that of vcpu 0 it is {wanted}"
    if TimeInfo.of(guest.time_info(vcpu)).version & 1:
        yield f"the time of vcpu {vcpu} says that it is being written"


def _time(guest: Guest) -> Iterator[str]:
    return _told_the_time(guest, 1, Moment.of(guest))


def _copies(guest: Guest, vcpus: Sequence[int]) -> Iterator[str]:
    """Each "is updated whenever the master copy is"."""
    linear = guest.machine.linear
    places = {vcpu: guest.kernel.lists + vcpu * AREA for vcpu in vcpus}
    for vcpu, place in places.items():
        linear.write(place, LEFTOVER * AREA)
        _register(guest, TIMES, vcpu, addr=place)
    for vcpu in vcpus:
        blocked(guest, vcpu)
    for vcpu, place in places.items():
        content, own = linear.read(place, AREA), guest.time_info(vcpu)
        if content[:TIME_INFO_SIZE] != own:
            yield f"the copy of the time of vcpu {vcpu} is not as in its vcpu_info"
        if content[TIME_INFO_SIZE:] != LEFTOVER * (AREA - TIME_INFO_SIZE):
            yield f"beyond the copy of the time of vcpu {vcpu}, its memory is written"


STORIES = (
    Story("vcpu_info elsewhere", INFO, story(lambda guest: info(guest, 0))),
    Story("copy of the time", TIMES, story(lambda guest: _copies(guest, (0,)))),
)
OF_THE_SECOND = (
    Story("time of the second vcpu", "event upcall", story(_time)),
    Story(
        "vcpu_info of the second vcpu elsewhere", INFO, story(lambda guest: info(guest, 1, by=1))
    ),
    Story("copies of the time of both", TIMES, story(lambda guest: _copies(guest, (0, 1)))),
)
