# SPDX-License-Identifier: GPL-2.0-or-later
"""What comes to the guest, as opposed to what it asks for: events, its timer, its console.

An event from L0 is a bit in the page that L0 shares with the image, and an interrupt at the vector that
the image has named; it has arrived when the same port is pending in the page that the image shares with
its guest.  The guest runs when the interrupt comes, as it would on a real machine.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from emu import abi
from emu.booted.drive import Drive
from emu.booted.machine import Ended
from emu.booted.paging import NotMapped
from emu.booted.ram import BadAddress
from emu.booted.report import BehaviourRow, Treatment
from emu.elf import PAGE
from emu.interactions import Plan
from emu.l0 import L0Setup
from emu.l0.shared import TIME
from emu.platform import TSC_HZ
from emu.verdict import Finding

PORT = 12
LAPIC_LVTT = 0x320
LVT_MASKED = 1 << 16
CALLBACK_VECTOR = 2
"""Type of HVM_PARAM_CALLBACK_IRQ, in its highest byte."""
TIMER_NS = 1_000_000
MAX_TICKS = 4
RING_OUT, RING_OUT_SIZE, RING_OUT_PROD = 1024, 2048, 0xC0C
GREETING = b"the guest was here\n"


@dataclass(frozen=True, slots=True)
class StartInfo:
    """Fields of the public ``struct start_info`` of one mode: offset and width."""

    word: int
    shared_info: int
    console_mfn: int
    console_port: int
    pending: int = 0x800


LAYOUTS: dict[abi.Mode, StartInfo] = {
    "64": StartInfo(8, 40, 72, 80),
    "compat": StartInfo(4, 36, 52, 56),
}


class NoEvent(Exception):
    """What is to come cannot come: ``str()`` says why."""


class Events:
    """Tries of one booted guest."""

    def __init__(self, drive: Drive, setup: L0Setup) -> None:
        self._drive = drive
        self._machine = drive.machine
        self._setup = setup
        self._layout = LAYOUTS[drive.kernel.mode]

    def rows(self) -> Iterator[BehaviourRow]:
        """One for each way in."""
        yield self._row("event from L0", "event upcall", self._upcall)
        yield self._row("event of the timer", "VIRQ_TIMER", self._timer)
        yield self._row("console ring", "console", self._console)

    def _row(
        self, name: str, operation: str, attempt: Callable[[], tuple[Treatment, str]]
    ) -> BehaviourRow:
        mode, findings = self._drive.kernel.mode, tuple[Finding, ...]()
        try:
            treatment, note = self._drive.bounded(lambda: self._afresh(attempt))
        except NoEvent as exc:
            treatment, note = Treatment.UNREACHED, str(exc)
        except (NotMapped, BadAddress) as exc:
            treatment, note = Treatment.UNREACHED, str(exc)
        except Ended as exc:
            where = self._machine.image.where(exc.address)
            treatment, note = Treatment.CRASHED, f"{exc.message} at {where}"
            findings = (Finding("crash", exc.message, where, f"{name}/{mode}"),)
        calls = tuple(self._machine.l0.calls)
        came = treatment not in (Treatment.UNREACHED, Treatment.CRASHED)
        result = 0 if came else None
        return BehaviourRow(name, operation, mode, treatment, result, calls, findings, note)

    def _afresh(self, attempt: Callable[[], tuple[Treatment, str]]) -> tuple[Treatment, str]:
        self._drive.restore(Plan(), self._setup)
        return attempt()

    # --- the three of them ---

    def _upcall(self) -> tuple[Treatment, str]:
        """A port that the guest has bound is signalled by its other end."""
        self._machine.l0.next_port = PORT
        self._ask("EVTCHNOP_bind_interdomain", remote_dom=3, remote_port=5)
        self._ask("EVTCHNOP_unmask", port=PORT)
        shared = self._machine.l0.shared
        if shared is None:
            raise NoEvent("the image has not mapped L0's shared info")
        if shared.masked(PORT):
            return Treatment.LOCAL, "the port is masked in L0"
        if shared.set_pending(PORT, 0):
            self._interrupt(self._vector())
        return self._arrived(PORT)

    def _timer(self) -> tuple[Treatment, str]:
        """The guest sets its one-shot timer, and the time passes."""
        self._machine.l0.next_port = PORT
        port = self._ask("EVTCHNOP_bind_virq", virq=abi.CONSTANTS["VIRQ_TIMER"], vcpu=0)
        devices = self._machine.devices
        due = self._guest_time() + TIMER_NS
        self._ask("VCPUOP_set_singleshot_timer", 0, timeout_abs_ns=due, flags=0)
        for _ in range(MAX_TICKS):
            entry = devices.lapic.read(LAPIC_LVTT, 4)
            if not entry & 0xFF or entry & LVT_MASKED:
                raise NoEvent("the image has not set up its own timer")
            devices.clock.pass_by(TSC_HZ * TIMER_NS // 10**9)
            self._interrupt(entry & 0xFF)
            if self._pending(port):
                break
        return self._arrived(port)

    def _console(self) -> tuple[Treatment, str]:
        """The guest writes into its console ring and tells the other end."""
        layout, ram = self._layout, self._machine.ram
        frame = self._field(layout.console_mfn, layout.word)
        port = self._field(layout.console_port, 4)
        if not frame or not port:
            raise NoEvent("the guest is given no console")
        ring = frame * PAGE
        at = int.from_bytes(ram.read(ring + RING_OUT_PROD, 4), "little")
        for offset, byte in enumerate(GREETING):
            ram.write(ring + RING_OUT + (at + offset) % RING_OUT_SIZE, bytes((byte,)))
        ram.write(ring + RING_OUT_PROD, (at + len(GREETING)).to_bytes(4, "little"))
        self._ask("EVTCHNOP_send", port=port)
        l0 = self._machine.l0
        if GREETING in bytes(l0.console):
            return Treatment.DELIVERED, "the image writes it to L0's console"
        if any(call.op == "EVTCHNOP_send" and call.result == 0 for call in l0.calls):
            return Treatment.FORWARDED, "the ring is L0's own"
        return Treatment.LOCAL, ""

    # --- pieces ---

    def _ask(self, operation: str, *more: int, **fields: int) -> int:
        """A hypercall of the guest that must succeed; the port that it gives out, if any."""
        hypercall, number = abi.numbers(operation) or (0, 0)
        layout = abi.structure(operation, self._drive.kernel.mode)
        assert layout is not None
        buffer = self._drive.kernel.buffer
        self._machine.linear.write(buffer, layout.encode(fields))
        answer = self._drive.call(hypercall, (number, *more, buffer))
        if answer.end is not None:
            raise answer.end
        if answer.result != 0:
            raise NoEvent(f"{operation}: {abi.result_name(answer.result)}")
        return layout.decode(self._machine.linear.read(buffer, layout.size)).get("port", 0)

    def _vector(self) -> int:
        l0 = self._machine.l0
        if 0 in l0.upcall_vectors:
            return l0.upcall_vectors[0]
        via = l0.params.get(abi.CONSTANTS["HVM_PARAM_CALLBACK_IRQ"], 0)
        if via >> 56 != CALLBACK_VECTOR:
            raise NoEvent("the image has named no vector for upcalls")
        return via & 0xFF

    def _interrupt(self, vector: int) -> None:
        """While the guest runs; up to the image's return to it."""
        self._drive.interrupt(vector)

    def _field(self, offset: int, width: int) -> int:
        raw = self._machine.linear.read(self._drive.start_info + offset, width)
        return int.from_bytes(raw, "little")

    def _guest_time(self) -> int:
        """System time in nanoseconds as the guest computes it (public xen.h, vcpu_time_info)."""
        page = self._field(self._layout.shared_info, self._layout.word)
        record = self._machine.ram.read(page + TIME, 32)
        _, _, stamp, system, scale, shift = struct.unpack_from("<IIQQIb", record)
        ticks = max(0, self._machine.devices.clock.ticks - stamp)
        return int(system + ((ticks << shift if shift >= 0 else ticks >> -shift) * scale >> 32))

    def _pending(self, port: int) -> bool:
        page = self._field(self._layout.shared_info, self._layout.word)
        return bool(
            self._machine.ram.read(page + self._layout.pending + port // 8, 1)[0] >> port % 8 & 1
        )

    def _arrived(self, port: int) -> tuple[Treatment, str]:
        if self._pending(port):
            return Treatment.DELIVERED, f"port {port} is pending for the guest"
        return Treatment.LOCAL, f"port {port} is not pending for the guest"
