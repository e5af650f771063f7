# SPDX-License-Identifier: GPL-2.0-or-later
"""The PV console of L0 in the image's own hands (``console=pv``): it writes and reads L0's ring, and is for
its guest what L0's daemon is otherwise.  An image that gives L0's ring on to its guest has no part in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from emu import abi
from emu.booted.drive import Drive
from emu.booted.guest import Guest, NoAnswer
from emu.booted.paging import NotMapped
from emu.booted.ram import BadAddress
from emu.booted.stories import first_memory
from emu.booted.stories.consoles import (
    GREETING,
    IN_CONS,
    IN_PROD,
    IN_SIZE,
    OUT,
    OUT_CONS,
    OUT_PROD,
    OUT_SIZE,
    TYPED,
    number_at,
    ring_of,
)
from emu.booted.stories.suspend import CONSOLE, elsewhere, suspend
from emu.booted.stories.telling import Came, Story
from emu.elf import PAGE
from emu.findings.boot_report import Treatment
from emu.spaces import PhysAddr

OPERATION = "console"
EVERY_BYTE = bytes((*range(1, 256), 0)) + b"the end\n"
FULL_OUT = bytes(ord("a") + at % 26 for at in range(OUT_SIZE))
FULL_IN = bytes(ord("A") + at % 26 for at in range(IN_SIZE))


def _below(guest: Guest) -> tuple[PhysAddr, int]:
    """(address, port) of the console that L0 has for the image."""
    params = guest.machine.l0.params
    frame = params[abi.CONSTANTS["HVM_PARAM_CONSOLE_PFN"]]
    return PhysAddr(frame * PAGE), params[abi.CONSTANTS["HVM_PARAM_CONSOLE_EVTCHN"]]


def _own(guest: Guest) -> tuple[PhysAddr, int]:
    """(address, port) of the guest's own, which differs from it."""
    ring, port = ring_of(guest)
    if ring == _below(guest)[0]:
        raise NoAnswer("the guest's ring is L0's own")
    return ring, port


def has_console(drive: Drive) -> bool:
    """Whether the image has L0's console for itself, and its guest another."""
    try:
        _own(Guest(drive))
    except (NoAnswer, NotMapped, BadAddress):
        return False
    return True


def _put(guest: Guest, ring: PhysAddr, size: int, content: bytes, prod: int) -> None:
    """As a producer does: the bytes, then the index; ``prod`` is where that stands."""
    ram, at = guest.machine.ram, number_at(guest, ring + prod)
    begin = 0 if prod == IN_PROD else OUT
    for offset, byte in enumerate(content):
        ram.write(ring + begin + (at + offset) % size, bytes((byte,)))
    ram.write(ring + prod, (at + len(content) & 0xFFFFFFFF).to_bytes(4, "little"))


def _differs(sent: bytes, came: bytes) -> str:
    """In what; empty where nothing does but for carriage returns, which an image may add to line feeds."""
    sent, came = sent.replace(b"\r", b""), came.replace(b"\r", b"")
    if sent == came:
        return ""
    pairs = enumerate(zip(sent, came, strict=False))
    at = next((n for n, (a, b) in pairs if a != b), min(len(sent), len(came)))
    first = f"; the first that is lost or another is byte {at}" if at < len(sent) else ""
    value = f" ({sent[at]:#04x})" if at < len(sent) else ""
    return f"{len(came)} of {len(sent)} bytes{first}{value}"


def _first_memory(guest: Guest) -> Came:
    """The page of its ring is one of the image's, and the guest's as all others are."""
    _own(guest)
    return first_memory.given(guest)


def _own_messages(guest: Guest) -> Came:
    """What the image has said on its way here went through L0's ring, and L0's end was told."""
    _own(guest)
    ring, _ = _below(guest)
    read, written = number_at(guest, ring + OUT_CONS), number_at(guest, ring + OUT_PROD)
    if not written:
        return Came(Treatment.LOCAL, "nothing of what it says goes there")
    if read != written:
        wrong = f"{written - read} of {written} bytes lie in the ring, and L0's end is not notified"
        return Came(Treatment.LOCAL, "", 0, (wrong,))
    return Came(Treatment.DELIVERED, f"{written} bytes")


