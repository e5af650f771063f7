# SPDX-License-Identifier: GPL-2.0-or-later
"""An image on its machine: loaded and started as a PVH loader does it, with the modelled L0 below.

The way out of the image into the model of L0 is what the image itself asked for: it writes the address
of its hypercall page to the MSR that CPUID names, and each entry of the page then holds an ``out`` to a
port of ours.  Or it does without a page, by ``vmcall`` or ``vmmcall`` where it calls: the library does not
know these and stops there.

Processors share the memory and have an engine each; all but the first are made when a startup message
comes for them, so that what nobody starts costs nothing.
"""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections.abc import Callable, Sequence

from emu import abi
from emu.booted.devices import Devices
from emu.booted.ending import Ended
from emu.booted.loader import load
from emu.booted.paging import Linear, NotMapped
from emu.booted.processor import Activity, Vcpu
from emu.booted.ram import MAX_FRAME, SPARE_PAGES, Ram
from emu.booted.settings import Settings, l0_setup
from emu.booted.strings import COPY, FILL, Strings, places
from emu.booted.traps import Traps
from emu.cpu import LONGEST, System, native_cpuid, unknown_instruction
from emu.elf import PAGE
from emu.elf.linked import LinkedImage
from emu.findings.invariant import Invariant
from emu.guest import GuestKernel
from emu.hardware.clock import LOOK
from emu.hardware.lapic import BASE, Delivery, Message
from emu.hardware.platform import (
    HYPERCALL_MSR,
    HYPERCALL_PORT,
    Cpuid,
    hypercall_page,
    resets,
)
from emu.interactions import Crash
from emu.l0 import L0, OPERATIONS, PortKind
from emu.spaces import NOWHERE, LinearAddr, PhysAddr

WRMSR, CPUID, PAUSE = b"\x0f\x30", b"\x0f\xa2", b"\xf3\x90"
RET = b"\xc3"
SOON = 256
"""Bytes between the cpuid that names the MSR of the hypercall page and the wrmsr to it, as a rule."""
MAX_PLACES = 2000
SPINS = 4
"""Pauses of a processor, with nothing else done, until the others have their turn.  It is stopped before
the last of them, which is the first of its next turn."""
LOOKS = 16
"""Looks at the time until the others have their turn: who waits by many short delays does not look from one
place."""
SPINS_ALONE = 200
"""Pauses of one that is alone until it is worth a closer look."""
EFLAGS_AC = 1 << 18
HYPERCALL_REGISTERS = (*abi.ARGUMENT_REGISTERS, "eflags", "cr3", "cr4")
"""What L0 looks at."""
MAX_EXCEPTIONS = 5_000
MAX_L0_CALLS = 100_000


class Calm:
    """Nothing fails (`emu.l0.Interactions`)."""

    def fails(self, kind: str, legal: bool = True) -> int:
        return 0


