# SPDX-License-Identifier: GPL-2.0-or-later
"""Dispatch of hypercalls into L0: read the argument as L0 would, answer, record.

L0 reads its arguments with its caller's page tables and its caller's SMAP: a pointer into a page with
U=1 is -EFAULT unless the caller has set EFLAGS.AC.  That is why a shim cannot hand its guest's pointer
on, and why the model is told the state of AC at each call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from emu import abi
from emu.l0.shared import SharedInfo
from emu.verdict import L0Call

EFAULT, EINVAL, ENOSYS = (abi.ERRNO[name] for name in ("EFAULT", "EINVAL", "ENOSYS"))

PORTS_PER_PAGE = 64
"""Of the 64 bytes that L0 keeps of one (EVTCHNS_PER_BUCKET); the first page is always there."""


class L0Memory(Protocol):
    """The caller's memory as L0 sees it."""

    def readable(self, address: int, size: int, access: bool) -> bytes | None:
        """The bytes, or None where L0 would fault; ``access`` is EFLAGS.AC."""

    def writable(self, address: int, content: bytes, access: bool) -> bool:
        """Write, or False where L0 would fault."""

    def is_guest(self, address: int) -> bool:
        """Whether the page belongs to the shim's guest (U=1)."""


class Frames(Protocol):
    """Frames of the domain's memory, where there is more to it than one call's arguments."""

    def frame(self, number: int) -> memoryview | None:
        """The page at this frame number, put there where none was; None where no room is left."""

    def now(self) -> int:
        """Ticks of the time stamp counter."""


class Interactions(Protocol):
    """Everything that the core asks of the world passes here, so that each can be made to fail."""

    def fails(self, kind: str, legal: bool = True) -> int:
        """0, or the errno with which this one is to fail.  ``legal``: a real one might fail here."""


@dataclass(slots=True)
class Port:
    """One event channel of L0."""

    state: str
    """``unbound``, ``interdomain``, ``virq`` or ``ipi``."""
    vcpu: int = 0
    remote_dom: int = 0
    remote_port: int = 0
    pending: bool = False


@dataclass(frozen=True, slots=True)
class L0Setup:
    """How L0 stands and what odd but legal answers it gives."""

    domid: int = 1
    vcpus: int = 2
    first_port: int = 12
    """The number that the next allocation returns."""
    nr_grant_frames: int = 1
    max_grant_frames: int = 4
    suspend: int = 0
    """What a suspend answers: 0 when the domain was resumed elsewhere, 1 when it was cancelled."""
    resumed: tuple[tuple[int, int], ...] = ()
    """Parameters that are others after a resume."""
    params: tuple[tuple[int, int], ...] = ((1, 0xFEFE0), (2, 1), (17, 0xFEFE1), (18, 2))
    version: tuple[int, int] = (4, 10)
    memory_map: tuple[tuple[int, int, int], ...] = ((0, 64 << 20, 1),)
    """(start, size, type) as the BIOS would give it: type 1 is RAM, 2 reserved."""


@dataclass(slots=True)
class Request:
    """One call on its way through the model."""

    hypercall: str
    op: str
    arguments: Sequence[int]
    access: bool
    pointer: int
    struct: abi.Struct | None
    raw: bytes = b""
    fields: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """How one operation is answered.  ``fallible``: L0 may legally refuse a request that is in order."""

    answer: Callable[[L0, Request], int]
    fallible: bool = True


