# SPDX-License-Identifier: GPL-2.0-or-later
"""The L0 model on its own: what a caller sees through the public ABI."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from emu import abi
from emu.interactions import Plan
from emu.l0 import L0, OPERATIONS, L0Setup

KERNEL, GUEST = 0xFFFF830000000000, 0x1000
EINVAL, EFAULT, ENOENT, ESRCH, ENOSYS = (
    -abi.ERRNO[name] for name in ("EINVAL", "EFAULT", "ENOENT", "ESRCH", "ENOSYS")
)
SELF = abi.CONSTANTS["DOMID_SELF"]


@dataclass
class Pages:
    """One page of the caller and one of its guest."""

    pages: dict[int, bytearray] = field(
        default_factory=lambda: {KERNEL: bytearray(4096), GUEST: bytearray(4096)}
    )

    def _find(self, address: int, size: int, access: bool) -> tuple[bytearray, int] | None:
        page = self.pages.get(address & -4096)
        offset = address & 4095
        if page is None or offset + size > 4096 or (self.is_guest(address) and not access):
            return None
        return page, offset

    def readable(self, address: int, size: int, access: bool) -> bytes | None:
        found = self._find(address, size, access)
        return bytes(found[0][found[1] : found[1] + size]) if found else None

    def writable(self, address: int, content: bytes, access: bool) -> bool:
        found = self._find(address, len(content), access)
        if found is None:
            return False
        found[0][found[1] : found[1] + len(content)] = content
        return True

    def is_guest(self, address: int) -> bool:
        return address & -4096 == GUEST


@dataclass
class Caller:
    """Calls by name and field."""

    l0: L0
    pages: Pages

    def __call__(self, op: str, at: int = KERNEL, access: bool = False, **fields: int) -> int:
        hypercall = next(name for name, ops in abi.OPERATIONS.items() if op in ops)
        struct = abi.structure(op)
        if struct is not None and at & -4096 in self.pages.pages:
            self.pages.pages[at & -4096][at & 4095 : (at & 4095) + struct.size] = struct.encode(
                fields
            )
        number = abi.OPERATIONS[hypercall][op]
        return self.l0.call(abi.HYPERCALLS[hypercall], (number, at, 1, 0, 0), access)

    def field(self, op: str, name: str, at: int = KERNEL) -> int:
        struct = abi.structure(op)
        assert struct is not None
        content = bytes(self.pages.pages[at & -4096])[at & 4095 :]
        return struct.decode(content[: struct.size])[name]


@pytest.fixture
def call() -> Caller:
    pages = Pages()
    return Caller(L0(OPERATIONS, pages, Plan(), L0Setup()), pages)


def test_ports_are_handed_out_in_order(call: Caller) -> None:
    assert call("EVTCHNOP_alloc_unbound", dom=SELF, remote_dom=3) == 0
    assert call.field("EVTCHNOP_alloc_unbound", "port") == 12
    assert call("EVTCHNOP_bind_ipi", vcpu=1) == 0
    assert call.field("EVTCHNOP_bind_ipi", "port") == 13
    assert call.l0.allocated == [12, 13]


def test_status_tells_what_was_bound(call: Caller) -> None:
    call("EVTCHNOP_bind_interdomain", remote_dom=3, remote_port=5)
    assert call("EVTCHNOP_bind_vcpu", port=12, vcpu=1) == 0
    assert call("EVTCHNOP_status", dom=SELF, port=12) == 0
    seen = [call.field("EVTCHNOP_status", name) for name in ("status", "vcpu", "u")]
    assert seen == [abi.CONSTANTS["EVTCHNSTAT_interdomain"], 1, 5 << 32 | 3]


def test_closing_frees_a_port(call: Caller) -> None:
    call("EVTCHNOP_bind_virq", virq=0, vcpu=0)
    assert call("EVTCHNOP_close", port=12) == 0
    assert call("EVTCHNOP_close", port=12) == EINVAL
    assert call.l0.allocated == []
    assert call("EVTCHNOP_status", dom=SELF, port=12) == 0
    assert call.field("EVTCHNOP_status", "status") == abi.CONSTANTS["EVTCHNSTAT_closed"]


@pytest.mark.parametrize(
    ("op", "fields", "result"),
    [
        ("EVTCHNOP_alloc_unbound", {"dom": 9}, ESRCH),
        ("EVTCHNOP_bind_virq", {"virq": 24}, EINVAL),
        ("EVTCHNOP_bind_virq", {"vcpu": 2}, ENOENT),
        ("EVTCHNOP_bind_ipi", {"vcpu": 2}, ENOENT),
        ("EVTCHNOP_bind_vcpu", {"vcpu": 2}, ENOENT),
        ("EVTCHNOP_bind_vcpu", {"port": 3}, EINVAL),
        ("EVTCHNOP_send", {"port": 3}, EINVAL),
        ("EVTCHNOP_unmask", {"port": 64}, EINVAL),
        ("EVTCHNOP_status", {"dom": SELF, "port": 1 << 20}, EINVAL),
        ("EVTCHNOP_reset", {"dom": 9}, ESRCH),
        ("EVTCHNOP_bind_pirq", {}, ENOSYS),
        ("XENMEM_add_to_physmap", {"domid": SELF, "space": 1, "idx": 4}, EINVAL),
        ("XENMEM_add_to_physmap", {"domid": 9, "space": 1}, ESRCH),
        ("XENMEM_remove_from_physmap", {"gpfn": 1}, ENOENT),
        ("HVMOP_get_param", {"index": 99}, EINVAL),
        ("VCPUOP_up", {}, 0),
    ],
)
def test_refusals(call: Caller, op: str, fields: dict[str, int], result: int) -> None:
    at = 1 if op == "VCPUOP_up" else KERNEL
    assert call(op, at, False, **fields) == result


def test_unknown_operations_are_named(call: Caller) -> None:
    call("EVTCHNOP_bind_pirq")
    call.l0.call(99, (1, 2, 3, 4, 5), False)
    assert call.l0.unknown == ["EVTCHNOP_bind_pirq", "hypercall_99:1"]


def test_guest_pointer_without_access_faults(call: Caller) -> None:
    """SMAP: L0 reads with its caller's EFLAGS.AC."""
    assert call("EVTCHNOP_close", GUEST, port=12) == EFAULT
    assert call.l0.guest_pointers == [("EVTCHNOP_close", GUEST)]
    call.l0.open(12, "unbound")
    assert call("EVTCHNOP_close", GUEST, access=True, port=12) == 0


