# SPDX-License-Identifier: GPL-2.0-or-later
"""An image on its machine: loaded and started as a PVH loader does it, with the modelled L0 below.

The way out of the image into the model of L0 is what the image itself asked for: it writes the address
of its hypercall page to the MSR that CPUID names, and each entry of the page then holds an ``out`` to a
port of ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from emu import abi
from emu.booted.image import LinkedImage
from emu.booted.paging import CR4_SMAP, L0View, Linear, NotMapped
from emu.booted.ram import Ram
from emu.booted.traps import VECTOR_UD, Traps, TripleFault
from emu.cpu import Stop, System, native_cpuid
from emu.cpu.watchdog import Watchdog
from emu.elf import PAGE
from emu.errors import TruncatedElf
from emu.guest import GuestKernel
from emu.interactions import Crash
from emu.l0 import L0, OPERATIONS, L0Setup
from emu.platform import (
    HYPERCALL_MSR,
    HYPERCALL_PORT,
    LAPIC_BASE,
    LOOK,
    RSDP,
    Clock,
    Cpuid,
    Lapic,
    Ports,
    acpi_tables,
    hypercall_page,
    start_info,
)

MIB = 1 << 20
FIRST_FREE = 8 * MIB
"""Below it lies nothing but the image, unless it is larger."""
WRMSR = b"\x0f\x30"
MAX_WRMSR = 2000
EFLAGS_AC = 1 << 18
MAX_EXCEPTIONS = 5_000
MAX_LOOKS = 2_000_000
MAX_L0_CALLS = 100_000
BOOT_SECONDS = 30.0
BOOT_INSTRUCTIONS = 400_000_000
"""A real boot takes about 60 million; only counted when the time above was not enough."""
CALL_SECONDS = 2.0
CALL_INSTRUCTIONS = 3_000_000
"""Of one hypercall; a panic that waits five seconds before it restarts takes half a million."""


class Ended(Exception):
    """The image cannot go on: ``kind`` of end, what happened, at which address."""

    def __init__(self, kind: str, message: str, address: int) -> None:
        super().__init__(kind, message, address)
        self.kind = kind
        self.message = message
        self.address = address


@dataclass(frozen=True, slots=True)
class Settings:
    """What the machine is to be like."""

    memory: int = 64 * MIB
    command_line: bytes = b"pv-shim console=xen loglvl=all"
    vcpus: int = 1
    domid: int = 7
    store_port: int = 1
    console_port: int = 2


class Calm:
    """Nothing fails (`emu.l0.Interactions`)."""

    def fails(self, kind: str, legal: bool = True) -> int:
        return 0


@dataclass(slots=True)
class Devices:
    """What changes besides memory and registers."""

    clock: Clock
    ports: Ports
    lapic: Lapic

    @classmethod
    def new(cls) -> Devices:
        clock = Clock()
        return cls(clock, Ports(clock), Lapic(clock))

    def copy(self) -> Devices:
        clock = self.clock.copy()
        return Devices(clock, self.ports.copy(clock), self.lapic.copy(clock))


def l0_setup(settings: Settings) -> L0Setup:
    """L0 as it stands for a freshly built PVH domain with store and console.

    The special pages lie a little above RAM and not below 4 GiB: a real image keeps a table of all
    frames up to the last, and to clear a gigabyte's worth of it takes longer than all the rest.
    """
    special = (settings.memory + MIB) // PAGE
    return L0Setup(
        domid=settings.domid,
        vcpus=settings.vcpus,
        first_port=settings.console_port + 1,
        params=(
            (abi.CONSTANTS["HVM_PARAM_STORE_PFN"], special),
            (abi.CONSTANTS["HVM_PARAM_STORE_EVTCHN"], settings.store_port),
            (abi.CONSTANTS["HVM_PARAM_CONSOLE_PFN"], special + 1),
            (abi.CONSTANTS["HVM_PARAM_CONSOLE_EVTCHN"], settings.console_port),
        ),
        memory_map=(
            (0, 0x9F000, 1),
            (RSDP, MIB - RSDP, 2),
            (MIB, settings.memory - MIB, 1),
        ),
    )


class Machine:
    """One image with one guest kernel, ready to be started."""

    def __init__(self, image: LinkedImage, kernel: GuestKernel, settings: Settings) -> None:
        self.image = image
        self.kernel = kernel
        self.settings = settings
        self.callers: list[int] = []
        """Where each L0 call came from."""
        self.entered = False
        """The first instruction of the entry ran."""
        self.hypercalls_at = 0
        """Physical address of the hypercall page; 0 before the image has asked for it."""
        self.cpu = System()
        self._watchdog = Watchdog(self.cpu.stop)
        self.ram = Ram(settings.memory, lambda at, host: self.cpu.map(at, PAGE, host))
        self.cpu.map(0, self.ram.size, self.ram.pointer)
        cr3, cr4 = self.cpu.batch("cr3"), self.cpu.batch("cr4")
        self.linear = Linear(self.ram, lambda: cr3.read()[0])
        self.traps = Traps(self.cpu, self.linear)
        self.devices = Devices.new()
        setup = l0_setup(settings)
        view = L0View(self.linear, lambda: bool(cr4.read()[0] & CR4_SMAP))
        self.l0 = L0(OPERATIONS, view, Calm(), setup, self)
        self.cpuid = Cpuid(native_cpuid, setup.version, setup.domid)
        self._start = self._load(setup)
        self._attach()

    def close(self) -> None:
        """Give the memory back."""
        self._watchdog.close()
        self.cpu.close()
        self.ram.close()

    # --- what the loader does ---

    def _load(self, setup: L0Setup) -> int:
        """Put everything in its place; the address to start at."""
        end = max(load.end for load in self.image.loads)
        at = max(FIRST_FREE, end + MIB - 1 & -MIB)
        module = at + 4 * PAGE
        if module + len(self.kernel.content) + MIB > self.ram.size:
            raise TruncatedElf(
                f"the image ends at {end:#x}, the machine has {self.ram.size // MIB} MiB",
                "program headers",
            )
        for load in self.image.loads:
            self.ram.write(load.physical, bytes(load.content))
        pieces = acpi_tables(self.settings.vcpus)
        pieces += start_info(at, self.settings.command_line, (module, len(self.kernel.content)))
        pieces.append((module, self.kernel.content))
        for address, content in pieces:
            self.ram.write(address, content)
        for frame in dict(setup.params).values():
            if frame * PAGE >= self.ram.size:
                self.ram.page(frame)
        self.l0.open(self.settings.store_port, "interdomain")
        self.l0.open(self.settings.console_port, "interdomain")
        self.cpu.write("rbx", at)
        return self._entry_stub(at + 3 * PAGE)

    def _entry_stub(self, at: int) -> int:
        """A PVH entry is 32-bit and the processor starts in 64-bit mode: a far return leads over."""
        descriptors = 0, 0x00CF9A000000FFFF, 0x00CF92000000FFFF
        table = b"".join(word.to_bytes(8, "little") for word in descriptors)
        pointer = (len(table) - 1).to_bytes(2, "little") + at.to_bytes(8, "little")
        code = b"\xb8" + (at + 0x80).to_bytes(4, "little") + b"\x0f\x01\x10"  # lgdt (%rax)
        code += b"\xb8\x10\0\0\0\x8e\xd8\x8e\xc0\x8e\xd0"  # ds, es, ss
        code += b"\x6a\x08\x68" + self.image.entry.to_bytes(4, "little") + b"\x48\xcb"  # lretq
        self.ram.write(at, table)
        self.ram.write(at + 0x80, pointer)
        self.ram.write(at + 0x100, code)
        self.cpu.write("rsp", at + 0x800)
        return at + 0x100

    # --- hooks ---

    def _attach(self) -> None:
        cpu = self.cpu
        self._hypercall = cpu.batch(*abi.ARGUMENT_REGISTERS, "rsp", "eflags", "rax")
        self._wrmsr = cpu.batch("rcx", "rax", "rdx")
        place = cpu.batch("rip", "rsp")
        cpu.on_cpuid(self.cpuid)
        cpu.on_time(lambda: self._look(*place.read()))
        cpu.on_port(lambda port, size: self.devices.ports.read(port, size), self._out)
        cpu.on_syscall(self.traps.system_call)
        cpu.on_exception(self._exception)
        cpu.map_device(
            LAPIC_BASE,
            PAGE,
            lambda at, size: self.devices.lapic.read(at, size),
            lambda at, size, value: self.devices.lapic.write(at, size, value),
        )
        cpu.on_code(self.image.entry, self.image.entry + 1, self._on_entry)
        self._watch_wrmsr()

    def _watch_wrmsr(self) -> None:
        left = MAX_WRMSR
        for load in self.image.loads:
            content, at = bytes(load.content), -1
            while left and (at := content.find(WRMSR, at + 1)) >= 0:
                left -= 1
                self.cpu.on_code(load.virtual + at, load.virtual + at + 1, self._on_wrmsr)

    def _on_entry(self, address: int) -> None:
        self.entered = True

    def _on_wrmsr(self, address: int) -> None:
        number, low, high = self._wrmsr.read()
        if number & 0xFFFFFFFF != HYPERCALL_MSR:
            return
        at = (high << 32 | low & 0xFFFFFFFF) & -PAGE
        if at + PAGE > self.ram.size:
            raise Ended("crash", f"a hypercall page at {at:#x}, where no memory is", address)
        self.hypercalls_at = at
        self.ram.write(at, hypercall_page())

    def _look(self, rip: int, rsp: int) -> int:
        clock = self.devices.clock
        if clock.looks > MAX_LOOKS:
            raise Ended("loop", "waits for ever", rip)
        return clock.look(rip ^ rsp)

    def _out(self, port: int, size: int, value: int) -> None:
        if port == HYPERCALL_PORT and size == 4:
            self._on_hypercall(value)
        else:
            self.devices.ports.write(port, size, value)

    def _on_hypercall(self, number: int) -> None:
        *arguments, rsp, eflags, _ = self._hypercall.read()
        try:
            caller = int.from_bytes(self.linear.read(rsp, 8), "little") - 1
        except NotMapped:
            caller = self.cpu.read("rip")
        self.callers.append(caller)
        if len(self.callers) > MAX_L0_CALLS:
            raise Ended("loop", f"more than {MAX_L0_CALLS} calls to L0", caller)
        self.devices.clock.pass_by(LOOK)
        try:
            result = self.l0.call(number, arguments, bool(eflags & EFLAGS_AC))
        except Crash as exc:
            raise Ended("loop", exc.message, caller) from exc
        if self.l0.down:
            raise Ended("shutdown", f"shuts down with reason {self.l0.reason}", caller)
        self.cpu.write("rax", result)

    def _exception(self, vector: int) -> None:
        self.traps.exception(vector)
        if len(self.traps.taken) > MAX_EXCEPTIONS:
            vector, address = self.traps.taken[-1]
            raise Ended("loop", f"exception {vector} again and again", address)

    # --- Frames of L0 ---

    def frame(self, number: int) -> memoryview | None:
        at = self.ram.page(number)
        return None if at < 0 else self.ram.view[at : at + PAGE]

    def now(self) -> int:
        return self.devices.clock.ticks

    # --- running ---

    def boot(self, *, counted: bool = False) -> None:
        """Up to the guest's first instruction; raises Ended.

        Bounded by time first; with ``counted`` by instructions, which takes twice as long.
        """
        self.run_from(self._start, BOOT_SECONDS, BOOT_INSTRUCTIONS if counted else 0)
        ring = self.cpu.read("cs") & 3
        if not ring:
            raise Ended(
                "crash", "jumps to the guest's code without leaving ring 0", self.kernel.start
            )

    def run_from(self, start: int, seconds: float, count: int) -> None:
        """Run until the guest is at its first instruction (again); raises Ended, or TooSlow where not
        even instructions are counted."""
        if not count:
            self._watchdog.arm(seconds)
        try:
            self._run(start, count)
        finally:
            self._watchdog.disarm()

    def _run(self, start: int, count: int) -> None:
        rip = start
        while True:
            try:
                stopped = self.cpu.run(rip, self.kernel.start, count)
            except TripleFault as exc:
                raise Ended("crash", str(exc), exc.address) from exc
            rip = stopped.rip
            if stopped.reason is Stop.RETURNED:
                return
            if stopped.reason is Stop.INVALID:
                rip = self._invalid(rip)
                continue
            self._end(stopped.reason, rip, stopped.address, count)

    def _invalid(self, rip: int) -> int:
        """The one exception for which the library stops instead of calling back."""
        try:
            self._exception(VECTOR_UD)
        except TripleFault as exc:
            raise Ended("crash", str(exc), exc.address) from exc
        return self.cpu.read("rip")

    def _end(self, reason: Stop, rip: int, address: int, count: int) -> None:
        if reason is Stop.ASKED and self._watchdog.fired:
            raise TooSlow
        if reason is Stop.BUDGET:
            raise Ended("loop", f"is not done after {count} instructions", rip)
        if reason is Stop.HALTED:
            raise Ended("halt", "halts, and nothing is there to wake it", rip - 1)
        raise Ended("crash", f"{reason.value} ({address:#x})", rip)


class TooSlow(Exception):
    """The time was up: run it again, counted, for a verdict that is the same on every machine."""
