# SPDX-License-Identifier: GPL-2.0-or-later
"""The public Xen ABI as data: numbers, names, structure layouts and who fills which field.

Written from the public interface (hypercall numbers, EVTCHNOP_*, GNTTABOP_*, XENMEM_*, VCPUOP_*,
SCHEDOP_*, HVMOP_* and their argument structures, 64-bit and, where it differs, 32-bit).  The layouts
stand here and are not taken from the object's DWARF on purpose: an object that was built with a wrong
header must not be measured with that same header.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Mode = Literal["64", "compat"]

ARGUMENT_REGISTERS = ("rdi", "rsi", "rdx", "r10", "r8")
"""Hypercall arguments of a 64-bit caller; the result is in rax."""
HYPERCALL_STRIDE = 32
"""Entry n of the hypercall page is at 32 * n."""

ERRNO = {
    "EPERM": 1,
    "ENOENT": 2,
    "ESRCH": 3,
    "EIO": 5,
    "E2BIG": 7,
    "EAGAIN": 11,
    "ENOMEM": 12,
    "EACCES": 13,
    "EFAULT": 14,
    "EBUSY": 16,
    "EEXIST": 17,
    "ENODEV": 19,
    "EINVAL": 22,
    "ENOSPC": 28,
    "ERANGE": 34,
    "ENOSYS": 38,
    "EOVERFLOW": 75,
    "EOPNOTSUPP": 95,
}
_ERRNO_NAMES = {number: name for name, number in ERRNO.items()}

HYPERCALLS = {
    "memory_op": 12,
    "xen_version": 17,
    "console_io": 18,
    "grant_table_op": 20,
    "vcpu_op": 24,
    "sched_op": 29,
    "event_channel_op": 32,
    "hvm_op": 34,
}
HYPERCALL_NAMES = {number: name for name, number in HYPERCALLS.items()}

OPERATIONS: Mapping[str, Mapping[str, int]] = {
    "event_channel_op": {
        "EVTCHNOP_bind_interdomain": 0,
        "EVTCHNOP_bind_virq": 1,
        "EVTCHNOP_bind_pirq": 2,
        "EVTCHNOP_close": 3,
        "EVTCHNOP_send": 4,
        "EVTCHNOP_status": 5,
        "EVTCHNOP_alloc_unbound": 6,
        "EVTCHNOP_bind_ipi": 7,
        "EVTCHNOP_bind_vcpu": 8,
        "EVTCHNOP_unmask": 9,
        "EVTCHNOP_reset": 10,
        "EVTCHNOP_init_control": 11,
        "EVTCHNOP_expand_array": 12,
        "EVTCHNOP_set_priority": 13,
    },
    "grant_table_op": {
        "GNTTABOP_map_grant_ref": 0,
        "GNTTABOP_unmap_grant_ref": 1,
        "GNTTABOP_setup_table": 2,
        "GNTTABOP_dump_table": 3,
        "GNTTABOP_transfer": 4,
        "GNTTABOP_copy": 5,
        "GNTTABOP_query_size": 6,
        "GNTTABOP_unmap_and_replace": 7,
        "GNTTABOP_set_version": 8,
        "GNTTABOP_get_status_frames": 9,
        "GNTTABOP_get_version": 10,
        "GNTTABOP_swap_grant_ref": 11,
        "GNTTABOP_cache_flush": 12,
    },
    "memory_op": {
        "XENMEM_increase_reservation": 0,
        "XENMEM_decrease_reservation": 1,
        "XENMEM_maximum_ram_page": 2,
        "XENMEM_current_reservation": 3,
        "XENMEM_maximum_reservation": 4,
        "XENMEM_populate_physmap": 6,
        "XENMEM_add_to_physmap": 7,
        "XENMEM_memory_map": 9,
        "XENMEM_remove_from_physmap": 15,
    },
    "vcpu_op": {
        "VCPUOP_initialise": 0,
        "VCPUOP_up": 1,
        "VCPUOP_down": 2,
        "VCPUOP_is_up": 3,
        "VCPUOP_get_runstate_info": 4,
        "VCPUOP_register_runstate_memory_area": 5,
        "VCPUOP_set_periodic_timer": 6,
        "VCPUOP_stop_periodic_timer": 7,
        "VCPUOP_set_singleshot_timer": 8,
        "VCPUOP_stop_singleshot_timer": 9,
        "VCPUOP_register_vcpu_info": 10,
        "VCPUOP_send_nmi": 11,
        "VCPUOP_get_physid": 12,
        "VCPUOP_register_vcpu_time_memory_area": 13,
    },
    "sched_op": {
        "SCHEDOP_yield": 0,
        "SCHEDOP_block": 1,
        "SCHEDOP_shutdown": 2,
        "SCHEDOP_poll": 3,
        "SCHEDOP_remote_shutdown": 4,
        "SCHEDOP_shutdown_code": 5,
        "SCHEDOP_watchdog": 6,
        "SCHEDOP_pin_override": 7,
    },
    "hvm_op": {
        "HVMOP_set_param": 0,
        "HVMOP_get_param": 1,
        "HVMOP_set_evtchn_upcall_vector": 23,
    },
    "xen_version": {
        "XENVER_version": 0,
        "XENVER_extraversion": 1,
        "XENVER_compile_info": 2,
        "XENVER_capabilities": 3,
        "XENVER_changeset": 4,
        "XENVER_platform_parameters": 5,
        "XENVER_get_features": 6,
        "XENVER_pagesize": 7,
        "XENVER_guest_handle": 8,
        "XENVER_commandline": 9,
        "XENVER_build_id": 10,
    },
    "console_io": {"CONSOLEIO_write": 0, "CONSOLEIO_read": 1},
}

CONSTANTS = {
    "DOMID_SELF": 0x7FF0,
    "GNTST_okay": 0,
    "GNTST_general_error": -1,
    "GNTST_bad_virt_addr": -5,
    "EVTCHNSTAT_closed": 0,
    "EVTCHNSTAT_unbound": 1,
    "EVTCHNSTAT_interdomain": 2,
    "EVTCHNSTAT_pirq": 3,
    "EVTCHNSTAT_virq": 4,
    "EVTCHNSTAT_ipi": 5,
    "XENMAPSPACE_shared_info": 0,
    "XENMAPSPACE_grant_table": 1,
    "SHUTDOWN_poweroff": 0,
    "SHUTDOWN_reboot": 1,
    "SHUTDOWN_suspend": 2,
    "SHUTDOWN_crash": 3,
    "HVM_PARAM_CALLBACK_IRQ": 0,
    "HVM_PARAM_STORE_PFN": 1,
    "HVM_PARAM_STORE_EVTCHN": 2,
    "HVM_PARAM_CONSOLE_PFN": 17,
    "HVM_PARAM_CONSOLE_EVTCHN": 18,
    "VIRQ_TIMER": 0,
    "VIRQ_DEBUG": 1,
    "VIRQ_DOM_EXC": 3,
}
"""Named values that a profile may use."""


@dataclass(frozen=True, slots=True)
class Member:
    """One field; ``out`` when the callee fills it."""

    name: str
    offset: int
    size: int
    out: bool = False
    signed: bool = False
    pointer: bool = False


@dataclass(frozen=True, slots=True)
class Struct:
    """A public argument structure."""

    name: str
    size: int
    members: tuple[Member, ...]

    def member(self, name: str) -> Member | None:
        return next((m for m in self.members if m.name == name), None)

    def encode(self, values: Mapping[str, int]) -> bytes:
        """Bytes of the structure; fields not given are zero.  Raises KeyError for an unknown name."""
        content = bytearray(self.size)
        for name, value in values.items():
            member = self.member(name)
            if member is None:
                raise KeyError(name)
            raw = (value & (1 << 8 * member.size) - 1).to_bytes(member.size, "little")
            content[member.offset : member.offset + member.size] = raw
        return bytes(content)

    def decode(self, content: bytes) -> dict[str, int]:
        """Every field by its name."""
        return {
            m.name: int.from_bytes(content[m.offset : m.offset + m.size], "little", signed=m.signed)
            for m in self.members
        }


def _struct(name: str, size: int, *members: Member) -> Struct:
    return Struct(name, size, members)


def _in(name: str, offset: int, size: int) -> Member:
    return Member(name, offset, size)


def _out(name: str, offset: int, size: int, *, signed: bool = False) -> Member:
    return Member(name, offset, size, out=True, signed=signed)


def _ptr(name: str, offset: int, size: int) -> Member:
    return Member(name, offset, size, pointer=True)


_NATIVE: Mapping[str, Struct] = {
    "EVTCHNOP_alloc_unbound": _struct(
        "evtchn_alloc_unbound", 8, _in("dom", 0, 2), _in("remote_dom", 2, 2), _out("port", 4, 4)
    ),
    "EVTCHNOP_bind_interdomain": _struct(
        "evtchn_bind_interdomain",
        12,
        _in("remote_dom", 0, 2),
        _in("remote_port", 4, 4),
        _out("local_port", 8, 4),
    ),
    "EVTCHNOP_bind_virq": _struct(
        "evtchn_bind_virq", 12, _in("virq", 0, 4), _in("vcpu", 4, 4), _out("port", 8, 4)
    ),
    "EVTCHNOP_bind_pirq": _struct(
        "evtchn_bind_pirq", 12, _in("pirq", 0, 4), _in("flags", 4, 4), _out("port", 8, 4)
    ),
    "EVTCHNOP_bind_ipi": _struct("evtchn_bind_ipi", 8, _in("vcpu", 0, 4), _out("port", 4, 4)),
    "EVTCHNOP_close": _struct("evtchn_close", 4, _in("port", 0, 4)),
    "EVTCHNOP_send": _struct("evtchn_send", 4, _in("port", 0, 4)),
    "EVTCHNOP_status": _struct(
        "evtchn_status",
        24,
        _in("dom", 0, 2),
        _in("port", 4, 4),
        _out("status", 8, 4),
        _out("vcpu", 12, 4),
        _out("u", 16, 8),
    ),
    "EVTCHNOP_bind_vcpu": _struct("evtchn_bind_vcpu", 8, _in("port", 0, 4), _in("vcpu", 4, 4)),
    "EVTCHNOP_unmask": _struct("evtchn_unmask", 4, _in("port", 0, 4)),
    "EVTCHNOP_reset": _struct("evtchn_reset", 2, _in("dom", 0, 2)),
    "EVTCHNOP_init_control": _struct(
        "evtchn_init_control",
        24,
        _in("control_gfn", 0, 8),
        _in("offset", 8, 4),
        _in("vcpu", 12, 4),
        _out("link_bits", 16, 1),
    ),
    "EVTCHNOP_expand_array": _struct("evtchn_expand_array", 8, _in("array_gfn", 0, 8)),
    "EVTCHNOP_set_priority": _struct(
        "evtchn_set_priority", 8, _in("port", 0, 4), _in("priority", 4, 4)
    ),
    "GNTTABOP_setup_table": _struct(
        "gnttab_setup_table",
        24,
        _in("dom", 0, 2),
        _in("nr_frames", 4, 4),
        _out("status", 8, 2, signed=True),
        _ptr("frame_list", 16, 8),
    ),
    "GNTTABOP_query_size": _struct(
        "gnttab_query_size",
        16,
        _in("dom", 0, 2),
        _out("nr_frames", 4, 4),
        _out("max_nr_frames", 8, 4),
        _out("status", 12, 2, signed=True),
    ),
    "XENMEM_add_to_physmap": _struct(
        "xen_add_to_physmap",
        24,
        _in("domid", 0, 2),
        _in("size", 2, 2),
        _in("space", 4, 4),
        _in("idx", 8, 8),
        _in("gpfn", 16, 8),
    ),
    "XENMEM_remove_from_physmap": _struct(
        "xen_remove_from_physmap", 16, _in("domid", 0, 2), _in("gpfn", 8, 8)
    ),
    "XENMEM_memory_map": _struct(
        "xen_memory_map", 16, Member("nr_entries", 0, 4), _ptr("buffer", 8, 8)
    ),
    "HVMOP_get_param": _struct(
        "xen_hvm_param", 16, _in("domid", 0, 2), _in("index", 4, 4), _out("value", 8, 8)
    ),
    "HVMOP_set_param": _struct(
        "xen_hvm_param", 16, _in("domid", 0, 2), _in("index", 4, 4), _in("value", 8, 8)
    ),
    "HVMOP_set_evtchn_upcall_vector": _struct(
        "xen_hvm_evtchn_upcall_vector", 8, _in("vcpu", 0, 4), _in("vector", 4, 1)
    ),
    "SCHEDOP_shutdown": _struct("sched_shutdown", 4, _in("reason", 0, 4)),
    "SCHEDOP_poll": _struct(
        "sched_poll", 24, _ptr("ports", 0, 8), _in("nr_ports", 8, 4), _in("timeout", 16, 8)
    ),
    "VCPUOP_register_vcpu_info": _struct(
        "vcpu_register_vcpu_info", 16, _in("mfn", 0, 8), _in("offset", 8, 4), _in("rsvd", 12, 4)
    ),
    "VCPUOP_set_periodic_timer": _struct("vcpu_set_periodic_timer", 8, _in("period_ns", 0, 8)),
    "VCPUOP_set_singleshot_timer": _struct(
        "vcpu_set_singleshot_timer", 16, _in("timeout_abs_ns", 0, 8), _in("flags", 8, 4)
    ),
}
_RESERVATION = _struct(
    "xen_memory_reservation",
    32,
    _ptr("extent_start", 0, 8),
    _in("nr_extents", 8, 8),
    _in("extent_order", 16, 4),
    _in("mem_flags", 20, 4),
    _in("domid", 24, 2),
)
_COMPAT: Mapping[str, Struct] = {
    "GNTTABOP_setup_table": _struct(
        "compat_gnttab_setup_table",
        16,
        _in("dom", 0, 2),
        _in("nr_frames", 4, 4),
        _out("status", 8, 2, signed=True),
        _ptr("frame_list", 12, 4),
    ),
    "XENMEM_add_to_physmap": _struct(
        "compat_add_to_physmap",
        16,
        _in("domid", 0, 2),
        _in("size", 2, 2),
        _in("space", 4, 4),
        _in("idx", 8, 4),
        _in("gpfn", 12, 4),
    ),
}


def structure(operation: str, mode: Mode = "64") -> Struct | None:
    """The argument structure of an operation; None where it has none, or none known."""
    if mode == "compat" and operation in _COMPAT:
        return _COMPAT[operation]
    if operation in (
        "XENMEM_increase_reservation",
        "XENMEM_decrease_reservation",
        "XENMEM_populate_physmap",
    ):
        return _RESERVATION
    return _NATIVE.get(operation)


def numbers(operation: str) -> tuple[int, int] | None:
    """(hypercall, operation) numbers of ``EVTCHNOP_send`` or ``event_channel_op:99``."""
    hypercall, _, number = operation.rpartition(":")
    if hypercall in HYPERCALLS and number.isdigit():
        return HYPERCALLS[hypercall], int(number)
    for name, operations in OPERATIONS.items():
        if operation in operations:
            return HYPERCALLS[name], operations[operation]
    return None


def operation_name(hypercall: str, number: int) -> str:
    """``EVTCHNOP_send``; a number of which nothing is known is given as it is."""
    for name, value in OPERATIONS.get(hypercall, {}).items():
        if value == number:
            return name
    return f"{hypercall}:{number}"


def named_value(name: str) -> int | None:
    """Value of an operation, constant or error (``-EINVAL``) by its name."""
    for operations in OPERATIONS.values():
        if name in operations:
            return operations[name]
    if name in CONSTANTS:
        return CONSTANTS[name]
    if name.startswith("-") and name[1:] in ERRNO:
        return -ERRNO[name[1:]]
    return None


def result_name(value: int | None) -> str:
    """``-EINVAL`` for an error, the number for everything else."""
    if value is None:
        return "none"
    if -4095 <= value < 0:
        return f"-{_ERRNO_NAMES[-value]}" if -value in _ERRNO_NAMES else str(value)
    return str(value)


def signed(value: int, bits: int = 64) -> int:
    """``value`` of that many bits as a signed number."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value
