# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest is told of what it has must be what L0 has given (public xen.h, struct start_info).

The store's page and port are L0's own, since the guest talks to the store itself; a console may be the
image's.  Fields that are all 0 are not filled in yet, which is no lie.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from emu import abi
from emu.abi import Mode
from emu.booted.guest import Guest, NoAnswer
from emu.booted.paging import PRESENT, USER, WRITABLE, Mapping, NotMapped
from emu.booted.stories.arrivals import REFUSALS
from emu.booted.stories.telling import Came, Story
from emu.cpu.engine import M32
from emu.elf import PAGE
from emu.findings.boot_report import Treatment
from emu.rules.expected import LEFTOVER

SIF_PRIVILEGED, SIF_INITDOMAIN = 1, 2
"""Flags of a domain that rules others: L0's guest is none, and neither is the guest of its guest."""
L0S = (
    {"store_mfn": "HVM_PARAM_STORE_PFN", "store_evtchn": "HVM_PARAM_STORE_EVTCHN"},
    {"console_evtchn": "HVM_PARAM_CONSOLE_EVTCHN"},
)
"""Fields that can only have L0's own value; what belongs together is filled in together."""
RINGS = ("store_mfn", "console_mfn")
"""Shared pages, in the order in which the guest finds them behind its start info."""
UVMF_INVLPG = 2
SECOND = "HVM_PARAM_CONSOLE_PFN"


def untrue(guest: Guest, *, filled: bool = False) -> Iterator[str]:
    """Each field that says something else than L0; ``filled``: 0 is a lie as well."""
    params, memory = guest.machine.l0.params, guest.machine.settings.memory
    magic = guest.machine.linear.read(guest.drive.start_info, abi.MAGIC_SIZE).partition(b"\0")[0]
    wanted = abi.MAGIC[guest.kernel.mode]
    if not magic.startswith(wanted):  # a "p" may follow, for who knows PAE
        yield f"magic is {magic!r}, not {wanted!r}"
    for fields in L0S:
        due = filled or any(guest.told(name) for name in fields)
        for name, param in fields.items():
            value, given = guest.told(name), params[abi.CONSTANTS[param]]
            if due and value != given:
                yield f"{name} is {value:#x}, L0 has given {given:#x}"
    page = guest.told("console_mfn")
    if page * PAGE >= memory and page != params[abi.CONSTANTS[SECOND]]:
        yield f"console_mfn is {page:#x}, which is neither memory nor L0's page"
    if guest.told("flags") & (SIF_PRIVILEGED | SIF_INITDOMAIN):
        yield f"flags are {guest.told('flags'):#x}: the guest has no privilege"
    if guest.told("nr_pages") * PAGE > memory:
        yield f"nr_pages is {guest.told('nr_pages'):#x}, more than there is"


def amiss(guest: Guest) -> Iterator[str]:
    """Each ring that is not where the guest looks for it: public xen.h, start-of-day memory layout, 3.
    (e to g) and 6.  A builder that neither puts one of them there nor leaves room for them, before the page
    tables, does not lay out its guest's memory so."""
    tables, at = guest.machine.linear, guest.drive.start_info & -PAGE
    places = dict(zip(RINGS, (at + PAGE, at + 2 * PAGE), strict=True))
    found: dict[str, Mapping] = {}
    for name, place in places.items():
        with contextlib.suppress(NotMapped):
            found[name] = tables.walk(place)
    frames = {name: mapping.physical // PAGE for name, mapping in found.items()}
    told = {name: guest.told(name) for name in RINGS}
    room = guest.told_of_tables() == at + (1 + len(RINGS)) * PAGE
    if not room and not any(told[name] and told[name] in frames.values() for name in RINGS):
        return
    for name in RINGS:
        if frames.get(name) != told[name]:
            there = f"is {frames[name]:#x}" if name in frames else "is not mapped"
            yield f"the page at {places[name]:#x} {there}, and {name} is {told[name]:#x}"
        elif not found[name].writable:
            yield f"the page at {places[name]:#x}, which {name} names, is mapped read-only"
        elif guest.kernel.mode is Mode.NATIVE and not found[name].user:
            yield f"the page at {places[name]:#x}, which {name} names, is not mapped for its ring"


def scribble(guest: Guest) -> None:
    """The page is the guest's own: whoever resumes it writes these fields, whatever stands there."""
    linear, layout = guest.machine.linear, abi.START_INFO[guest.kernel.mode]
    for name in ("flags", *(name for fields in L0S for name in fields)):
        member = layout.member(name)
        assert member is not None
        linear.write(guest.drive.start_info + member.offset, LEFTOVER * member.size)


def _given(guest: Guest) -> Came:
    """And the store's port is one that the guest can use."""
    wrong, l0 = (*untrue(guest), *amiss(guest)), guest.machine.l0
    port = guest.told("store_evtchn")
    if not port:
        return Came(Treatment.LOCAL, "the guest is given no store", 0, wrong)
    result = guest.call("EVTCHNOP_send", port=port).result
    if result:
        told = f"the store's port {port} is refused by EVTCHNOP_send: {abi.result_name(result)}"
        return Came(Treatment.LOCAL, "", result, (*wrong, told))
    guest.call("EVTCHNOP_unmask", port=port)
    l0.raise_event(port)
    guest.drive.settle()
    if guest.pending(port):
        return Came(Treatment.DELIVERED, f"port {port} is the store's", 0, wrong)
    return Came(Treatment.LOCAL, f"the store's port {port} is not pending for the guest", 0, wrong)


def _mapped_again(guest: Guest) -> Came:
    """Its rings are pages of the guest's own, to map wherever it wants them (public xen.h, update_va_mapping:
    an entry of its page tables may name any page of its own)."""
    wide = guest.kernel.mode is Mode.NATIVE
    place, number = guest.kernel.lists, abi.HYPERCALLS["update_va_mapping"]
    wrong = []
    for name in RINGS:
        frame = guest.told(name)
        if not frame:
            raise NoAnswer("the guest is given no store and console")
        entry = frame * PAGE | PRESENT | WRITABLE | USER
        halves = (entry,) if wide else (entry & M32, entry >> 32)
        answer = guest.drive.call(number, (place, *halves, UVMF_INVLPG))
        if answer.end is not None:
            raise answer.end
        result = answer.result or 0
        if result in REFUSALS:
            raise NoAnswer(f"update_va_mapping: {abi.result_name(result)}")
        if result:
            wrong.append(f"the page that {name} names is mapped with {abi.result_name(result)}")
    return Came(Treatment.LOCAL, "the guest maps them where it wants", 0, tuple(wrong))


STORIES = (
    Story("start info", "start info", _given, entry="event_channel_op"),
    Story("rings mapped again", "update_va_mapping", _mapped_again, entry="event_channel_op"),
)
