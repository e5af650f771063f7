# SPDX-License-Identifier: GPL-2.0-or-later
"""How long each vcpu of the guest runs and waits, as the guest is told of it: by a hypercall, and in memory
that it has registered, of its own vcpu and of another (public vcpu.h, struct vcpu_runstate_info).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from emu import abi
from emu.booted.guest import Guest, NoAnswer
from emu.booted.stories.arrivals import SOON, TIMER_NS, bind, refused
from emu.booted.stories.telling import Came, Story
from emu.findings.boot_report import Treatment
from emu.rules.expected import LEFTOVER
from emu.rules.runstate import (
    RUNSTATE,
    Look,
    Runstate,
    State,
    disagree,
    drifted,
    untrue,
)
from emu.spaces import LinearAddr

REGISTER = "VCPUOP_register_runstate_memory_area"
AREA, BEHIND = 0x400, 64
"""Bytes from one vcpu's area to the next, and those behind each that are to stay as they are."""
UP = (State.RUNNING, State.RUNNABLE)


def look(guest: Guest, vcpu: int, by: int = 0) -> Look:
    """What vcpu ``by`` is told of ``vcpu``."""
    layout = abi.structure(RUNSTATE, guest.kernel.mode)
    assert layout is not None
    linear, behind = guest.machine.linear, guest.kernel.buffer + layout.size
    linear.write(behind, LEFTOVER * BEHIND)
    before = guest.time()
    answer = guest.call(RUNSTATE, vcpu, by=by)
    after = guest.time()
    if answer.result != 0:
        raise NoAnswer(f"{RUNSTATE} of vcpu {vcpu}: {abi.result_name(answer.result)}")
    if linear.read(behind, BEHIND) != LEFTOVER * BEHIND:
        raise _Strays(f"{RUNSTATE} writes beyond the {layout.size} bytes of its structure")
    raw = linear.read(guest.kernel.buffer, layout.size)
    return Look(Runstate.of(layout.decode(raw)), before, after)


class _Strays(Exception):
    """More is written than the guest has asked for."""


