# SPDX-License-Identifier: GPL-2.0-or-later
"""The public ABI as data agrees with the same structures written in C and measured by the compiler."""

from __future__ import annotations

import pytest

from emu import abi
from emu.abi import Mode
from emu.elf import parse_elf, place
from emu.layout import Layout
from emu.spaces import LinearAddr
from tests.emu.build import compile_source

# Field types of the public headers; a pointer to a guest list is a GUEST_HANDLE of 8 bytes (4 for compat).
BASE = LinearAddr(0x1000)
PUBLIC = r"""
#define PACKED __attribute__((packed))
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32; typedef unsigned long u64;
struct evtchn_alloc_unbound { u16 dom, remote_dom; u32 port; };
struct evtchn_bind_interdomain { u16 remote_dom; u32 remote_port; u32 local_port; };
struct evtchn_bind_virq { u32 virq, vcpu, port; };
struct evtchn_bind_pirq { u32 pirq, flags, port; };
struct evtchn_bind_ipi { u32 vcpu, port; };
struct evtchn_close { u32 port; };
struct evtchn_send { u32 port; };
struct evtchn_status { u16 dom; u32 port, status, vcpu; u64 u __attribute__((aligned(4))); };
struct evtchn_bind_vcpu { u32 port, vcpu; };
struct evtchn_unmask { u32 port; };
struct evtchn_reset { u16 dom; };
struct evtchn_init_control { u64 control_gfn; u32 offset, vcpu; u8 link_bits; u8 _pad[7]; };
struct evtchn_expand_array { u64 array_gfn; };
struct evtchn_set_priority { u32 port, priority; };
struct gnttab_setup_table { u16 dom; u32 nr_frames; short status; u64 frame_list; };
struct compat_gnttab_setup_table { u16 dom; u32 nr_frames; short status; u32 frame_list; };
struct gnttab_query_size { u16 dom; u32 nr_frames, max_nr_frames; short status; };
struct xen_add_to_physmap { u16 domid, size; u32 space; u64 idx, gpfn; };
struct compat_add_to_physmap { u16 domid, size; u32 space, idx, gpfn; };
struct xen_remove_from_physmap { u16 domid; u64 gpfn; };
struct xen_memory_reservation { u64 extent_start, nr_extents; u32 extent_order, mem_flags; u16 domid; };
struct xen_memory_map { u32 nr_entries; u64 buffer; };
struct xen_hvm_param { u16 domid, pad; u32 index; u64 value; };
struct xen_hvm_evtchn_upcall_vector { u32 vcpu; u8 vector; };
struct sched_shutdown { u32 reason; };
struct sched_watchdog { u32 id, timeout; };
struct sched_poll { u64 ports; u32 nr_ports; u64 timeout; };
struct vcpu_register_vcpu_info { u64 mfn; u32 offset, rsvd; };
struct vcpu_register_runstate_memory_area { u64 addr; };
struct vcpu_register_time_memory_area { u64 addr; };
struct vcpu_runstate_info { int state; u64 state_entry_time, time0, time1, time2, time3; };
struct compat_vcpu_runstate_info { int state; u64 state_entry_time, time0, time1, time2, time3; } PACKED;
struct vcpu_set_periodic_timer { u64 period_ns; };
struct vcpu_set_singleshot_timer { u64 timeout_abs_ns; u32 flags; };
struct callback_register { u16 type, flags; u64 eip; };
struct compat_callback_register { u16 type, flags; u32 cs, eip; };
struct compat_sched_poll { u32 ports, nr_ports; u64 timeout __attribute__((aligned(4))); };
struct compat_vcpu_set_singleshot_timer { u64 timeout_abs_ns; u32 flags; } __attribute__((packed));
struct compat_memory_reservation { u32 extent_start, nr_extents, extent_order, mem_flags; u16 domid; };
"""
OPERATIONS = [name for operations in abi.OPERATIONS.values() for name in operations]
MODES = tuple(Mode)


@pytest.fixture(scope="module")
def compiled() -> Layout:
    names = [line.split()[1] for line in PUBLIC.splitlines() if line.startswith("struct")]
    uses = "".join(f"struct {name} use_{name};\n" for name in names)
    return Layout(place(parse_elf(compile_source(PUBLIC + uses)), BASE, lambda name: BASE))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_layout(compiled: Layout, operation: str, mode: Mode) -> None:
    struct = abi.structure(operation, mode)
    if struct is None:
        return
    name = f"struct {struct.name}"
    assert compiled.sizeof(name) == struct.size
    for member in struct.members:
        place_ = compiled.field(name, member.name)
        assert (place_.offset, place_.size) == (member.offset, member.size), member.name


def test_compat_differs_only_where_it_must() -> None:
    different = [op for op in OPERATIONS if abi.structure(op) != abi.structure(op, Mode.COMPAT)]
    assert different == [
        "GNTTABOP_setup_table",
        "XENMEM_increase_reservation",
        "XENMEM_decrease_reservation",
        "XENMEM_populate_physmap",
        "XENMEM_add_to_physmap",
        "VCPUOP_get_runstate_info",
        "VCPUOP_set_singleshot_timer",
        "SCHEDOP_poll",
        "CALLBACKOP_register",
    ]


def test_encode_and_decode() -> None:
    struct = abi.structure("GNTTABOP_setup_table", Mode.COMPAT)
    assert struct is not None
    content = struct.encode({"nr_frames": 2, "status": -1, "frame_list": 0xA01000})
    assert content == bytes.fromhex("00000000 02000000 ffff0000 0010a000")
    assert struct.decode(content) == {
        "dom": 0,
        "nr_frames": 2,
        "status": -1,
        "frame_list": 0xA01000,
    }
    with pytest.raises(KeyError):
        struct.encode({"nothing": 1})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EVTCHNOP_send", 4),
        ("DOMID_SELF", 0x7FF0),
        ("-EFAULT", -14),
        ("-ENOTHING", None),
        ("nothing", None),
    ],
)
def test_names(name: str, value: int | None) -> None:
    assert abi.named_value(name) == value


@pytest.mark.parametrize(
    ("value", "name"),
    [(-14, "-EFAULT"), (-4000, "-4000"), (0, "0"), (7, "7"), (None, "none"), (-5000, "-5000")],
)
def test_results_are_spelled(value: int | None, name: str) -> None:
    assert abi.result_name(value) == name


def test_unknown_operation_keeps_its_number() -> None:
    assert abi.operation_name("event_channel_op", 99) == "event_channel_op:99"
