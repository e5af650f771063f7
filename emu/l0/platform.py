# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory, virtual processors, scheduling, HVM parameters, version and console of L0.

(public memory.h, vcpu.h, sched.h, hvm/hvm_op.h, version.h, xen.h)
"""

from __future__ import annotations

import struct

from emu import abi
from emu.l0.model import EFAULT, EINVAL, L0, Operation, Request
from emu.l0.shared import PAGE, VCPU_INFO_SIZE, SharedInfo

ENOENT, ESRCH = abi.ERRNO["ENOENT"], abi.ERRNO["ESRCH"]
MAX_CONSOLE = 1 << 16
FIRST_VECTOR = 16
"""The vectors below are exceptions."""


def _add_to_physmap(l0: L0, request: Request) -> int:
    fields = request.fields
    limits = {
        abi.CONSTANTS["XENMAPSPACE_shared_info"]: 1,
        abi.CONSTANTS["XENMAPSPACE_grant_table"]: l0.setup.max_grant_frames,
    }
    if fields["domid"] not in (abi.CONSTANTS["DOMID_SELF"], l0.setup.domid):
        return -ESRCH
    if fields["idx"] >= limits.get(fields["space"], 0):
        return -EINVAL
    if l0.frames is not None:
        page = l0.frames.frame(fields["gpfn"])
        if page is None:
            return -EINVAL
        if fields["space"] == abi.CONSTANTS["XENMAPSPACE_shared_info"]:
            shared = SharedInfo(page)
            shared.begin(l0.frames.now(), l0.setup.vcpus, l0.shared)
            l0.shared = shared
    l0.mapped[fields["gpfn"]] = fields["space"], fields["idx"]
    return 0


def _remove_from_physmap(l0: L0, request: Request) -> int:
    return 0 if l0.mapped.pop(request.fields["gpfn"], None) is not None else -ENOENT


def _memory_map(l0: L0, request: Request) -> int:
    """The caller's buffer holds as many entries as it says; it is told how many were filled."""
    entries = l0.setup.memory_map[: request.fields["nr_entries"]]
    content = b"".join(struct.pack("<QQI", *entry) for entry in entries)
    if not l0.memory.writable(request.fields["buffer"], content, request.access):
        return -EFAULT
    return l0.reply(request, nr_entries=len(entries))


def _reservation(l0: L0, request: Request) -> int:
    """Answers with the number of extents done; the list itself must be readable."""
    fields = request.fields
    count = fields["nr_extents"]
    if count > 1 << 20:
        return -EINVAL
    extents = (
        l0.read(request.op, fields["extent_start"], 8 * count, request.access) if count else b""
    )
    return count if extents is not None else 0


def _vcpu_known(l0: L0, request: Request) -> int:
    return 0 if request.arguments[1] & 0xFFFFFFFF < l0.setup.vcpus else -ENOENT


def _register_vcpu_info(l0: L0, request: Request) -> int:
    """Once a vcpu; the structure must not cross its page (public vcpu.h)."""
    vcpu = request.arguments[1] & 0xFFFFFFFF
    if vcpu >= l0.setup.vcpus:
        return -ENOENT
    if vcpu in l0.vcpu_infos or request.fields["offset"] > PAGE - VCPU_INFO_SIZE:
        return -EINVAL
    frame, offset = request.fields["mfn"], request.fields["offset"]
    if l0.frames is not None:
        page = l0.frames.frame(frame)
        if page is None:
            return -EINVAL
        if l0.shared is not None:
            l0.shared.move_vcpu_info(vcpu, page[offset : offset + VCPU_INFO_SIZE])
    l0.vcpu_infos[vcpu] = frame, offset
    return 0


def _is_up(l0: L0, request: Request) -> int:
    return 1 if request.arguments[1] & 0xFFFFFFFF < l0.setup.vcpus else -ENOENT


def _yield(l0: L0, request: Request) -> int:
    return 0


def _shutdown(l0: L0, request: Request) -> int:
    """Only a suspended domain ever comes back from this."""
    l0.reason = request.fields["reason"]
    l0.down = l0.reason != abi.CONSTANTS["SHUTDOWN_suspend"]
    if l0.down:
        return 0
    if l0.setup.suspend == 0:
        l0.resume()
    return l0.setup.suspend


def _get_param(l0: L0, request: Request) -> int:
    value = l0.params.get(request.fields["index"])
    return -EINVAL if value is None else l0.reply(request, value=value)


def _set_param(l0: L0, request: Request) -> int:
    l0.params[request.fields["index"]] = request.fields["value"]
    return 0


def _set_upcall_vector(l0: L0, request: Request) -> int:
    if request.fields["vector"] < FIRST_VECTOR:
        return -EINVAL
    if request.fields["vcpu"] >= l0.setup.vcpus:
        return -ENOENT
    l0.upcall_vectors[request.fields["vcpu"]] = request.fields["vector"]
    return 0


def _version(l0: L0, request: Request) -> int:
    major, minor = l0.setup.version
    return major << 16 | minor


def _console_write(l0: L0, request: Request) -> int:
    size = request.arguments[1] & 0xFFFFFFFF
    if size > MAX_CONSOLE:
        return -EINVAL
    text = l0.read(request.op, request.pointer, size, request.access)
    if text is None:
        return -EFAULT
    if len(l0.console) < MAX_CONSOLE:
        l0.console.extend(text)
    return 0


OPERATIONS = {
    "XENMEM_add_to_physmap": Operation(_add_to_physmap),
    "XENMEM_memory_map": Operation(_memory_map, fallible=False),
    "XENMEM_remove_from_physmap": Operation(_remove_from_physmap),
    "XENMEM_populate_physmap": Operation(_reservation),
    "XENMEM_decrease_reservation": Operation(_reservation),
    "VCPUOP_up": Operation(_vcpu_known),
    "VCPUOP_down": Operation(_vcpu_known),
    "VCPUOP_is_up": Operation(_is_up, fallible=False),
    "VCPUOP_register_vcpu_info": Operation(_register_vcpu_info),
    "SCHEDOP_yield": Operation(_yield, fallible=False),
    "SCHEDOP_shutdown": Operation(_shutdown, fallible=False),
    "HVMOP_get_param": Operation(_get_param, fallible=False),
    "HVMOP_set_param": Operation(_set_param),
    "HVMOP_set_evtchn_upcall_vector": Operation(_set_upcall_vector),
    "XENVER_version": Operation(_version, fallible=False),
    "CONSOLEIO_write": Operation(_console_write),
}