def blocked(guest: Guest, vcpu: int, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Let a vcpu block, do something, and wake it by an event."""
    port, machine = bind(guest, vcpu=vcpu), guest.machine
    if vcpu:
        guest.unmask_upcalls(vcpu)
    else:
        guest.listen()
    hypercall, number = abi.numbers("SCHEDOP_block") or (0, 0)
    guest.drive.begin(hypercall, (number, 0), vcpu)
    if guest.runs(vcpu):
        raise NoAnswer(f"vcpu {vcpu} does not block")
    meanwhile()
    machine.devices.at(machine.now() + SOON, lambda: machine.l0.raise_event(port))
    if not guest.drive.wait_for(lambda: guest.runs(vcpu)):
        raise NoAnswer(f"vcpu {vcpu} is blocked, and an event does not wake it")
    guest.forget(port)
    guest.ask("EVTCHNOP_close", port=port)


def _story(tell: Callable[[Guest], Iterator[str]]) -> Callable[[Guest], Came]:
    """What an image without runstates refuses is none of its faults."""

    def attempt(guest: Guest) -> Came:
        none = refused(guest.call(RUNSTATE, 0).result)
        if none is not None:
            return none
        try:
            wrong = tuple(dict.fromkeys(tell(guest)))
        except _Strays as exc:
            wrong = (str(exc),)
        return Came(Treatment.LOCAL, "", 0, wrong)

    return attempt


def _of(vcpu: int, messages: Iterator[str]) -> Iterator[str]:
    return (f"of vcpu {vcpu}, {message}" for message in messages)


def _own(guest: Guest) -> Iterator[str]:
    """Who asks runs; and what it is told goes on with the time."""
    first = look(guest, 0)
    second = look(guest, 0)
    yield from _of(0, untrue(second, (State.RUNNING,)))
    yield from _of(0, drifted(first, second))


def _not_up(guest: Guest) -> Iterator[str]:
    """One that was never brought up."""
    if guest.machine.settings.vcpus < 2:
        raise NoAnswer("the machine has one processor")
    first, second = look(guest, 1), look(guest, 1)
    yield from _of(1, untrue(second, (State.OFFLINE,)))
    yield from _of(1, drifted(first, second))


def _another(guest: Guest) -> Iterator[str]:
    """The first is told of the second what the second is told of itself."""
    first = look(guest, 1)
    second = look(guest, 1, by=1)
    yield from _of(1, untrue(first, UP))
    yield from _of(1, untrue(second, (State.RUNNING,)))
    yield from _of(1, drifted(first, second))
    yield from _of(1, drifted(second, look(guest, 1)))


def _blocked(guest: Guest) -> Iterator[str]:
    """Seen from the first while it is, and afterwards; the time is counted as what it was."""
    seen = [look(guest, 1)]
    blocked(guest, 1, lambda: seen.append(look(guest, 1)))
    seen.append(look(guest, 1))
    yield from _of(1, untrue(seen[1], (State.BLOCKED,)))
    yield from _of(1, untrue(seen[2], UP))
    for one, other in pairwise(seen):
        yield from _of(1, drifted(one, other))
    yield from _of(1, _counted(seen[0], seen[2], State.BLOCKED))


def _counted(first: Look, second: Look, state: State) -> Iterator[str]:
    """It was in that state for as long as the event took to come, less what it takes to notice."""
    grown = second.told.times[state] - first.told.times[state]
    if grown < TIMER_NS // 2:
        yield f"it was {state.name.lower()} for {TIMER_NS} ns, and {grown} ns are counted"


def _down(guest: Guest) -> Iterator[str]:
    first = look(guest, 1)
    guest.ask("VCPUOP_down", 1)
    guest.drive.settle()
    second = look(guest, 1)
    yield from _of(1, untrue(second, (State.OFFLINE,)))
    yield from _of(1, drifted(first, second))


def _areas(guest: Guest, vcpus: Sequence[int]) -> Iterator[str]:
    """The first names the memory of each; each is scheduled anew; and then what stands there is looked at."""
    layout, linear = abi.structure(RUNSTATE, guest.kernel.mode), guest.machine.linear
    assert layout is not None
    places = {vcpu: guest.kernel.lists + vcpu * AREA for vcpu in vcpus}
    for vcpu, place in places.items():
        linear.write(place, LEFTOVER * AREA)
        guest.ask(REGISTER, vcpu, addr=place)
    for vcpu in vcpus:
        blocked(guest, vcpu)
    for vcpu, place in places.items():
        told = look(guest, vcpu)
        area = _read(guest, place)
        yield from _of(vcpu, disagree(area, told.told))
        if linear.read(place + layout.size, AREA - layout.size) != LEFTOVER * (AREA - layout.size):
            yield f"of vcpu {vcpu}, more than the {layout.size} bytes of the memory area are written"


def _read(guest: Guest, place: LinearAddr) -> Runstate:
    layout = abi.structure(RUNSTATE, guest.kernel.mode)
    assert layout is not None
    return Runstate.of(layout.decode(guest.machine.linear.read(place, layout.size)))


STORIES = (
    Story("runstate", RUNSTATE, _story(_own)),
    Story("runstate of a vcpu that is not up", RUNSTATE, _story(_not_up)),
    Story("runstate in memory", REGISTER, _story(lambda guest: _areas(guest, (0,)))),
)
OF_THE_SECOND = (
    Story("runstate of the second vcpu", RUNSTATE, _story(_another)),
    Story("runstate of the second vcpu while it is blocked", RUNSTATE, _story(_blocked)),
    Story("runstate of both in memory", REGISTER, _story(lambda guest: _areas(guest, (0, 1)))),
    Story("runstate of the second vcpu when it is down", RUNSTATE, _story(_down)),
)
