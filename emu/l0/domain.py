# SPDX-License-Identifier: GPL-2.0-or-later
"""What L0 keeps of the domain, how it stands, and what it needs of the machine below.

L0 reads its arguments with its caller's page tables and its caller's SMAP: a pointer into a page with
U=1 is -EFAULT unless the caller has set EFLAGS.AC.  That is why a shim cannot hand its guest's pointer
on, and why the model is told the state of AC at each call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from emu import abi
from emu.findings.verdict import L0Call
from emu.l0.shared import SharedInfo
from emu.spaces import LinearAddr

EFAULT, EINVAL, ENOENT, ENOSPC, ESRCH = (
    abi.ERRNO[name] for name in ("EFAULT", "EINVAL", "ENOENT", "ENOSPC", "ESRCH")
)
PORTS_PER_PAGE = 64
"""Of the 64 bytes that L0 keeps of one (EVTCHNS_PER_BUCKET); the first page is always there."""
CALLBACK_VECTOR = 2
"""Type of HVM_PARAM_CALLBACK_IRQ, in its highest byte: the lowest is a vector."""


class L0Memory(Protocol):
    """The caller's memory as L0 sees it."""

    def readable(self, address: LinearAddr, size: int, access: bool) -> bytes | None:
        """The bytes, or None where L0 would fault; ``access`` is EFLAGS.AC."""

    def writable(self, address: LinearAddr, content: bytes, access: bool) -> bool:
        """Write, or False where L0 would fault."""

    def is_guest(self, address: LinearAddr) -> bool:
        """Whether the page belongs to the shim's guest (U=1)."""


class Hardware(Protocol):
    """The domain's machine, where there is more to it than one call's arguments."""

    def frame(self, number: int) -> memoryview | None:
        """The page at this frame number, put there where none was; None where no room is left."""

    def now(self) -> int:
        """Ticks of the time stamp counter."""

    def interrupt(self, vcpu: int, vector: int) -> None:
        """Raise a vector in the local APIC of a vcpu."""

    def runs(self, vcpu: int) -> bool:
        """Whether a vcpu has been started."""


class Interactions(Protocol):
    """Everything that the core asks of the world passes here, so that each can be made to fail."""

    def fails(self, kind: str, legal: bool = True) -> int:
        """0, or the errno with which this one is to fail.  ``legal``: a real one might fail here."""


class PortKind(StrEnum):
    """What an event channel of L0 is bound to."""

    UNBOUND = "unbound"
    INTERDOMAIN = "interdomain"
    VIRQ = "virq"
    IPI = "ipi"


@dataclass(slots=True)
class Port:
    """One event channel of L0."""

    state: PortKind
    vcpu: int = 0
    remote_dom: int = 0
    remote_port: int = 0
    pending: bool = False
    """The other end, which is not this domain, has been told."""


@dataclass(frozen=True, slots=True)
class L0Setup:
    """How L0 stands and what odd but legal answers it gives."""

    domid: int = 1
    vcpus: int = 2
    first_port: int = 12
    """The number that the next allocation returns."""
    nr_grant_frames: int = 1
    max_grant_frames: int = 4
    params: tuple[tuple[int, int], ...] = ((1, 0xFEFE0), (2, 1), (17, 0xFEFE1), (18, 2))
    version: tuple[int, int] = (4, 10)
    memory_map: tuple[tuple[int, int, int], ...] = ((0, 64 << 20, 1),)
    """(start, size, type) as the BIOS would give it: type 1 is RAM, 2 reserved."""
    suspend: int = 0
    """What a suspend answers: 0 when the domain was resumed elsewhere, 1 when it was cancelled."""
    gives_back_half: bool = False
    """Of what the domain hands back, L0 takes the first half and answers with that (public memory.h,
    XENMEM_decrease_reservation)."""
    resumed: tuple[tuple[int, int], ...] = ()
    """Parameters that are others after a resume."""
    resumed_domid: int | None = None
    """The domain's number after it, if it is another."""


@dataclass(slots=True)
class Request:
    """One call on its way through the model."""

    hypercall: str
    op: str
    arguments: Sequence[int]
    access: bool
    pointer: LinearAddr
    struct: abi.Struct | None
    memory: L0Memory
    vcpu: int = 0
    """Which of the domain's vcpus asks."""
    raw: bytes = b""
    fields: dict[str, int] = field(default_factory=dict)


