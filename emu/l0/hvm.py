# SPDX-License-Identifier: GPL-2.0-or-later
"""What only a domain with hardware support has (public hvm/hvm_op.h, hvm/params.h)."""

from __future__ import annotations

from emu.l0.domain import EINVAL, ENOENT, ESRCH, Domain, Operation, Request

FIRST_VECTOR = 16
"""The vectors below are exceptions."""


def _get_param(l0: Domain, request: Request) -> int:
    if not l0.is_self(request.fields["domid"]):
        return -ESRCH
    value = l0.params.get(request.fields["index"])
    return -EINVAL if value is None else l0.reply(request, value=value)


def _set_param(l0: Domain, request: Request) -> int:
    if not l0.is_self(request.fields["domid"]):
        return -ESRCH
    l0.params[request.fields["index"]] = request.fields["value"]
    return 0


def _set_upcall_vector(l0: Domain, request: Request) -> int:
    """The vector is raised once at once, in case that something is pending."""
    vcpu, vector = request.fields["vcpu"], request.fields["vector"]
    if vector < FIRST_VECTOR:
        return -EINVAL
    if vcpu >= l0.setup.vcpus:
        return -ENOENT
    l0.upcall_vectors[vcpu] = vector
    l0.upcall(vcpu)
    return 0


def _flush_tlbs(l0: Domain, request: Request) -> int:
    """Of all its vcpus: there is no other way to ask for it."""
    return -EINVAL if request.pointer else 0


OPERATIONS = {
    "HVMOP_flush_tlbs": Operation(_flush_tlbs, fallible=False),
    "HVMOP_get_param": Operation(_get_param, fallible=False),
    "HVMOP_set_param": Operation(_set_param),
    "HVMOP_set_evtchn_upcall_vector": Operation(_set_upcall_vector),
}
