# SPDX-License-Identifier: GPL-2.0-or-later
"""The argument structure of each operation, 64-bit and, where it differs, 32-bit.

The layouts stand here and are not taken from the object's DWARF on purpose: an object that was built
with a wrong header must not be measured with that same header.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from emu.abi.struct import Member, Struct


class Mode(StrEnum):
    """What kind of guest asks, as reports and profiles spell it."""

    NATIVE = "64"
    COMPAT = "compat"


def _struct(
    name: str, size: int, *members: Member, reserved: tuple[tuple[str, int, int], ...] = ()
) -> Struct:
    return Struct(name, size, members, reserved)


def _in(name: str, offset: int, size: int) -> Member:
    return Member(name, offset, size)


def _out(name: str, offset: int, size: int, *, signed: bool = False) -> Member:
    return Member(name, offset, size, out=True, signed=signed)


def _ptr(name: str, offset: int, size: int) -> Member:
    return Member(name, offset, size, pointer=True)


RUNSTATES = 4
"""In how many states a vcpu may be, each with the time spent in it (public vcpu.h, RUNSTATE_*)."""
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
        "xen_hvm_param",
        16,
        *(_in("domid", 0, 2), _in("index", 4, 4), _out("value", 8, 8)),
        reserved=(("pad", 2, 2),),
    ),
    "HVMOP_set_param": _struct(
        "xen_hvm_param",
        16,
        *(_in("domid", 0, 2), _in("index", 4, 4), _in("value", 8, 8)),
        reserved=(("pad", 2, 2),),
    ),
    "HVMOP_set_evtchn_upcall_vector": _struct(
        "xen_hvm_evtchn_upcall_vector", 8, _in("vcpu", 0, 4), _in("vector", 4, 1)
    ),
    "SCHEDOP_shutdown": _struct("sched_shutdown", 4, _in("reason", 0, 4)),
    "SCHEDOP_watchdog": _struct("sched_watchdog", 8, _in("id", 0, 4), _in("timeout", 4, 4)),
    "SCHEDOP_poll": _struct(
        "sched_poll", 24, _ptr("ports", 0, 8), _in("nr_ports", 8, 4), _in("timeout", 16, 8)
    ),
    "VCPUOP_register_vcpu_info": _struct(
        "vcpu_register_vcpu_info",
        16,
        *(_in("mfn", 0, 8), _in("offset", 8, 4), _in("rsvd", 12, 4)),
        reserved=(("rsvd", 12, 4),),
    ),
    "VCPUOP_register_runstate_memory_area": _struct(
        "vcpu_register_runstate_memory_area", 8, _ptr("addr", 0, 8)
    ),
    "VCPUOP_register_vcpu_time_memory_area": _struct(
        "vcpu_register_time_memory_area", 8, _ptr("addr", 0, 8)
    ),
    "VCPUOP_get_runstate_info": _struct(
        "vcpu_runstate_info",
        48,
        _out("state", 0, 4, signed=True),
        _out("state_entry_time", 8, 8),
        *(_out(f"time{state}", 16 + 8 * state, 8) for state in range(RUNSTATES)),
    ),
    "CALLBACKOP_register": _struct(
        "callback_register", 16, _in("type", 0, 2), _in("flags", 2, 2), _in("eip", 8, 8)
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
    "CALLBACKOP_register": _struct(
        "compat_callback_register",
        12,
        _in("type", 0, 2),
        _in("flags", 2, 2),
        _in("cs", 4, 4),
        _in("eip", 8, 4),
    ),
    "SCHEDOP_poll": _struct(
        "compat_sched_poll", 16, _ptr("ports", 0, 4), _in("nr_ports", 4, 4), _in("timeout", 8, 8)
    ),
    "VCPUOP_set_singleshot_timer": _struct(
        "compat_vcpu_set_singleshot_timer", 12, _in("timeout_abs_ns", 0, 8), _in("flags", 8, 4)
    ),
    "VCPUOP_get_runstate_info": _struct(
        "compat_vcpu_runstate_info",
        44,
        _out("state", 0, 4, signed=True),
        _out("state_entry_time", 4, 8),
        *(_out(f"time{state}", 12 + 8 * state, 8) for state in range(RUNSTATES)),
    ),
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


_COMPAT_RESERVATION = _struct(
    "compat_memory_reservation",
    20,
    _ptr("extent_start", 0, 4),
    _in("nr_extents", 4, 4),
    _in("extent_order", 8, 4),
    _in("mem_flags", 12, 4),
    _in("domid", 16, 2),
)
_EXTENTS = ("XENMEM_increase_reservation", "XENMEM_decrease_reservation", "XENMEM_populate_physmap")
_BY_MODE: Mapping[Mode, Mapping[str, Struct]] = {
    Mode.NATIVE: {**_NATIVE, **dict.fromkeys(_EXTENTS, _RESERVATION)},
    Mode.COMPAT: {**_NATIVE, **_COMPAT, **dict.fromkeys(_EXTENTS, _COMPAT_RESERVATION)},
}


def structure(operation: str, mode: Mode = Mode.NATIVE) -> Struct | None:
    """The argument structure of an operation; None where it has none, or none known."""
    return _BY_MODE[mode].get(operation)