def _write(guest: Guest, content: bytes) -> Came:
    """The guest writes to its ring and tells the other end, which is the image."""
    ring, port = _own(guest)
    l0 = guest.machine.l0
    del l0.console[:]
    _put(guest, ring, OUT_SIZE, content, OUT_PROD)
    guest.ask("EVTCHNOP_send", port=port)
    guest.drive.settle()
    wrong = []
    found = bytes(l0.console)
    left = number_at(guest, ring + OUT_PROD) - number_at(guest, ring + OUT_CONS)
    if not found and left == len(content):
        return Came(Treatment.LOCAL, "the image does not look at the guest's ring")
    if lost := _differs(content, found):
        wrong.append(f"what the guest writes is not what comes out of L0's console: {lost}")
    if left:
        wrong.append(f"{left} bytes are left in the guest's ring")
    told = "" if guest.pending(port) else "; the guest is not notified that it was read"
    how = "its ring" if any(c.op == "EVTCHNOP_send" for c in l0.calls) else "its console"
    return Came(Treatment.DELIVERED, f"to L0 by {how}{told}", 0, tuple(wrong))


def _writes(content: bytes) -> Callable[[Guest], Came]:
    return lambda guest: _write(guest, content)


def _too_far(guest: Guest) -> Came:
    """An index that says that there is more than the ring holds: the guest's own harm, and nobody's else."""
    ring, port = _own(guest)
    at = number_at(guest, ring + OUT_PROD) + 2 * OUT_SIZE + 1
    guest.machine.ram.write(ring + OUT_PROD, (at & 0xFFFFFFFF).to_bytes(4, "little"))
    answer = guest.call("EVTCHNOP_send", port=port)
    guest.drive.settle()
    guest.ask("EVTCHNOP_send", port=port)
    return Came(Treatment.DELIVERED, "the image goes on", answer.result or 0)


def _read(guest: Guest, content: bytes) -> Came:
    """L0's end fills its ring and signals the port; the image has its guest find it in its own."""
    ring, port = _own(guest)
    below, signalled = _below(guest)
    machine = guest.machine
    _put(guest, below, IN_SIZE, content, IN_PROD)
    machine.l0.raise_event(signalled)
    guest.drive.settle()
    begin, end = number_at(guest, ring + IN_CONS), number_at(guest, ring + IN_PROD)
    span = range(begin, min(end, begin + IN_SIZE))
    found = b"".join(machine.ram.read(ring + place % IN_SIZE, 1) for place in span)
    wrong = []
    left = number_at(guest, below + IN_PROD) - number_at(guest, below + IN_CONS)
    if not found and left == len(content):
        return Came(Treatment.LOCAL, "the image does not look at L0's ring")
    if lost := _differs(content, found):
        wrong.append(f"what is typed is not what the guest finds in its ring: {lost}")
    if left:
        wrong.append(f"{left} bytes are left in L0's ring")
    if not guest.pending(port):
        wrong.append(f"the guest is not notified: its port {port} is not pending")
    return Came(Treatment.DELIVERED, "", 0, tuple(wrong))


def _reads(content: bytes) -> Callable[[Guest], Came]:
    return lambda guest: _read(guest, content)


def _forget(guest: Guest) -> None:
    """The guest reads what is in its ring, and takes its events."""
    ring, port = _own(guest)
    ram = guest.machine.ram
    ram.write(ring + IN_CONS, ram.read(ring + IN_PROD, 4))
    guest.forget(port)


def _after_resume(attempt: Callable[[Guest], Came]) -> Callable[[Guest], Came]:
    """In L0's other place, where the port has another number; what came before it has to come there."""

    def resumed(guest: Guest) -> Came:
        if attempt(guest).treatment is not Treatment.DELIVERED:
            raise NoAnswer("it does not come before a resume either")
        _forget(guest)
        result = suspend(guest)
        if result != 0:
            raise NoAnswer(f"the guest does not resume: {abi.result_name(result or 0)}")
        if guest.told("console_evtchn") != CONSOLE:
            raise NoAnswer("the guest does not learn the console's new port")
        came = attempt(guest)
        if came.treatment is Treatment.LOCAL:
            return replace(came, wrong=("what came before a resume does not come after it",))
        return came

    return resumed


STORIES = (
    Story("PV console: own messages", OPERATION, _own_messages),
    Story("PV console: first memory", OPERATION, _first_memory),
    Story("PV console: output", OPERATION, _writes(GREETING)),
    Story("PV console: every byte", OPERATION, _writes(EVERY_BYTE)),
    Story("PV console: a full ring", OPERATION, _writes(FULL_OUT)),
    Story("PV console: an index too far", OPERATION, _too_far),
    Story("PV console: input", OPERATION, _reads(TYPED)),
    Story("PV console: a full ring of input", OPERATION, _reads(FULL_IN)),
    Story(
        "PV console: output after a resume",
        OPERATION,
        _after_resume(_writes(GREETING)),
        elsewhere,
        "shutdown",
    ),
    Story(
        "PV console: input after a resume",
        OPERATION,
        _after_resume(_reads(TYPED)),
        elsewhere,
        "shutdown",
    ),
)
