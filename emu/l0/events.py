# SPDX-License-Identifier: GPL-2.0-or-later
"""Event channels of L0 (public event_channel.h).

Closing, unmasking, binding or asking about a port that is open cannot fail; that is what
``fallible=False`` says.
"""

from __future__ import annotations

from emu import abi
from emu.l0.console import serve_ring
from emu.l0.domain import EINVAL, ENOENT, ENOSPC, ESRCH, Domain, Operation, Port, PortKind, Request

NR_PORTS = 1 << 17
"""Of the FIFO ABI, the most that L0 may ever hand out."""
NR_VIRQS = 24


def _open(l0: Domain, port: Port) -> int:
    number = l0.next_port
    if number >= NR_PORTS:
        return -ENOSPC
    l0.ports[number] = port
    l0.once.add(number)
    l0.allocated.append(number)
    l0.next_port = number + 1
    return number


def _alloc_unbound(l0: Domain, request: Request) -> int:
    if not l0.is_self(request.fields["dom"]):
        return -ESRCH
    number = _open(l0, Port(PortKind.UNBOUND, remote_dom=request.fields["remote_dom"]))
    return number if number < 0 else l0.reply(request, port=number)


def _bind_interdomain(l0: Domain, request: Request) -> int:
    fields = request.fields
    number = _open(
        l0,
        Port(
            PortKind.INTERDOMAIN, remote_dom=fields["remote_dom"], remote_port=fields["remote_port"]
        ),
    )
    return number if number < 0 else l0.reply(request, local_port=number)


def _bind_virq(l0: Domain, request: Request) -> int:
    if request.fields["virq"] >= NR_VIRQS:
        return -EINVAL
    if request.fields["vcpu"] >= l0.setup.vcpus:
        return -ENOENT
    number = _open(l0, Port(PortKind.VIRQ, vcpu=request.fields["vcpu"]))
    return number if number < 0 else l0.reply(request, port=number)


def _bind_ipi(l0: Domain, request: Request) -> int:
    if request.fields["vcpu"] >= l0.setup.vcpus:
        return -ENOENT
    number = _open(l0, Port(PortKind.IPI, vcpu=request.fields["vcpu"]))
    return number if number < 0 else l0.reply(request, port=number)


def _close(l0: Domain, request: Request) -> int:
    number = request.fields["port"]
    if l0.ports.pop(number, None) is None:
        return -EINVAL
    if number in l0.allocated:
        l0.allocated.remove(number)
    return 0


def _send(l0: Domain, request: Request) -> int:
    """To the other end, which may be in this domain; an IPI has but one end."""
    number = request.fields["port"]
    port = l0.ports.get(number)
    if port is None or port.state == "virq":
        return -EINVAL
    if port.state == "ipi":
        l0.raise_event(number)
    elif port.state == "interdomain" and l0.is_self(port.remote_dom):
        l0.raise_event(port.remote_port)
    else:
        port.pending = True
        serve_ring(l0, number)
    return 0


def _status(l0: Domain, request: Request) -> int:
    if not l0.is_self(request.fields["dom"]):
        return -ESRCH
    number = request.fields["port"]
    if number >= NR_PORTS:
        return -EINVAL
    port = l0.ports.get(number)
    if port is None:
        return l0.reply(request, status=abi.CONSTANTS["EVTCHNSTAT_closed"])
    detail = {
        "unbound": port.remote_dom,
        "interdomain": port.remote_dom | port.remote_port << 32,
    }.get(port.state, 0)
    status = abi.CONSTANTS[f"EVTCHNSTAT_{port.state}"]
    return l0.reply(request, status=status, vcpu=port.vcpu, u=detail)


def _bind_vcpu(l0: Domain, request: Request) -> int:
    port = l0.ports.get(request.fields["port"])
    if request.fields["vcpu"] >= l0.setup.vcpus:
        return -ENOENT
    if port is None or port.state == "ipi":
        return -EINVAL
    port.vcpu = request.fields["vcpu"]
    return 0


def _unmask(l0: Domain, request: Request) -> int:
    """Fails for a number that is none; that nobody has the port open does not matter to L0."""
    number = request.fields["port"]
    if number >= l0.valid_ports:
        return -EINVAL
    port = l0.ports.get(number)
    vcpu = port.vcpu if port is not None else 0
    if l0.shared is not None and l0.shared.unmask(number, vcpu):
        l0.upcall(vcpu)
    return 0


def _reset(l0: Domain, request: Request) -> int:
    if not l0.is_self(request.fields["dom"]):
        return -ESRCH
    l0.ports.clear()
    l0.allocated.clear()
    return 0


OPERATIONS = {
    "EVTCHNOP_alloc_unbound": Operation(_alloc_unbound),
    "EVTCHNOP_bind_interdomain": Operation(_bind_interdomain),
    "EVTCHNOP_bind_virq": Operation(_bind_virq),
    "EVTCHNOP_bind_ipi": Operation(_bind_ipi),
    "EVTCHNOP_close": Operation(_close, fallible=False),
    "EVTCHNOP_send": Operation(_send),
    "EVTCHNOP_status": Operation(_status),
    "EVTCHNOP_bind_vcpu": Operation(_bind_vcpu),
    "EVTCHNOP_unmask": Operation(_unmask, fallible=False),
    "EVTCHNOP_reset": Operation(_reset),
}
