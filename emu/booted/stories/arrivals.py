# SPDX-License-Identifier: GPL-2.0-or-later
"""What comes to the guest: events of L0 and of its timer, whatever it is doing at that time.

An event from L0 is a bit in the page that L0 shares with the image, and an interrupt at the vector that
the image has named.  It comes as it would on a real machine: while the guest runs, while one of its
calls is under way, while it has nothing to do.
"""

from __future__ import annotations

from emu import abi
from emu.booted.guest import Guest, NoAnswer
from emu.booted.stories.telling import Came, Story
from emu.findings.boot_report import Treatment
from emu.hardware.clock import TSC_HZ
from emu.hardware.lapic import LVT_MASKED, LVTT

PORT = 12
SEVERAL = (12, 13, 63, 64, 100, 127)
"""Ports in words of either width (public xen.h, evtchn_pending)."""
TIMER_NS = 1_000_000
SOON = TSC_HZ * TIMER_NS // 10**9
"""Ticks until what is to come comes."""
MAX_TICKS = 4
REFUSALS = (-abi.ERRNO["ENOSYS"], -abi.ERRNO["EOPNOTSUPP"])


def bind(guest: Guest, vcpu: int = 0) -> int:
    """A port that the guest has bound to another domain's, and that L0 may signal."""
    l0 = guest.machine.l0
    l0.next_port = PORT
    guest.ask("EVTCHNOP_bind_interdomain", remote_dom=3, remote_port=5)
    if vcpu:
        guest.ask("EVTCHNOP_bind_vcpu", port=PORT, vcpu=vcpu)
    guest.ask("EVTCHNOP_unmask", port=PORT)
    if l0.shared is None:
        raise NoAnswer("the image has not mapped L0's shared info")
    return PORT


def arrived(guest: Guest, port: int, vcpu: int | None = None) -> Came:
    """Whether a port is pending; with ``vcpu`` also whether that one's callback has run."""
    if not guest.pending(port):
        return Came(Treatment.LOCAL, f"port {port} is not pending for the guest")
    if vcpu is not None and not guest.upcalls(vcpu):
        return Came(Treatment.LOCAL, f"port {port} is pending, and vcpu {vcpu} is not called")
    return Came(Treatment.DELIVERED, f"port {port} is pending for the guest")


def refused(result: int | None) -> Came | None:
    """What is to be said of an operation that the image does not have; None where it has it."""
    return Came(Treatment.REFUSED, "", result) if result in REFUSALS and result else None


def _while_running(guest: Guest) -> Came:
    """A port that the guest has bound is signalled by its other end."""
    port, l0 = bind(guest), guest.machine.l0
    if l0.shared is not None and l0.shared.masked(port):
        return Came(Treatment.LOCAL, "the port is masked in L0")
    l0.raise_event(port)
    guest.drive.settle()
    return arrived(guest, port)


def _called_back(guest: Guest) -> Came:
    """As above, and the guest has named a callback."""
    port = bind(guest)
    guest.listen()
    guest.machine.l0.raise_event(port)
    guest.drive.settle()
    return arrived(guest, port, 0)


def _several(guest: Guest) -> Came:
    """Side by side and in different words of the page: each comes at its own port, and at no other."""
    l0 = guest.machine.l0
    if l0.shared is None:
        raise NoAnswer("the image has not mapped L0's shared info")
    for port in SEVERAL:
        l0.next_port = port
        guest.ask("EVTCHNOP_bind_interdomain", remote_dom=3, remote_port=port)
        guest.ask("EVTCHNOP_unmask", port=port)
    before = guest.all_pending()
    for port in SEVERAL:
        l0.raise_event(port)
    guest.drive.settle()
    came = guest.all_pending() - before
    if not came:
        return Came(Treatment.LOCAL, "none is pending for the guest")
    if came != set(SEVERAL):
        pending = ", ".join(map(str, sorted(came)))
        wrong = (
            f"events at ports {', '.join(map(str, SEVERAL))} are pending at {pending} for the guest"
        )
        return Came(Treatment.DELIVERED, "", 0, (wrong,))
    return Came(Treatment.DELIVERED, f"{len(SEVERAL)} at once")


def _while_masked(guest: Guest) -> Came:
    """The guest hears of it when it unmasks the port: public event_channel.h, EVTCHNOP_unmask, which delivers
    "a notification to the appropriate VCPU if an event is pending".  To be called too early does no harm: a
    guest looks at its own mask."""
    port, l0 = bind(guest), guest.machine.l0
    guest.listen()
    guest.mask(port)
    l0.raise_event(port)
    guest.drive.settle()
    if not guest.pending(port):
        return arrived(guest, port)
    if guest.upcalls():
        return Came(Treatment.LOCAL, "the guest is called for a port that it has masked")
    guest.ask("EVTCHNOP_unmask", port=port)
    guest.drive.settle()
    came = arrived(guest, port, 0)
    if came.treatment is not Treatment.DELIVERED and _comes_unmasked(guest):
        wrong = f"port {port} is unmasked while an event is pending, and vcpu 0 is not called"
        return Came(Treatment.LOCAL, "", 0, (wrong,))
    return came