def test_unmapped_pointer_faults(call: Caller) -> None:
    assert call("EVTCHNOP_close", 0x5000) == EFAULT
    assert call.l0.calls[-1].arguments == (("pointer", 0x5000),)


def test_grant_frames_are_mapped(call: Caller) -> None:
    assert call("GNTTABOP_query_size", dom=SELF) == 0
    assert call.field("GNTTABOP_query_size", "max_nr_frames") == 4
    assert call("XENMEM_add_to_physmap", domid=SELF, space=1, idx=2, gpfn=0x77) == 0
    assert call.l0.mapped == {0x77: (1, 2)}
    assert call("XENMEM_remove_from_physmap", domid=SELF, gpfn=0x77) == 0
    assert call.l0.mapped == {}


def test_query_size_of_another_domain(call: Caller) -> None:
    assert call("GNTTABOP_query_size", dom=9) == 0
    assert call.field("GNTTABOP_query_size", "status") == abi.CONSTANTS["GNTST_general_error"]


def test_parameters(call: Caller) -> None:
    assert call("HVMOP_set_param", domid=SELF, index=40, value=7) == 0
    assert call("HVMOP_get_param", domid=SELF, index=40) == 0
    assert call.field("HVMOP_get_param", "value") == 7


def test_shutdown_ends_the_domain(call: Caller) -> None:
    call("SCHEDOP_shutdown", reason=abi.CONSTANTS["SHUTDOWN_suspend"])
    assert not call.l0.down
    call("SCHEDOP_shutdown", reason=abi.CONSTANTS["SHUTDOWN_poweroff"])
    assert call.l0.down