class Machine:
    """One image with one guest kernel, ready to be started."""

    def __init__(
        self,
        image: LinkedImage,
        kernel: GuestKernel,
        settings: Settings,
        *,
        everywhere: bool = False,
    ) -> None:
        """``everywhere``: look at each wrmsr of the image for the one that asks for the hypercall page, and
        not only at those that follow a cpuid; the boot takes half as long again."""
        self.image = image
        self.kernel = kernel
        self.settings = settings
        self.callers: list[LinearAddr] = []
        """Where each L0 call came from."""
        self.entered = False
        """The first instruction of the entry ran."""
        self.hypercalls_at = PhysAddr(0)
        """Physical address of the hypercall page; 0 before the image has asked for it."""
        self.in_place = NOWHERE
        """Where it called first without a page, which later trees never have."""
        self.limits: list[tuple[str, LinearAddr]] = []
        """What the image did that this machine does not know, and where: what comes of it says nothing of the
        image."""
        self.version: tuple[int, int] | None = None
        """What the image says of itself on its console, once it has come to its guest."""
        self.contacts = 0
        """How often the image did what memory and registers do not tell."""
        self.meanwhile: Callable[[], None] | None = None
        """What happens outside of the domain during its next call to L0."""
        self.patience = 0
        """The time of the clock at which a run has waited long enough."""
        self.vcpus: list[Vcpu] = []
        """Those that were ever started."""
        self.company = False
        """More than one is started."""
        self.turn_over = False
        """The turn that ends now does so by what the image did."""
        self._contacts_at_pause = 0
        self._again: tuple[int, int, int] | None = None
        """A write of a processor to its local APIC that the library makes once more: it was stopped there."""
        self.devices = Devices.new(settings.vcpus)
        self.ram = Ram(settings.memory, self._on_page)
        setup = l0_setup(settings)
        self._wrmsr_places = self._places(WRMSR)
        if not everywhere:
            cpuid = sorted(self._places(CPUID))
            self._wrmsr_places = [at for at in self._wrmsr_places if _follows(at, cpuid)]
        self._pause_places = self._places(PAUSE)
        self._fill_places = places(image, FILL)
        self._copy_places = places(image, COPY)
        first = self._add_vcpu()
        self.l0 = L0(OPERATIONS, first.view, Calm(), setup, self)
        self.cpuid = Cpuid(native_cpuid, setup.version, lambda: self.l0.domid, settings.vcpus)
        first.rip = load(image, kernel, settings, setup, self.ram, first.cpu)
        entry = LinearAddr(image.entry)  # paging is off there
        first.cpu.on_code(entry, entry + 1, self._on_entry)
        self.l0.open(settings.store_port, PortKind.INTERDOMAIN)
        self.l0.open(settings.console_port, PortKind.INTERDOMAIN)

    def close(self) -> None:
        """Give the memory back."""
        for vcpu in self.vcpus:
            vcpu.cpu.close()
        self.ram.close()

    # --- the processor that the guest's first vcpu runs on ---

    @property
    def here(self) -> Vcpu:
        return next((v for v in self.vcpus if v.guest == 0), self.vcpus[0])

    @property
    def cpu(self) -> System:
        return self.here.cpu

    @property
    def linear(self) -> Linear:
        return self.here.linear

    @property
    def traps(self) -> Traps:
        return self.here.traps

    # --- processors ---

    def _on_page(self, at: PhysAddr, host: int) -> None:
        for vcpu in self.vcpus:
            vcpu.cpu.map(at, PAGE, host)

    def _add_vcpu(self) -> Vcpu:
        vcpu = Vcpu(len(self.vcpus), self.ram)
        vcpu.cpu.map(PhysAddr(0), self.ram.size, self.ram.pointer)
        for at, host in self.ram.placed():
            vcpu.cpu.map(at, PAGE, host)
        self.vcpus.append(vcpu)
        self._attach(vcpu)
        return vcpu

    def _attach(self, vcpu: Vcpu) -> None:
        cpu, number = vcpu.cpu, vcpu.number
        registers = cpu.batch(*HYPERCALL_REGISTERS, "rsp")
        wrmsr = cpu.batch("rcx", "rax", "rdx")

        def on_out(port: int, size: int, value: int) -> None:
            self.contacts += 1
            if port == HYPERCALL_PORT and size == 4:
                *values, rsp = registers.read()
                self._hypercall(vcpu, value, values, self._caller(vcpu, LinearAddr(rsp)))
            elif resets(port, value):
                # How a hypervisor restarts that L0 does not know yet; nothing comes after it.
                raise Ended(Invariant.RESET, f"resets the machine by port {port:#x}", cpu.rip())
            else:
                self.devices.ports.write(port, size, value)

        def on_in(port: int, size: int) -> int:
            self.contacts += 1
            return self.devices.ports.read(port, size)

        def on_cpuid(leaf: int, subleaf: int) -> tuple[int, int, int, int]:
            self.contacts += 1
            return self.cpuid.answer(number, leaf, subleaf)

        def lapic_read(at: int, size: int) -> int:
            self.contacts += 1
            return self.devices.lapics[number].read(at, size)

        cpu.on_cpuid(on_cpuid)
        cpu.on_time(lambda: self._look(vcpu))
        cpu.on_port(on_in, on_out)
        cpu.on_syscall(vcpu.traps.system_call)
        cpu.on_exception(lambda vector: self.exception(vcpu, vector))
        cpu.map_device(BASE, PAGE, lapic_read, lambda at, _, value: self._on_lapic(vcpu, at, value))
        for place in self._wrmsr_places:
            cpu.on_code(place, place + 1, lambda at: self._on_wrmsr(at, wrmsr.read()))
        strings = Strings(cpu, vcpu.linear)
        for place in self._fill_places:
            cpu.on_code(place, place + 1, strings.fill)
        for place in self._copy_places:
            cpu.on_code(place, place + 1, strings.copy)
        for place in self._pause_places:
            cpu.on_code(place, place + 1, lambda _: self._on_pause(vcpu))

    def started(self, number: int) -> bool:
        return number < len(self.vcpus) and self.vcpus[number].activity is not Activity.WAITING

    # --- what the image does ---

    def _places(self, instruction: bytes) -> list[LinearAddr]:
        """Where an instruction may be; what only looks like it is never run, and costs nothing."""
        found: list[LinearAddr] = []
        for part in self.image.loads:
            content, at = bytes(part.content), -1
            while len(found) < MAX_PLACES and (at := content.find(instruction, at + 1)) >= 0:
                found.append(LinearAddr(part.virtual + at))  # it runs where it is linked
        return found

    def _on_entry(self, address: LinearAddr) -> None:
        self.entered = True

    def _on_wrmsr(self, address: LinearAddr, registers: tuple[int, ...]) -> None:
        number, low, high = registers
        if number & 0xFFFFFFFF != HYPERCALL_MSR:
            return
        at = PhysAddr((high << 32 | low & 0xFFFFFFFF) & -PAGE)
        if at + PAGE > self.ram.size:
            raise Ended(
                Invariant.CRASH, f"a hypercall page at {at:#x}, where there is no memory", address
            )
        self.hypercalls_at = at
        self.ram.write(at, hypercall_page())

    def _on_pause(self, vcpu: Vcpu) -> None:
        """Who spins waits for another processor, which is to have its turn."""
        vcpu.spins = vcpu.spins + 1 if self.contacts == self._contacts_at_pause else 1
        self._contacts_at_pause = self.contacts
        if vcpu.spins == (SPINS if self.company else SPINS_ALONE):
            self._end_turn(vcpu)

    def _end_turn(self, vcpu: Vcpu) -> None:
        """A moment of this machine, the same in every run: others may go on, or an interrupt come."""
        self.turn_over = True
        vcpu.cpu.stop()

    def _look(self, vcpu: Vcpu) -> int:
        """The time; the processor that only waits for it lets others have their turn."""
        self.contacts += 1
        clock = self.devices.clock
        ticks = clock.look(vcpu.where())
        if ticks >= self.devices.due:
            self.devices.tick()
            self._end_turn(vcpu)
        if ticks > self.patience:
            raise Ended(Invariant.LOOP, "waits forever", vcpu.cpu.rip())
        vcpu.looks += 1
        if self.company and (clock.waited or vcpu.looks >= LOOKS):
            self._end_turn(vcpu)
        return ticks

    def _on_lapic(self, vcpu: Vcpu, offset: int, value: int) -> None:
        """Whoever starts another processor ends its turn with that, and so does who sends itself an NMI,
        which nothing masks; what is stopped at such a write begins with it again."""
        this = vcpu.number, offset, value
        if self._again == this:
            self._again = None
            return
        self.contacts += 1
        devices = self.devices
        message = devices.lapics[vcpu.number].write(offset, 4, value)
        devices.look_ahead()
        if message is None:
            return
        alone = not self.company
        has_nmi = self._send(vcpu, message)
        if has_nmi or (alone and self.company):
            self._again = this
            self._end_turn(vcpu)

    def _send(self, sender: Vcpu, message: Message) -> bool:
        """A message from one local APIC to others, or to itself; whether that is an NMI to itself."""
        to_itself = False
        for lapic in self.devices.lapics:
            if not lapic.addressed(message, sender.number):
                continue
            match message.delivery:
                case Delivery.FIXED | Delivery.LOWEST:
                    lapic.request(message.vector)
                case Delivery.NMI if lapic.number < len(self.vcpus):
                    self.vcpus[lapic.number].nmi = True
                    to_itself = to_itself or lapic.number == sender.number
                case Delivery.INIT if message.asserted and lapic.number != sender.number:
                    lapic.reset()
                    if lapic.number < len(self.vcpus):
                        self.vcpus[lapic.number].activity = Activity.WAITING
                case Delivery.STARTUP:
                    self._startup(lapic.number, message.vector)
                case Delivery.SMI | Delivery.OTHER:
                    what = f"a message between processors ({message.delivery.value}) that is not delivered"
                    self.limits.append((what, sender.cpu.rip()))
        return to_itself

    def _startup(self, number: int, page: int) -> None:
        """Who runs already takes no notice: the second of the two messages that are usual."""
        while len(self.vcpus) <= number:
            self._add_vcpu().activity = Activity.WAITING
        if not self.started(number):
            self.vcpus[number].startup(page)
            self.company = True

    def hypercall_in_place(self, vcpu: Vcpu) -> bool:
        """A processor has come to what is no instruction to it: whether that calls L0, and was answered."""
        size = abi.HYPERCALL_INSTRUCTION_SIZE
        try:
            code = vcpu.linear.read(vcpu.rip, size)
            is_stub = vcpu.linear.read(vcpu.rip + size, 1) == RET
        except NotMapped:
            return False
        cpu = vcpu.cpu
        if code not in abi.HYPERCALL_INSTRUCTIONS or cpu.read("cs") & 3:
            return False
        self.contacts += 1
        self.in_place = self.in_place or vcpu.rip
        registers = [cpu.read(name) for name in HYPERCALL_REGISTERS]
        caller = self._caller(vcpu, LinearAddr(cpu.read("rsp"))) if is_stub else vcpu.rip
        self._hypercall(vcpu, cpu.read("rax") & 0xFFFFFFFF, registers, caller)
        vcpu.rip += len(code)
        return True

    def note_unknown(self, vcpu: Vcpu) -> None:
        """A processor has come to what is no instruction to it: remember it where it is one to another."""
        at = vcpu.rip
        if not self.image.holds(at):
            return
        for size in (LONGEST, PAGE - at % PAGE):  # the page behind it may not be there
            with contextlib.suppress(NotMapped):
                name = unknown_instruction(vcpu.linear.read(at, size)[:LONGEST])
                if name:
                    self.limits.append((f"{name}, which the emulator does not know", at))
                return

    def _caller(self, vcpu: Vcpu, rsp: LinearAddr) -> LinearAddr:
        """Of an entry of the hypercall page."""
        try:
            return LinearAddr.from_bytes(vcpu.linear.read(rsp, 8), "little") - 1
        except NotMapped:
            return vcpu.cpu.rip()

    def _hypercall(
        self, vcpu: Vcpu, number: int, registers: Sequence[int], caller: LinearAddr
    ) -> None:
        *arguments, eflags, cr3, cr4 = registers
        self.callers.append(caller)
        if len(self.callers) > MAX_L0_CALLS:
            raise Ended(Invariant.LOOP, f"more than {MAX_L0_CALLS} calls to L0", caller)
        self.devices.clock.pass_by(LOOK)
        access = bool(eflags & EFLAGS_AC)
        vcpu.view.enter(cr3, cr4)
        try:
            result = self.l0.call(number, arguments, access, vcpu.number, vcpu.view)
        except Crash as exc:
            raise Ended(Invariant.LOOP, exc.message, caller) from exc
        if self.l0.down:
            raise Ended(Invariant.SHUTDOWN, f"shuts down with reason {self.l0.reason}", caller)
        vcpu.cpu.write("rax", result)
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            happens()
        if self.waiting(vcpu) is not None:
            self._end_turn(vcpu)

    def exception(self, vcpu: Vcpu, vector: int) -> None:
        self.contacts += 1
        vcpu.traps.exception(vector)
        if len(vcpu.traps.taken) > MAX_EXCEPTIONS:
            vector, address = vcpu.traps.taken[-1]
            raise Ended(Invariant.LOOP, f"exception {vector} again and again", address)

    def waiting(self, vcpu: Vcpu) -> int | None:
        """The vector of the interrupt that a processor is to take when it takes any."""
        vector = self.devices.lapics[vcpu.number].waiting()
        return vector if vector is not None else self.l0.callback(vcpu.number)

    # --- Hardware of L0 ---

    def frame(self, number: int) -> memoryview | None:
        at = self.ram.page(number)
        if at >= 0:
            return self.ram.view[at : at + PAGE]
        if number * PAGE < MAX_FRAME:  # else it is no address of any machine
            what = f"no room for frame {number:#x}: this machine has {SPARE_PAGES} outside of its memory"
            self.limits.append((what, self.callers[-1]))
        return None

    def now(self) -> int:
        return self.devices.clock.ticks

    def interrupt(self, vcpu: int, vector: int) -> None:
        self.devices.lapics[vcpu].request(vector)

    def runs(self, vcpu: int) -> bool:
        started = (each for each in self.vcpus if each.activity is not Activity.WAITING)
        return any(each.number == vcpu for each in started)


def _follows(at: LinearAddr, before: list[LinearAddr]) -> bool:
    """Whether an address comes soon after one of these, which are in order."""
    nearest = bisect_right(before, at) - 1
    return nearest >= 0 and at - before[nearest] <= SOON