class L0:
    """The state of the domain in L0, and the calls that reached it."""

    def __init__(
        self,
        operations: Mapping[str, Operation],
        memory: L0Memory,
        interactions: Interactions,
        setup: L0Setup,
        frames: Frames | None = None,
    ) -> None:
        self.operations = operations
        """How each operation is answered; the others are noted as unknown."""
        self.memory = memory
        self.interactions = interactions
        self.setup = setup
        self.frames = frames
        self.calls: list[L0Call] = []
        self.raw: list[tuple[str, abi.Struct, bytes]] = []
        """(operation, structure, bytes) of each argument that L0 read."""
        self.guest_pointers: list[tuple[str, int]] = []
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
        self.params: dict[int, int] = dict(setup.params)
        self.console = bytearray()
        self.shared: SharedInfo | None = None
        """The page that the domain has mapped, where frames are modelled."""
        self.vcpu_infos: dict[int, tuple[int, int]] = {}
        """vcpu to (frame, offset), by register_vcpu_info."""
        self.upcall_vectors: dict[int, int] = {}
        """vcpu to the vector of its event upcalls, by set_evtchn_upcall_vector."""
        self.down = False
        """The domain has shut down: the call that did it does not return."""
        self.suspended = False
        """The domain was suspended and has come back."""
        self.reason = 0
        """With what it has shut down."""

    def fork(self, interactions: Interactions, setup: L0Setup) -> L0:
        """As it stands now, with no calls recorded, the next port as in ``setup``: for a snapshot."""
        new = L0(self.operations, self.memory, interactions, setup, self.frames)
        new.ports = {number: replace(port) for number, port in self.ports.items()}
        new.once = set(self.once)
        new.mapped = dict(self.mapped)
        new.params = dict(self.params)
        new.vcpu_infos = dict(self.vcpu_infos)
        new.upcall_vectors = dict(self.upcall_vectors)
        new.shared = self.shared
        return new

    @property
    def valid_ports(self) -> int:
        """Where the numbers end that are ports to L0: it makes room for a page of them at a time."""
        return (max(self.once, default=0) // PORTS_PER_PAGE + 1) * PORTS_PER_PAGE

    def open(self, number: int, state: str, vcpu: int = 0) -> None:
        """Have a port open from the start."""
        self.once.add(number)
        self.ports[number] = Port(state, vcpu)

    def resume(self) -> None:
        """Be the L0 of another machine: nothing of the domain is known but what its tools have set up."""
        self.suspended = True
        self.ports.clear()
        self.once.clear()
        self.allocated.clear()
        self.mapped.clear()
        self.params |= dict(self.setup.resumed)
        for index in ("HVM_PARAM_STORE_EVTCHN", "HVM_PARAM_CONSOLE_EVTCHN"):
            self.open(self.params[abi.CONSTANTS[index]], "interdomain")

    def call(self, number: int, arguments: Sequence[int], access: bool) -> int:
        """One hypercall; the result is what rax is to hold, as a signed number."""
        hypercall = abi.HYPERCALL_NAMES.get(number, f"hypercall_{number}")
        op = abi.operation_name(hypercall, arguments[0] & 0xFFFFFFFF)
        pointer = arguments[2] if hypercall in ("vcpu_op", "console_io") else arguments[1]
        request = Request(hypercall, op, arguments, access, pointer, abi.structure(op))
        result = self._answer(request, self.operations.get(op))
        self.calls.append(L0Call(hypercall, op, _shown(request, result), result))
        return result

    def _answer(self, request: Request, operation: Operation | None) -> int:
        struct = request.struct
        if operation is None:
            self.unknown.append(request.op)
        if struct is not None:
            raw = self.read(request.op, request.pointer, struct.size, request.access)
            if raw is None:
                return -EFAULT
            request.raw = raw
            request.fields = struct.decode(raw)
            self.raw.append((request.op, struct, raw))
        if operation is None:
            return -ENOSYS
        errno = self.interactions.fails(f"L0 {request.op}", self._legal(request, operation))
        return -errno if errno else operation.answer(self, request)

    def _legal(self, request: Request, operation: Operation) -> bool:
        if operation.fallible:
            return True
        port = request.fields.get("port")
        if request.op == "EVTCHNOP_unmask":
            return port is not None and port >= self.valid_ports
        return port is not None and port not in self.ports

    def read(self, op: str, address: int, size: int, access: bool) -> bytes | None:
        """As L0 reads its caller's memory; a guest page without AC is noted."""
        if not access and self.memory.is_guest(address):
            self.guest_pointers.append((op, address))
        return self.memory.readable(address, size, access)

    def reply(self, request: Request, **values: int) -> int:
        """Fill OUT fields of the caller's structure; 0 or -EFAULT."""
        assert request.struct is not None
        content = request.struct.encode({**request.fields, **values})
        for name in values:
            member = request.struct.member(name)
            assert member is not None
            part = content[member.offset : member.offset + member.size]
            if not self.memory.writable(request.pointer + member.offset, part, request.access):
                return -EFAULT
        request.fields.update(values)
        return 0


def _shown(request: Request, result: int) -> tuple[tuple[str, int], ...]:
    """What to record: OUT fields only where L0 filled them, else they are the caller's leftovers."""
    struct = request.struct
    if struct is None:
        return (("arg", request.arguments[1]),) if request.hypercall == "vcpu_op" else ()
    if not request.raw:
        return (("pointer", request.pointer),)
    return tuple(
        (m.name, request.fields[m.name]) for m in struct.members if result >= 0 or not m.out
    )
