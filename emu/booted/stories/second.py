# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's second vcpu: brought up, told of events, taken down, brought up again.

For an image that starts its own processors as the guest's vcpus come up, this is how they are started:
INIT and startup messages through the local APIC, real mode, long mode, and a guest of its own at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from emu import abi
from emu.booted.drive import Drive
from emu.booted.guest import Guest, NoAnswer
from emu.booted.processor import Activity
from emu.booted.stories import own_memory, runstates, suspend
from emu.booted.stories.arrivals import PORT, arrived, bind, set_timer
from emu.booted.stories.telling import Came, Story
from emu.findings.boot_report import Milestone, Treatment

ONLINE = "second vCPU online"
ENTERED: dict[abi.Mode, str] = {
    abi.Mode.NATIVE: "second L2 vCPU entered (64-bit)",
    abi.Mode.COMPAT: "second L2 vCPU entered (32-bit)",
}


def bring_up(guest: Guest) -> Came:
    """VCPUOP_initialise, VCPUOP_up, and what comes of it."""
    if guest.machine.settings.vcpus < 2:
        raise NoAnswer("the machine has one processor")
    result = guest.initialise(1)
    if result != 0:
        raise NoAnswer(f"VCPUOP_initialise: {abi.result_name(result)}")
    guest.ask("VCPUOP_up", 1)
    if not guest.drive.wait_for(lambda: guest.runs(1)):
        return Came(Treatment.LOCAL, "the second vcpu of the guest does not run", 0)
    own = any(vcpu.guest == 1 and vcpu.number == 1 for vcpu in guest.machine.vcpus)
    where = "on a processor of its own" if own else "on the first processor"
    return Came(Treatment.LOCAL, f"it runs, {where}")


def milestones(drive: Drive) -> tuple[Milestone, Milestone]:
    """After `bring_up`: how far the second processor, and the second vcpu of the guest, have come."""
    machine = drive.machine
    online = any(
        vcpu.number and vcpu.activity is not Activity.WAITING and vcpu.enables_interrupts()
        for vcpu in machine.vcpus
    )
    entered = any(vcpu.guest == 1 for vcpu in machine.vcpus)
    return Milestone(ONLINE, online), Milestone(ENTERED[drive.kernel.mode], entered)


def _event(guest: Guest) -> Came:
    """A port bound to the second vcpu."""
    port = bind(guest, vcpu=1)
    guest.unmask_upcalls(1)
    guest.machine.l0.raise_event(port)
    guest.drive.settle()
    return arrived(guest, port, 1)


def _ipi(guest: Guest) -> Came:
    """The first vcpu sends to a port that the second has bound for that."""
    guest.machine.l0.next_port = PORT
    port = guest.ask("EVTCHNOP_bind_ipi", vcpu=1)
    guest.ask("EVTCHNOP_unmask", port=port)
    guest.unmask_upcalls(1)
    guest.ask("EVTCHNOP_send", port=port)
    guest.drive.settle()
    return arrived(guest, port, 1)


def _asks(guest: Guest) -> Came:
    """The second vcpu opens a port, and what it signals comes to the first."""
    guest.machine.l0.next_port = PORT
    port = guest.ask("EVTCHNOP_bind_ipi", vcpu=0)
    guest.ask("EVTCHNOP_unmask", port=port)
    guest.listen()
    guest.ask("EVTCHNOP_send", by=1, port=port)
    guest.drive.settle()
    return arrived(guest, port, 0)


def _blocked(guest: Guest) -> Came:
    """The second vcpu has nothing to do until an event comes."""
    port, machine = bind(guest, vcpu=1), guest.machine
    guest.unmask_upcalls(1)
    machine.devices.at(machine.now() + 1_000_000, lambda: machine.l0.raise_event(port))
    answer = guest.call("SCHEDOP_block", by=1)
    guest.drive.settle()
    came = arrived(guest, port, 1)
    return Came(came.treatment, came.note, answer.result or 0)


def _timer(guest: Guest) -> Came:
    """The second vcpu sets its one-shot timer, and is told when the time has come."""
    port = set_timer(guest, 1)
    guest.unmask_upcalls(1)
    guest.drive.wait_for(lambda: guest.pending(port))
    return arrived(guest, port, 1)


def _named_before(guest: Guest) -> Iterator[str]:
    """By the first, as a kernel does that prepares what the other is to begin with."""
    return own_memory.info(guest, 1, then=lambda: bring_up(guest))


def _down(guest: Guest) -> Came:
    guest.ask("VCPUOP_down", 1)
    guest.drive.settle()
    machine = guest.machine
    up = guest.call("VCPUOP_is_up", 1).result
    wrong = ("the second vcpu is down, and VCPUOP_is_up says 1",) if up else ()
    off = [v for v in machine.vcpus if v.number == 1 and not v.enables_interrupts()]
    note = "its processor is switched off" if off else "its processor stays"
    return Came(Treatment.LOCAL, note, 0, wrong)


def _up_again(guest: Guest) -> Came:
    guest.ask("VCPUOP_down", 1)
    guest.drive.settle()
    guest.ask("VCPUOP_up", 1)
    if not guest.drive.wait_for(lambda: guest.runs(1)):
        wrong = "the second vcpu was taken down and brought up again, and does not run"
        return Came(Treatment.LOCAL, "", 0, (wrong,))
    came = _event(guest)
    if came.treatment is not Treatment.DELIVERED:
        return Came(Treatment.LOCAL, "", 0, (f"it is up again, but {came.note}",))
    return Came(Treatment.LOCAL, "it runs, and receives events")


def _resumed(guest: Guest) -> Came:
    """The second vcpu is there again, and told of events."""
    came = suspend.resumed(guest)
    if came.wrong or came.result:
        return came
    if not guest.runs(1):
        return replace(came, wrong=("the second vcpu does not run",))
    l0 = guest.machine.l0
    l0.next_port = PORT + 1
    port = guest.ask("EVTCHNOP_bind_ipi", vcpu=1)
    guest.ask("EVTCHNOP_unmask", port=port)
    guest.unmask_upcalls(1)
    guest.ask("EVTCHNOP_send", port=port)
    guest.drive.settle()
    arrival = arrived(guest, port, 1)
    if arrival.treatment is not Treatment.DELIVERED:
        return replace(came, wrong=(f"after it, {arrival.note}",))
    return came


BEFORE_IT = (
    Story(
        "vcpu_info of the second vcpu elsewhere before it is up",
        own_memory.INFO,
        own_memory.story(_named_before),
    ),
)
"""They bring it up themselves."""
UP = Story("second vcpu", "VCPUOP_up", bring_up)
STORIES = (
    Story("event to the second vcpu", "EVTCHNOP_bind_vcpu", _event),
    Story("IPI to the second vcpu", "EVTCHNOP_bind_ipi", _ipi),
    Story("second vcpu asks", "EVTCHNOP_send", _asks),
    Story("event while the second vcpu is blocked", "SCHEDOP_block", _blocked),
    Story(
        "suspend and resume with two", "SCHEDOP_shutdown", _resumed, suspend.elsewhere, "shutdown"
    ),
    Story("timer of the second vcpu", "VIRQ_TIMER", _timer),
    *runstates.OF_THE_SECOND,
    *own_memory.OF_THE_SECOND,
    Story("second vcpu down", "VCPUOP_down", _down),
    Story("second vcpu down and up again", "VCPUOP_up", _up_again),
)
