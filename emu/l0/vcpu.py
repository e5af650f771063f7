# SPDX-License-Identifier: GPL-2.0-or-later
"""Virtual processors of the domain (public vcpu.h)."""

from __future__ import annotations

from emu.l0.domain import EINVAL, ENOENT, Domain, Operation, Request
from emu.l0.shared import PAGE, VCPU_INFO_SIZE


def _asked(request: Request) -> int:
    return request.arguments[1] & 0xFFFFFFFF


def _up(l0: Domain, request: Request) -> int:
    """ "Fails if the VCPU has not been initialised": by a startup message, or as the first."""
    vcpu = _asked(request)
    if vcpu >= l0.setup.vcpus:
        return -ENOENT
    if vcpu and not _runs(l0, vcpu):
        return -EINVAL
    l0.up.add(vcpu)
    return 0


def _down(l0: Domain, request: Request) -> int:
    if _asked(request) >= l0.setup.vcpus:
        return -ENOENT
    l0.up.discard(_asked(request))
    return 0


def _is_up(l0: Domain, request: Request) -> int:
    """1 for one that is up and 0 for one that is not: a domain begins with its first alone."""
    vcpu = _asked(request)
    if vcpu >= l0.setup.vcpus:
        return -ENOENT
    return int(vcpu in l0.up or _runs(l0, vcpu))


def _runs(l0: Domain, vcpu: int) -> bool:
    return l0.hardware is not None and l0.hardware.runs(vcpu)


def _register_vcpu_info(l0: Domain, request: Request) -> int:
    """Once a vcpu; the structure must not cross its page.  Everything is pending in the new place."""
    vcpu = _asked(request)
    if vcpu >= l0.setup.vcpus:
        return -ENOENT
    if vcpu in l0.vcpu_infos or request.fields["offset"] > PAGE - VCPU_INFO_SIZE:
        return -EINVAL
    frame, offset = request.fields["mfn"], request.fields["offset"]
    if l0.hardware is not None:
        page = l0.hardware.frame(frame)
        if page is None:
            return -EINVAL
        if l0.shared is not None:
            l0.shared.move_vcpu_info(vcpu, page[offset : offset + VCPU_INFO_SIZE])
            l0.upcall(vcpu)
    l0.vcpu_infos[vcpu] = frame, offset
    return 0


OPERATIONS = {
    "VCPUOP_up": Operation(_up),
    "VCPUOP_down": Operation(_down),
    "VCPUOP_is_up": Operation(_is_up, fallible=False),
    "VCPUOP_register_vcpu_info": Operation(_register_vcpu_info),
}
