# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's console: what it writes to its ring or asks to be written, and what is typed at L0's end."""

from __future__ import annotations

from emu import abi
from emu.booted.guest import Guest, NoAnswer
from emu.booted.stories.arrivals import REFUSALS
from emu.booted.stories.telling import Came, Story
from emu.elf import PAGE
from emu.findings.boot_report import Treatment
from emu.spaces import PhysAddr

IN_SIZE, OUT, OUT_SIZE = 1024, 1024, 2048
IN_CONS, IN_PROD, OUT_CONS, OUT_PROD = 0xC00, 0xC04, 0xC08, 0xC0C
"""Of the public ``struct xencons_interface``."""
GREETING = b"the guest was here\n"
TYPED = b"typed at L0's console\n"


def ring_of(guest: Guest) -> tuple[PhysAddr, int]:
    """(address, port) of the console that the guest is given."""
    frame, port = guest.told("console_mfn"), guest.told("console_evtchn")
    if not frame or not port:
        raise NoAnswer("the guest is given no console")
    return PhysAddr(frame * PAGE), port


def number_at(guest: Guest, at: PhysAddr) -> int:
    return int.from_bytes(guest.machine.ram.read(at, 4), "little")


def _ring_out(guest: Guest) -> Came:
    """The guest writes into its ring and tells the other end."""
    ring, port = ring_of(guest)
    ram, l0 = guest.machine.ram, guest.machine.l0
    at = number_at(guest, ring + OUT_PROD)
    for offset, byte in enumerate(GREETING):
        ram.write(ring + OUT + (at + offset) % OUT_SIZE, bytes((byte,)))
    ram.write(ring + OUT_PROD, (at + len(GREETING)).to_bytes(4, "little"))
    guest.ask("EVTCHNOP_send", port=port)
    sent = any(call.op == "EVTCHNOP_send" and call.result == 0 for call in l0.calls)
    if sent and ring == l0.params[abi.CONSTANTS["HVM_PARAM_CONSOLE_PFN"]] * PAGE:
        return Came(Treatment.FORWARDED, "the ring is L0's own")
    if GREETING.strip() in bytes(l0.console):
        return Came(Treatment.DELIVERED, "the image writes it to L0's console")
    return Came(Treatment.LOCAL)


def _written(guest: Guest) -> Came:
    """CONSOLEIO_write."""
    buffer = guest.kernel.buffer
    guest.machine.linear.write(buffer, GREETING)
    hypercall, number = abi.numbers("CONSOLEIO_write") or (0, 0)
    answer = guest.drive.call(hypercall, (number, len(GREETING), buffer))
    if answer.end is not None:
        raise answer.end
    if answer.result is not None and answer.result in REFUSALS:
        return Came(Treatment.REFUSED, "", answer.result)
    if GREETING.strip() in bytes(guest.machine.l0.console):
        return Came(Treatment.DELIVERED, "the image writes it to L0's console", answer.result or 0)
    return Came(Treatment.LOCAL, "L0's console does not show it", answer.result or 0)


def _typed(guest: Guest) -> Came:
    """L0's end fills its ring and signals the port; the guest finds it in its own."""
    machine = guest.machine
    ram, l0 = machine.ram, machine.l0
    below = PhysAddr(l0.params[abi.CONSTANTS["HVM_PARAM_CONSOLE_PFN"]] * PAGE)
    ring, port = ring_of(guest)
    at = number_at(guest, below + IN_PROD)
    for offset, byte in enumerate(TYPED):
        ram.write(below + (at + offset) % IN_SIZE, bytes((byte,)))
    ram.write(below + IN_PROD, (at + len(TYPED)).to_bytes(4, "little"))
    l0.raise_event(l0.params[abi.CONSTANTS["HVM_PARAM_CONSOLE_EVTCHN"]])
    guest.drive.settle()
    begin, end = number_at(guest, ring + IN_CONS), number_at(guest, ring + IN_PROD)
    span = range(begin, min(end, begin + IN_SIZE))
    found = b"".join(ram.read(ring + place % IN_SIZE, 1) for place in span)
    if found != TYPED:
        return Came(Treatment.LOCAL, "the guest's ring does not show it")
    if not guest.pending(port):
        return Came(Treatment.LOCAL, f"it is in the guest's ring, and port {port} is not pending")
    if ring == below:
        return Came(Treatment.DELIVERED, "the ring is L0's own")
    return Came(Treatment.DELIVERED, "the image carries it to the guest's ring")


STORIES = (
    Story("console ring", "console", _ring_out),
    Story("console write", "CONSOLEIO_write", _written),
    Story("console input", "console", _typed),
)
