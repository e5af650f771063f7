# SPDX-License-Identifier: GPL-2.0-or-later
"""Dispatch of hypercalls into L0: read the argument as L0 would, answer, record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from emu import abi
from emu.findings.verdict import L0Call
from emu.l0.domain import (
    EFAULT,
    Domain,
    Hardware,
    Interactions,
    L0Memory,
    L0Setup,
    Operation,
    Request,
)
from emu.spaces import LinearAddr

ENOSYS = abi.ERRNO["ENOSYS"]


class L0(Domain):
    """The hypervisor below, with the one domain that is looked at."""

    def __init__(
        self,
        operations: Mapping[str, Operation],
        memory: L0Memory,
        interactions: Interactions,
        setup: L0Setup,
        hardware: Hardware | None = None,
    ) -> None:
        super().__init__(memory, interactions, setup, hardware)
        self.operations = operations
        """How each operation is answered; the others are noted as unknown."""

    def fork(self, interactions: Interactions, setup: L0Setup) -> L0:
        """As it stands now, with no calls recorded, the next port as in ``setup``: for a snapshot."""
        new = L0(self.operations, self.memory, interactions, setup, self.hardware)
        new.domid = self.domid
        new.ports = {number: replace(port) for number, port in self.ports.items()}
        new.once = set(self.once)
        new.mapped = dict(self.mapped)
        new.given_back = set(self.given_back)
        new.params = dict(self.params)
        new.vcpu_infos = dict(self.vcpu_infos)
        new.upcall_vectors = dict(self.upcall_vectors)
        new.up = set(self.up)
        new.shared = self.shared.fork() if self.shared is not None else None
        return new

    def call(
        self,
        number: int,
        arguments: Sequence[int],
        access: bool,
        vcpu: int = 0,
        memory: L0Memory | None = None,
    ) -> int:
        """One hypercall of a vcpu; the result is what rax is to hold, as a signed number.

        ``memory``: as that vcpu sees it, where each sees it in its own way.
        """
        hypercall = abi.HYPERCALL_NAMES.get(number, f"hypercall_{number}")
        op = abi.operation_name(hypercall, arguments[0] & 0xFFFFFFFF)
        pointer = arguments[2] if hypercall in ("vcpu_op", "console_io") else arguments[1]
        request = Request(
            hypercall,
            op,
            arguments,
            access,
            LinearAddr(pointer),
            abi.structure(op),
            memory or self.memory,
            vcpu,
        )
        result = self._answer(request, self.operations.get(op))
        self.calls.append(L0Call(hypercall, op, _shown(request, result), result))
        return result

    def _answer(self, request: Request, operation: Operation | None) -> int:
        struct = request.struct
        if operation is None:
            self.unknown.append(request.op)
        if struct is not None:
            raw = self.read(request, request.pointer, struct.size)
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