def _comes_unmasked(guest: Guest) -> bool:
    """Whether the guest is called for the event of another port."""
    l0 = guest.machine.l0
    l0.next_port = PORT + 1
    other = guest.ask("EVTCHNOP_bind_interdomain", remote_dom=3, remote_port=6)
    guest.ask("EVTCHNOP_unmask", port=other)
    l0.raise_event(other)
    guest.drive.settle()
    return arrived(guest, other, 0).treatment is Treatment.DELIVERED


def _in_a_call(guest: Guest) -> Came:
    """It comes when the image is on its way through L0 for the guest."""
    port, machine = bind(guest), guest.machine
    guest.listen()
    happened: list[int] = []

    def happens() -> None:
        happened.append(port)
        machine.l0.raise_event(port)

    machine.meanwhile = happens
    answer = guest.call("EVTCHNOP_send", port=port)
    machine.meanwhile = None
    if not happened:
        raise NoAnswer("EVTCHNOP_send does not reach L0")
    guest.drive.settle()
    came = arrived(guest, port, 0)
    if answer.result:
        return Came(came.treatment, came.note, answer.result, ("the call fails then",))
    return came


def _while(operation: str, guest: Guest, **fields: int) -> Came:
    """It comes when the guest has given up the processor."""
    port, machine = bind(guest), guest.machine
    if operation != "SCHEDOP_poll":
        guest.listen()
    machine.devices.at(machine.now() + SOON, lambda: machine.l0.raise_event(port))
    layout, width = abi.structure(operation, guest.kernel.mode), 4
    if layout is not None:
        machine.linear.write(guest.kernel.lists, port.to_bytes(width, "little"))
        fields = {"ports": guest.kernel.lists, "nr_ports": 1, **fields}
    answer = guest.call(operation, **fields)
    none = refused(answer.result)
    if none is not None:
        return none
    if operation == "SCHEDOP_yield" and not guest.pending(port):
        machine.devices.skip()
    guest.drive.settle()
    return arrived(guest, port, None if operation == "SCHEDOP_poll" else 0)


def _timer(guest: Guest) -> Came:
    """The guest sets its one-shot timer, and the time passes."""
    port = set_timer(guest)
    devices = guest.machine.devices
    for _ in range(MAX_TICKS):
        if not devices.skip():
            break
        guest.drive.settle()
        if guest.pending(port):
            break
    return arrived(guest, port)


def _timer_while_blocked(guest: Guest) -> Came:
    """The guest sets its one-shot timer and has nothing to do until then."""
    port = set_timer(guest)
    guest.listen()
    answer = guest.call("SCHEDOP_block")
    return refused(answer.result) or arrived(guest, port, 0)


def set_timer(guest: Guest, vcpu: int = 0) -> int:
    """A vcpu binds its timer to a port, which is the result, and sets it."""
    machine = guest.machine
    machine.l0.next_port = PORT
    port = guest.ask("EVTCHNOP_bind_virq", by=vcpu, virq=abi.CONSTANTS["VIRQ_TIMER"], vcpu=vcpu)
    due = guest.time(vcpu) + TIMER_NS
    guest.ask("VCPUOP_set_singleshot_timer", vcpu, by=vcpu, timeout_abs_ns=due, flags=0)
    entry = machine.devices.lapics[guest.processor(vcpu)].registers.get(LVTT, LVT_MASKED)
    if not entry & 0xFF or entry & LVT_MASKED:
        raise NoAnswer("the image has not set up its own timer")
    return port


def _poll_times_out(guest: Guest) -> Came:
    """Nothing comes, and the guest has said how long it waits."""
    lists, machine = guest.kernel.lists, guest.machine
    machine.linear.write(lists, PORT.to_bytes(4, "little"))
    bind(guest)
    due, began = guest.time() + TIMER_NS, machine.now()
    answer = guest.call("SCHEDOP_poll", ports=lists, nr_ports=1, timeout=due)
    none = refused(answer.result)
    if none is not None:
        return none
    early = machine.now() - began < SOON * 9 // 10
    wrong = ("the guest is woken before its time",) if early else ()
    return Came(Treatment.LOCAL, "", answer.result or 0, wrong)


STORIES = (
    Story("event from L0", "event upcall", _while_running),
    Story("event and the guest's callback", "event upcall", _called_back),
    Story("events at once", "event upcall", _several),
    Story("event while its port is masked", "EVTCHNOP_unmask", _while_masked),
    Story("event in a call", "event upcall", _in_a_call),
    Story("event while blocked", "SCHEDOP_block", lambda guest: _while("SCHEDOP_block", guest)),
    Story("event while yielding", "SCHEDOP_yield", lambda guest: _while("SCHEDOP_yield", guest)),
    Story("event that is polled for", "SCHEDOP_poll", lambda guest: _while("SCHEDOP_poll", guest)),
    Story("poll that times out", "SCHEDOP_poll", _poll_times_out),
    Story("event of the timer", "VIRQ_TIMER", _timer),
    Story("timer while blocked", "VIRQ_TIMER", _timer_while_blocked),
)
