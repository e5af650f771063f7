# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory that the guest gives back, and takes again: L0 is to get as much as that, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from emu import abi
from emu.booted.guest import Guest, NoAnswer
from emu.booted.stories.arrivals import REFUSALS
from emu.booted.stories.telling import Came, Story
from emu.elf import PAGE
from emu.findings.boot_report import Treatment
from emu.l0 import L0Setup

UVMF_INVLPG = 2
PAGES = 3
"""How many are given back: a number that is not its own power of two."""
GIVE, TAKE = "XENMEM_decrease_reservation", "XENMEM_populate_physmap"


def _frames(guest: Guest) -> list[int]:
    """Frames of pages of the guest that it does without: none of its own stand there."""
    linear, first = guest.machine.linear, guest.kernel.lists
    return [linear.walk(first + number * PAGE).physical // PAGE for number in range(PAGES)]


def _unmap(guest: Guest) -> None:
    """As a guest does before it gives a page away; an image without that call maps none itself."""
    for number in range(PAGES):
        address = guest.kernel.lists + number * PAGE
        high = () if guest.kernel.mode is abi.Mode.NATIVE else (0,)
        answer = guest.drive.call(
            abi.HYPERCALLS["update_va_mapping"], (address, 0, *high, UVMF_INVLPG)
        )
        if answer.end is not None:
            raise answer.end


def _ask(guest: Guest, operation: str, frames: Sequence[int], order: int = 0) -> int:
    """Extents that were done, of 2 to that power pages each."""
    hypercall, number = abi.numbers(operation) or (0, 0)
    layout = abi.structure(operation, guest.kernel.mode)
    assert layout is not None
    buffer, width = guest.kernel.buffer, 8 if guest.kernel.mode is abi.Mode.NATIVE else 4
    extents = buffer + 0x200
    fields = {
        "extent_start": extents,
        "nr_extents": len(frames),
        "extent_order": order,
        "domid": abi.CONSTANTS["DOMID_SELF"],
    }
    linear = guest.machine.linear
    linear.write(extents, b"".join(frame.to_bytes(width, "little") for frame in frames))
    linear.write(buffer, layout.encode(fields))
    answer = guest.drive.call(hypercall, (number, buffer))
    if answer.end is not None:
        raise answer.end
    result = answer.result or 0
    if result in REFUSALS:
        raise NoAnswer(f"{operation}: {abi.result_name(result)}")
    return result


def _give(guest: Guest) -> Came:
    frames = _frames(guest)
    _unmap(guest)
    done = _ask(guest, GIVE, frames)
    l0 = guest.machine.l0
    if not any(call.op == GIVE for call in l0.calls):
        return Came(Treatment.LOCAL, f"{done} of {PAGES} pages; L0 is not asked", done)
    wrong: tuple[str, ...] = ()
    if done == PAGES and len(l0.given_back) != PAGES:
        wrong = (f"the guest gives {PAGES} pages back, and L0 gets {len(l0.given_back)}",)
    return Came(Treatment.FORWARDED, f"L0 has {len(l0.given_back)} pages back", done, wrong)


def _take_again(guest: Guest) -> Came:
    """However many of them L0 has taken: what the guest was told is gone is what it may ask for."""
    frames = _frames(guest)
    _unmap(guest)
    given = _ask(guest, GIVE, frames)
    l0 = guest.machine.l0
    half = l0.setup.gives_back_half
    if (given != PAGES and not half) or not any(call.op == GIVE for call in l0.calls):
        raise NoAnswer(f"{given} of {PAGES} pages were given back before it")
    if not given:
        return Came(Treatment.LOCAL, "none is given back")
    done = _ask(guest, TAKE, range(given))
    wrong: tuple[str, ...] = ()
    if done != given:
        wrong = (f"the guest gave {given} pages back, and gets {done} of them again",)
    elif l0.given_back:
        wrong = (f"the guest has its {given} pages again, and L0 keeps {len(l0.given_back)}",)
    asked = any(call.op == TAKE for call in l0.calls)
    return Came(Treatment.FORWARDED if asked else Treatment.LOCAL, "", done, wrong)


def _take_one_again(guest: Guest) -> Came:
    """One of them, and L0 keeps the others."""
    frames = _frames(guest)
    _unmap(guest)
    l0 = guest.machine.l0
    given = _ask(guest, GIVE, frames)
    if given != PAGES or len(l0.given_back) != PAGES:
        raise NoAnswer(f"L0 has {len(l0.given_back)} of {PAGES} pages back before it")
    done = _ask(guest, TAKE, range(1))
    wrong: tuple[str, ...] = ()
    kept = len(l0.given_back)
    if done == 1 and kept != PAGES - 1:
        wrong = (f"the guest has 1 of its {PAGES} pages again, and L0 keeps {kept}",)
    return Came(Treatment.FORWARDED, f"L0 keeps {kept} pages", done, wrong)


def _take_more(guest: Guest) -> Came:
    """It has all that it was built with and has given nothing back: what it gets now is taken from whoever
    runs it (public memory.h, XENMEM_maximum_reservation: there is an end to what a domain has)."""
    done = _ask(guest, TAKE, range(1))
    l0 = guest.machine.l0
    own = done > 0 and not any(call.op == TAKE and call.result > 0 for call in l0.calls)
    wrong = (
        ("the guest gets one more page than it began with, and L0 has given none",) if own else ()
    )
    return Came(Treatment.LOCAL, "", done, wrong)


def _take_pair_again(guest: Guest) -> Came:
    """Two pages in one extent: public memory.h, struct xen_memory_reservation, extent_order."""
    frames = _frames(guest)
    pair = next((one for one in frames[:-1] if one % 2 == 0 and one + 1 in frames), None)
    if pair is None:
        raise NoAnswer("no two pages of the guest are one extent")
    _unmap(guest)
    given = _ask(guest, GIVE, [pair], 1)
    if given != 1 or not any(call.op == GIVE for call in guest.machine.l0.calls):
        raise NoAnswer(f"an extent of two pages is given back with {abi.result_name(given)}")
    done = _ask(guest, TAKE, [0], 1)
    wrong = (
        () if done == 1 else ("the guest gave an extent of two pages back, and gets none again",)
    )
    return Came(Treatment.FORWARDED, "", done, wrong)


def _half(setup: L0Setup) -> L0Setup:
    return replace(setup, gives_back_half=True)


STORIES = (
    Story("memory given back", GIVE, _give),
    Story("memory given back and taken again", TAKE, _take_again),
    Story("memory given back and one page taken again", TAKE, _take_one_again),
    Story("memory that was never given back", TAKE, _take_more),
    Story("memory of which L0 takes half back", TAKE, _take_again, _half),
    Story("two pages in one extent given back and taken again", TAKE, _take_pair_again),
)
