# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest suspends: L0 says that nothing came of it, or brings the domain up again somewhere else.

A domain that is built anew has its memory and its registers, and nothing of what L0 kept for it: its
ports are closed, nothing is mapped, nobody is told of events.  Store and console have other ports, and
the domain another number.  All that the image had asked of L0 it has to ask again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from emu import abi
from emu.booted.guest import Guest, NoAnswer
from emu.booted.stories import start_of_day
from emu.booted.stories.arrivals import bind
from emu.booted.stories.telling import Came, Story
from emu.elf import PAGE
from emu.findings.boot_report import Treatment
from emu.l0 import L0Setup
from emu.l0.standing import Standing, standing
from emu.rules.suspended import CANCELLED, RESUMED, StateKept, Suspension

STORE, CONSOLE, DOMID = 21, 22, 9
"""After it."""
REGISTER = "VCPUOP_register_vcpu_info"
SHARED_INFO, GRANTS = "XENMAPSPACE_shared_info", "XENMAPSPACE_grant_table"


def suspend(guest: Guest) -> int | None:
    """SCHEDOP_shutdown with the frame of the start info behind it; the result."""
    frame = guest.machine.linear.walk(guest.drive.start_info).physical // PAGE
    hypercall, number = abi.numbers("SCHEDOP_shutdown") or (0, 0)
    reason = abi.CONSTANTS["SHUTDOWN_suspend"]
    guest.machine.linear.write(guest.kernel.buffer, reason.to_bytes(4, "little"))
    answer = guest.drive.call(hypercall, (number, guest.kernel.buffer, frame))
    if answer.end is not None:
        raise answer.end
    if not any(call.op == "SCHEDOP_shutdown" for call in guest.machine.l0.calls):
        raise NoAnswer(f"L0 is not asked: {abi.result_name(answer.result)}")
    return answer.result


def _maps_grants(guest: Guest) -> bool:
    """Whether the guest's first grant frame is in its place, after the guest has asked for it."""
    fields = {"dom": abi.CONSTANTS["DOMID_SELF"], "nr_frames": 1, "frame_list": guest.kernel.lists}
    layout = abi.structure("GNTTABOP_setup_table", guest.kernel.mode)
    hypercall, number = abi.numbers("GNTTABOP_setup_table") or (0, 0)
    assert layout is not None
    guest.machine.linear.write(guest.kernel.buffer, layout.encode(fields))
    answer = guest.drive.call(hypercall, (number, guest.kernel.buffer, 1))
    if answer.end is not None:
        raise answer.end
    wanted = abi.CONSTANTS[GRANTS], 0
    return answer.result == 0 and wanted in guest.machine.l0.mapped.values()


def _cancelled(guest: Guest) -> Came:
    """Everything is as it was."""
    port, l0 = bind(guest), guest.machine.l0
    _maps_grants(guest)
    before = standing(l0)
    result = suspend(guest)
    wrong = list(_not_kept(guest, CANCELLED, before))
    if result != 1:
        wrong.append(f"L0 answers 1 (cancelled), the guest sees {abi.result_name(result)}")
    l0.raise_event(port)
    guest.drive.settle()
    if not guest.pending(port):
        wrong.append(f"an event at port {port} no longer comes to the guest")
    return Came(Treatment.FORWARDED, "cancelled", result or 0, tuple(wrong))


def resumed(guest: Guest) -> Came:
    """Everything has to be asked for again."""
    port = bind(guest)
    _maps_grants(guest)
    start_of_day.scribble(guest)
    before = standing(guest.machine.l0)
    result = suspend(guest)
    if result != 0:
        wrong = f"L0 answers 0 (resumed), the guest sees {abi.result_name(result)}"
        return Came(Treatment.FORWARDED, "resumed", result or 0, (wrong,))
    wrong_after = (*_not_kept(guest, RESUMED, before), *_lost(guest, port))
    return Came(Treatment.FORWARDED, "resumed", 0, wrong_after)


def _registered_again(guest: Guest) -> Came:
    """Register vcpu_info again: the new domain has none, and each vCPU may register it only once (public
    vcpu.h, VCPUOP_register_vcpu_info)."""
    frame = guest.machine.linear.walk(guest.kernel.lists).physical // PAGE
    guest.ask(REGISTER, 0, mfn=frame)
    result = suspend(guest)
    if result != 0:
        wrong = f"L0 answers 0 (resumed), the guest sees {abi.result_name(result)}"
        return Came(Treatment.FORWARDED, "resumed", result or 0, (wrong,))
    again = guest.call(REGISTER, 0, mfn=frame).result
    wrong_again = f"{REGISTER} comes to {abi.result_name(again)} after a suspend, and to 0 before"
    return Came(Treatment.FORWARDED, "resumed", 0, (wrong_again,) if again else ())


@dataclass(frozen=True, slots=True)
class _Suspended:
    """What the rule looks at."""

    suspension: Suspension


def _not_kept(guest: Guest, answer: int, before: Standing) -> Iterator[str]:
    """What is not as it was, now that nobody has anything left to do."""
    guest.drive.settle()
    after = Suspension(answer, before, standing(guest.machine.l0))
    return (broken.message for broken in StateKept().check(_Suspended(after)))


def _lost(guest: Guest, port: int) -> Iterator[str]:
    l0 = guest.machine.l0
    for told in start_of_day.untrue(guest, filled=True):
        yield f"in the guest's start info, {told}"
    if l0.shared is None:
        return
    guest.call("EVTCHNOP_unmask", port=STORE)
    l0.raise_event(STORE)
    guest.drive.settle()
    if not guest.pending(STORE):
        yield f"an event at the store's new port {STORE} does not come to the guest"
    try:
        bind(guest)
    except NoAnswer as exc:
        yield f"port {port}, which L0 has closed, is not free: {exc}"
    if not _maps_grants(guest):
        yield "the grant table is not mapped again when the guest asks for it"


def elsewhere(setup: L0Setup) -> L0Setup:
    """L0 resumes the domain as another one."""
    resumed = (
        (abi.CONSTANTS["HVM_PARAM_STORE_EVTCHN"], STORE),
        (abi.CONSTANTS["HVM_PARAM_CONSOLE_EVTCHN"], CONSOLE),
    )
    return replace(setup, resumed=resumed, resumed_domid=DOMID)


def nowhere(setup: L0Setup) -> L0Setup:
    """L0 says that the suspend is cancelled."""
    return replace(setup, suspend=1)


STORIES = (
    Story("suspend that is cancelled", "SCHEDOP_shutdown", _cancelled, nowhere, "shutdown"),
    Story("suspend and resume", "SCHEDOP_shutdown", resumed, elsewhere, "shutdown"),
    Story(
        "vcpu info registered again after a resume",
        "SCHEDOP_shutdown",
        _registered_again,
        elsewhere,
        "shutdown",
    ),
)
