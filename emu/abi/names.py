# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbers and names: hypercalls and their operations, constants, errors.

Written from the public interface (EVTCHNOP_*, GNTTABOP_*, XENMEM_*, VCPUOP_*, SCHEDOP_*, HVMOP_*).
"""

from __future__ import annotations

from collections.abc import Mapping

ARGUMENT_REGISTERS = ("rdi", "rsi", "rdx", "r10", "r8")
"""Hypercall arguments of a 64-bit caller; the result is in rax."""
HYPERCALL_STRIDE = 32
"""Entry n of the hypercall page is at 32 * n."""
HYPERCALL_INSTRUCTIONS = frozenset({b"\x0f\x01\xc1", b"\x0f\x01\xd9"})
"""vmcall and vmmcall: the number is in eax then, and there is no page (arch-x86/xen-x86_64.h)."""
HYPERCALL_INSTRUCTION_SIZE = 3

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
    "ERESTART": 85,
    "EOPNOTSUPP": 95,
}
_ERRNO_NAMES = {number: name for name, number in ERRNO.items()}

HYPERCALLS = {
    "memory_op": 12,
    "update_va_mapping": 14,
    "xen_version": 17,
    "console_io": 18,
    "grant_table_op": 20,
    "vcpu_op": 24,
    "sched_op": 29,
    "event_channel_op": 32,
    "callback_op": 30,
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
        "HVMOP_flush_tlbs": 5,
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
    "callback_op": {"CALLBACKOP_register": 0, "CALLBACKOP_unregister": 1},
}

_OPERATION_NAMES = {
    (hypercall, number): name
    for hypercall, operations in OPERATIONS.items()
    for name, number in operations.items()
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
    "VIRQ_ARGO": 11,
}
"""Named values that a profile may use."""


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
    """``EVTCHNOP_send``; a number that has no name is given as it is."""
    return _OPERATION_NAMES.get((hypercall, number), f"{hypercall}:{number}")


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
