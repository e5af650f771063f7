# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest of a booted image: what it is given, what it asks, what comes to it.

An event has arrived when its port is pending in the page that the image shares with its guest, and its
vcpu has taken the upcall when the guest's own callback has run there.
"""

from __future__ import annotations

from emu import abi
from emu.booted.drive import Answer, Drive
from emu.elf import PAGE
from emu.guest import TIME_INFO_SIZE, TimeInfo, first_registers
from emu.l0.shared import PENDING, TIME, VCPU_INFO_SIZE
from emu.spaces import LinearAddr, PhysAddr

WORD: dict[abi.Mode, int] = {abi.Mode.NATIVE: 8, abi.Mode.COMPAT: 4}
"""Bytes of the guest's unsigned long, which holds the number of a frame; of event channels it has as many
words as a word has bits."""
KERNEL_CS_32 = 0xE019
CALLBACKTYPE_EVENT = 0


class NoAnswer(Exception):
    """What is to be seen cannot be brought about: ``str()`` says why."""


class Guest:
    """The guest that `drive` drives."""

    def __init__(self, drive: Drive) -> None:
        self.drive = drive
        self.machine = drive.machine
        self.kernel = drive.kernel
        self.moved: dict[int, PhysAddr] = {}
        """vcpu to where its vcpu_info is by VCPUOP_register_vcpu_info."""

    # --- what it asks ---

    def call(self, operation: str, *more: int, by: int = 0, **fields: int) -> Answer:
        """A hypercall by a vcpu, with a structure where it has one; raises what ended it."""
        hypercall, number = abi.numbers(operation) or (0, 0)
        layout = abi.structure(operation, self.kernel.mode)
        arguments = [number, *more]
        if layout is not None:
            known = {name: value for name, value in fields.items() if layout.member(name)}
            self.machine.linear.write(self.kernel.buffer, layout.encode(known))
            arguments.append(self.kernel.buffer)
        answer = self.drive.call(hypercall, arguments, by)
        if answer.end is not None:
            raise answer.end
        return answer

    def ask(self, operation: str, *more: int, by: int = 0, **fields: int) -> int:
        """As above, and it must succeed; the port that it gives out, if any."""
        answer = self.call(operation, *more, by=by, **fields)
        if answer.result != 0:
            raise NoAnswer(f"{operation}: {abi.result_name(answer.result)}")
        layout = abi.structure(operation, self.kernel.mode)
        if layout is None:
            return 0
        raw = self.machine.linear.read(self.kernel.buffer, layout.size)
        found = layout.decode(raw)
        return found.get("port", found.get("local_port", 0))

    def listen(self, vcpu: int = 0) -> None:
        """Name the callback for events, and take upcalls from now on."""
        fields = {"type": CALLBACKTYPE_EVENT, "cs": KERNEL_CS_32, "eip": self.kernel.event}
        self.ask("CALLBACKOP_register", by=vcpu, **fields)
        self.unmask_upcalls(vcpu)

    def initialise(self, vcpu: int) -> int | None:
        """VCPUOP_initialise of another vcpu, which is to begin where this one began; the result."""
        content = first_registers(self.kernel, vcpu, self.page_tables()[0] // PAGE)
        self.machine.linear.write(self.kernel.context, content)
        hypercall, number = abi.numbers("VCPUOP_initialise") or (0, 0)
        answer = self.drive.call(hypercall, (number, vcpu, self.kernel.context))
        if answer.end is not None:
            raise answer.end
        return answer.result

    def page_tables(self) -> tuple[int, bool]:
        """Physical address of the top level of the guest's page tables, and whether its start info tells.

        As it is told in its start info: a shim that keeps its own memory from its guest runs it on a copy.
        """
        linear, mode = self.machine.linear, self.kernel.mode
        told = self.told_of_tables()
        if told:
            return linear.walk(told).physical & -PAGE, True
        root = linear.cr3() & -PAGE
        if mode is abi.Mode.COMPAT:  # of the guest's own three levels
            root = self.machine.ram.word(PhysAddr(root)) & 0x000FFFFFFFFFF000
        return root, False

    # --- what it is given ---

    def told_of_tables(self) -> LinearAddr:
        """Linear address of its page tables, as its start info has it; 0 where it has none."""
        offset, size = abi.PT_BASE[self.kernel.mode]
        raw = self.machine.linear.read(self.drive.start_info + offset, size)
        return LinearAddr(int.from_bytes(raw, "little"))

    def told(self, name: str) -> int:
        """A field of its start info."""
        layout = abi.START_INFO[self.kernel.mode]
        return layout.decode(self.machine.linear.read(self.drive.start_info, layout.size))[name]

    @property
    def shared_info(self) -> PhysAddr:
        """The page that it shares with the image."""
        return PhysAddr(self.told("shared_info"))

    def time_info(self, vcpu: int = 0) -> bytes:
        """``struct vcpu_time_info`` of a vcpu, where its vcpu_info is now."""
        return self.machine.ram.read(self.vcpu_info(vcpu) + TIME, TIME_INFO_SIZE)

    def time(self, vcpu: int = 0) -> int:
        """System time in nanoseconds as a vcpu computes it.  Raises Ended."""
        timestamp = self.drive.timestamp(vcpu)
        return TimeInfo.of(self.time_info(vcpu)).at(timestamp)

    # --- what comes to it ---

    def vcpu_info(self, vcpu: int) -> PhysAddr:
        """In the shared page, until the guest has named another place for it (`moved`)."""
        return self.moved.get(vcpu, self.shared_info + vcpu * VCPU_INFO_SIZE)

    def unmask_upcalls(self, vcpu: int = 0) -> None:
        """As the guest itself does it: clear both flags of its vcpu_info."""
        self.machine.ram.write(self.vcpu_info(vcpu), b"\0\0")

    def look_at_all(self, vcpu: int) -> None:
        """As the guest does when it has looked at all ports: no upcall is pending, no word is selected."""
        word = WORD[self.kernel.mode]
        self.machine.ram.write(self.vcpu_info(vcpu), bytes((0, 1)))
        self.machine.ram.write(self.vcpu_info(vcpu) + word, bytes(word))

    def pending(self, port: int) -> bool:
        at = self.shared_info + PENDING + port // 8
        return bool(self.machine.ram.read(at, 1)[0] >> port % 8 & 1)

    def all_pending(self) -> frozenset[int]:
        """The ports that are."""
        ports = (8 * WORD[self.kernel.mode]) ** 2
        raw = self.machine.ram.read(self.shared_info + PENDING, ports // 8)
        bits = int.from_bytes(raw, "little")
        return frozenset(port for port in range(ports) if bits >> port & 1) if bits else frozenset()

    def mask(self, port: int) -> None:
        """As the guest does that wants to hear nothing of the port for now (public xen.h, evtchn_mask)."""
        at = self.shared_info + PENDING + 8 * WORD[self.kernel.mode] ** 2 + port // 8
        seen = self.machine.ram.read(at, 1)[0] | 1 << port % 8
        self.machine.ram.write(at, bytes((seen,)))

    def forget(self, port: int) -> None:
        """As the guest does when it looks at the port."""
        at = self.shared_info + PENDING + port // 8
        seen = self.machine.ram.read(at, 1)[0] & ~(1 << port % 8)
        self.machine.ram.write(at, bytes((seen,)))

    def upcalls(self, vcpu: int = 0) -> int:
        """How often the callback has run on a vcpu."""
        raw = self.machine.linear.read(self.kernel.seen + 4 * vcpu, 4)
        return int.from_bytes(raw, "little")

    def runs(self, vcpu: int) -> bool:
        """Whether a vcpu of it is at its start."""
        return any(v.guest == vcpu for v in self.machine.vcpus)

    def processor(self, vcpu: int) -> int:
        """On which of the machine's a vcpu of it is at its start."""
        return next(v.number for v in self.machine.vcpus if v.guest == vcpu)