def test_console(call: Caller) -> None:
    call.pages.pages[KERNEL][:5] = b"hello"
    assert call.l0.call(18, (0, 5, KERNEL, 0, 0), False) == 0
    assert call.l0.call(18, (0, 5, GUEST, 0, 0), False) == EFAULT
    assert call.l0.call(18, (0, 1 << 30, KERNEL, 0, 0), False) == EINVAL
    assert bytes(call.l0.console) == b"hello"


def test_version(call: Caller) -> None:
    assert call.l0.call(17, (0, 0, 0, 0, 0), False) == 4 << 16 | 10


def test_any_call_can_be_made_to_fail() -> None:
    pages = Pages()
    call = Caller(L0(OPERATIONS, pages, Plan(frozenset({1}), errno=28), L0Setup()), pages)
    results = [call("EVTCHNOP_alloc_unbound", dom=SELF, remote_dom=3) for _ in range(3)]
    assert results == [0, -28, 0]
    assert len(call.l0.ports) == 2


def test_what_cannot_fail_is_not_legal_to_fail() -> None:
    pages = Pages()
    plan = Plan()
    call = Caller(L0(OPERATIONS, pages, plan, L0Setup()), pages)
    call.l0.open(5, "unbound")
    call("EVTCHNOP_unmask", port=5)
    call("EVTCHNOP_unmask", port=64)
    call("EVTCHNOP_send", port=5)
    assert [i.legal for i in plan.seen] == [False, True, True]


def test_far_ports() -> None:
    pages = Pages()
    call = Caller(L0(OPERATIONS, pages, Plan(), L0Setup(first_port=100_000)), pages)
    call("EVTCHNOP_bind_ipi", vcpu=0)
    assert call.field("EVTCHNOP_bind_ipi", "port") == 100_000


def test_a_port_that_was_closed_can_still_be_unmasked(call: Caller) -> None:
    """L0 keeps room for every port that ever was, a page at a time: only a number beyond is refused."""
    call.l0.open(70, "unbound")
    assert call("EVTCHNOP_close", port=70) == 0
    assert call("EVTCHNOP_close", port=70) == EINVAL
    assert call("EVTCHNOP_unmask", port=70) == 0
    assert call("EVTCHNOP_unmask", port=127) == 0
    assert call("EVTCHNOP_unmask", port=128) == EINVAL


def test_a_resumed_domain_has_what_its_tools_have_set_up() -> None:
    pages = Pages()
    setup = L0Setup(resumed=((abi.CONSTANTS["HVM_PARAM_STORE_EVTCHN"], 9),))
    call = Caller(L0(OPERATIONS, pages, Plan(), setup), pages)
    call.l0.open(70, "virq")
    assert call("SCHEDOP_shutdown", reason=abi.CONSTANTS["SHUTDOWN_suspend"]) == 0
    assert {number: port.state for number, port in call.l0.ports.items()} == {
        2: "interdomain",
        9: "interdomain",
    }
    assert call("EVTCHNOP_unmask", port=70) == EINVAL


def test_a_cancelled_suspend_changes_nothing() -> None:
    pages = Pages()
    call = Caller(L0(OPERATIONS, pages, Plan(), L0Setup(suspend=1)), pages)
    call.l0.open(70, "virq")
    assert call("SCHEDOP_shutdown", reason=abi.CONSTANTS["SHUTDOWN_suspend"]) == 1
    assert set(call.l0.ports) == {70}