class Domain:
    """The state of the domain in L0, and the calls that reached it."""

    def __init__(
        self,
        memory: L0Memory,
        interactions: Interactions,
        setup: L0Setup,
        hardware: Hardware | None = None,
    ) -> None:
        self.memory = memory
        self.interactions = interactions
        self.setup = setup
        self.hardware = hardware
        self.domid = setup.domid
        self.calls: list[L0Call] = []
        self.raw: list[tuple[str, abi.Struct, bytes]] = []
        """(operation, structure, bytes) of each argument that L0 read."""
        self.guest_pointers: list[tuple[str, LinearAddr]] = []
        """(operation, address) of guest pages handed over without EFLAGS.AC."""
        self.unknown: list[str] = []
        """Operations that nobody modelled."""
        self.ports: dict[int, Port] = {}
        self.once: set[int] = set()
        """Ports that were ever open: L0 keeps room for them (`valid_ports`)."""
        self.next_port = setup.first_port
        self.allocated: list[int] = []
        """Ports opened since the model was made and not closed."""
        self.mapped: dict[int, tuple[int, int]] = {}
        """gpfn to (space, index), by add_to_physmap."""
        self.given_back: set[int] = set()
        """Frames of RAM that the domain has handed back."""
        self.params: dict[int, int] = dict(setup.params)
        self.console = bytearray()
        self.shared: SharedInfo | None = None
        """The page that the domain has mapped, where frames are modelled."""
        self.vcpu_infos: dict[int, tuple[int, int]] = {}
        """vcpu to (frame, offset), by register_vcpu_info."""
        self.upcall_vectors: dict[int, int] = {}
        """vcpu to the vector of its event upcalls, by set_evtchn_upcall_vector."""
        self.up: set[int] = {0}
        """vcpus that are up by VCPUOP_up; the others may be by their local APIC."""
        self.down = False
        """The domain has shut down: the call that did it does not return."""
        self.reason = 0
        """With what it has shut down."""
        self.suspended = False
        """The domain was suspended and has come back."""

    def open(self, number: int, state: PortKind, vcpu: int = 0) -> None:
        """Have a port open from the start."""
        self.once.add(number)
        self.ports[number] = Port(state, vcpu)

    def number_anew(self) -> None:
        """Hand out the first port again, if it is free: the lowest is what the next allocation gets."""
        if self.setup.first_port not in self.ports:
            self.next_port = self.setup.first_port

    @property
    def valid_ports(self) -> int:
        """Where the numbers end that are ports to L0: it makes room for a page of them at a time."""
        return (max(self.once, default=0) // PORTS_PER_PAGE + 1) * PORTS_PER_PAGE

    def is_self(self, domid: int) -> bool:
        return domid in (abi.CONSTANTS["DOMID_SELF"], self.domid)

    # --- events ---

    def raise_event(self, number: int) -> None:
        """Port ``number`` becomes pending, and its vcpu is told where it has to be."""
        port = self.ports.get(number)
        if self.shared is None or port is None:
            return
        if self.shared.set_pending(number, port.vcpu):
            self.upcall(port.vcpu)

    def upcall(self, vcpu: int) -> None:
        """Through the local APIC where the vcpu has named a vector; see `callback` for the other way."""
        vector = self.upcall_vectors.get(vcpu)
        if vector is not None and self.hardware is not None:
            self.hardware.interrupt(vcpu, vector)

    def callback(self, vcpu: int) -> int | None:
        """The vector of HVM_PARAM_CALLBACK_IRQ, for as long as the vcpu has an upcall to take."""
        via = self.params.get(abi.CONSTANTS["HVM_PARAM_CALLBACK_IRQ"], 0)
        if via >> 56 != CALLBACK_VECTOR or self.shared is None or vcpu in self.upcall_vectors:
            return None
        return via & 0xFF if self.shared.vcpu(vcpu)[0] else None

    # --- suspend ---

    def resume(self) -> None:
        """Be the L0 of another machine: nothing of the domain is known but what its tools have set up.

        Its memory and its registers are all that it takes along.
        """
        self.suspended = True
        if self.setup.resumed_domid is not None:
            self.domid = self.setup.resumed_domid
        self.ports.clear()
        self.once.clear()
        self.allocated.clear()
        self.mapped.clear()
        self.shared = None
        self.vcpu_infos.clear()
        self.upcall_vectors.clear()
        self.params.pop(abi.CONSTANTS["HVM_PARAM_CALLBACK_IRQ"], None)
        self.params |= dict(self.setup.resumed)
        for index in ("HVM_PARAM_STORE_EVTCHN", "HVM_PARAM_CONSOLE_EVTCHN"):
            self.open(self.params[abi.CONSTANTS[index]], PortKind.INTERDOMAIN)

    # --- the caller's memory ---

    def read(self, request: Request, address: LinearAddr, size: int) -> bytes | None:
        """As L0 reads its caller's memory; a guest page without AC is noted."""
        if not request.access and request.memory.is_guest(address):
            self.guest_pointers.append((request.op, address))
        return request.memory.readable(address, size, request.access)

    def reply(self, request: Request, **values: int) -> int:
        """Fill OUT fields of the caller's structure; 0 or -EFAULT."""
        assert request.struct is not None
        content = request.struct.encode({**request.fields, **values})
        for name in values:
            member = request.struct.member(name)
            assert member is not None
            part = content[member.offset : member.offset + member.size]
            address = request.pointer + member.offset
            if not request.memory.writable(address, part, request.access):
                return -EFAULT
        request.fields.update(values)
        return 0


@dataclass(frozen=True, slots=True)
class Operation:
    """How one operation is answered.  ``fallible``: L0 may legally refuse a request that is in order."""

    answer: Callable[[Domain, Request], int]
    fallible: bool = True
