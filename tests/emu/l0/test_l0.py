# SPDX-License-Identifier: GPL-2.0-or-later
"""The L0 model on its own: what a caller sees through the public ABI."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import pytest

from emu import abi
from emu.interactions import Plan
from emu.l0 import L0, OPERATIONS, L0Setup, PortKind
from emu.l0.grants import STATUS

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
        layout = abi.structure(op)
        if layout is not None and at & -4096 in self.pages.pages:
            self.pages.pages[at & -4096][at & 4095 : (at & 4095) + layout.size] = layout.encode(
                fields
            )
        number = abi.OPERATIONS[hypercall][op]
        return self.l0.call(abi.HYPERCALLS[hypercall], (number, at, 1, 0, 0), access)

    def field(self, op: str, name: str, at: int = KERNEL) -> int:
        layout = abi.structure(op)
        assert layout is not None
        content = bytes(self.pages.pages[at & -4096])[at & 4095 :]
        return layout.decode(content[: layout.size])[name]


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
        ("HVMOP_get_param", {"domid": SELF, "index": 99}, EINVAL),
        ("HVMOP_get_param", {"index": 1}, ESRCH),
        ("HVMOP_set_param", {"index": 1}, ESRCH),
        ("VCPUOP_up", {}, 0),
    ],
)
def test_refusals(call: Caller, op: str, fields: dict[str, int], result: int) -> None:
    at = 0 if op == "VCPUOP_up" else KERNEL
    assert call(op, at, False, **fields) == result


def test_unknown_operations_are_named(call: Caller) -> None:
    call("EVTCHNOP_bind_pirq")
    call.l0.call(99, (1, 2, 3, 4, 5), False)
    assert call.l0.unknown == ["EVTCHNOP_bind_pirq", "hypercall_99:1"]


def test_guest_pointer_without_access_faults(call: Caller) -> None:
    """SMAP: L0 reads with its caller's EFLAGS.AC."""
    assert call("EVTCHNOP_close", GUEST, port=12) == EFAULT
    assert call.l0.guest_pointers == [("EVTCHNOP_close", GUEST)]
    call.l0.open(12, PortKind.UNBOUND)
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


def test_query_size_refused_by_its_status(call: Caller) -> None:
    """The call itself goes well, and says nothing of sizes."""
    call.l0.interactions = Plan(kinds=(STATUS,))
    assert call("GNTTABOP_query_size", dom=SELF) == 0
    seen = [call.field("GNTTABOP_query_size", name) for name in ("status", "max_nr_frames")]
    assert seen == [abi.CONSTANTS["GNTST_general_error"], 0]
    assert call("GNTTABOP_query_size", dom=SELF) == 0
    assert call.field("GNTTABOP_query_size", "max_nr_frames") == 4


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


def test_tlbs_are_flushed_for_all_or_not_at_all(call: Caller) -> None:
    """HVMOP_flush_tlbs takes no argument (public hvm_op.h)."""
    assert call("HVMOP_flush_tlbs", at=0) == 0
    assert call("HVMOP_flush_tlbs", at=KERNEL) == -abi.ERRNO["EINVAL"]


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
    call.l0.open(5, PortKind.UNBOUND)
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
    call.l0.open(70, PortKind.UNBOUND)
    assert call("EVTCHNOP_close", port=70) == 0
    assert call("EVTCHNOP_close", port=70) == EINVAL
    assert call("EVTCHNOP_unmask", port=70) == 0
    assert call("EVTCHNOP_unmask", port=127) == 0
    assert call("EVTCHNOP_unmask", port=128) == EINVAL


def test_a_resumed_domain_has_what_its_tools_have_set_up() -> None:
    pages = Pages()
    setup = L0Setup(resumed=((abi.CONSTANTS["HVM_PARAM_STORE_EVTCHN"], 9),))
    call = Caller(L0(OPERATIONS, pages, Plan(), setup), pages)
    call.l0.open(70, PortKind.VIRQ)
    assert call("SCHEDOP_shutdown", reason=abi.CONSTANTS["SHUTDOWN_suspend"]) == 0
    assert {number: port.state for number, port in call.l0.ports.items()} == {
        2: "interdomain",
        9: "interdomain",
    }
    assert call("EVTCHNOP_unmask", port=70) == EINVAL


def test_a_cancelled_suspend_changes_nothing() -> None:
    pages = Pages()
    call = Caller(L0(OPERATIONS, pages, Plan(), L0Setup(suspend=1)), pages)
    call.l0.open(70, PortKind.VIRQ)
    assert call("SCHEDOP_shutdown", reason=abi.CONSTANTS["SHUTDOWN_suspend"]) == 1
    assert set(call.l0.ports) == {70}


def test_vcpus_are_up_that_were_brought_up() -> None:
    """vcpu.h, VCPUOP_is_up: a domain is built with its first alone, and VCPUOP_up initialises no other."""
    pages = Pages()
    l0 = L0(OPERATIONS, pages, Plan(), L0Setup(vcpus=2))

    def ask(operation: str, vcpu: int) -> int:
        hypercall, number = abi.numbers(operation) or (0, 0)
        return l0.call(hypercall, (number, vcpu, 0, 0, 0), False)

    assert [ask("VCPUOP_is_up", vcpu) for vcpu in range(3)] == [1, 0, ENOENT]
    assert [ask("VCPUOP_up", vcpu) for vcpu in range(3)] == [0, EINVAL, ENOENT]
    assert ask("VCPUOP_down", 0) == 0
    assert ask("VCPUOP_is_up", 0) == 0
    assert ask("VCPUOP_up", 0) == 0
    assert ask("VCPUOP_is_up", 0) == 1


@dataclass
class Machine:
    """A machine that notes what L0 does to it (`emu.l0.Hardware`)."""

    pages: dict[int, bytearray] = field(default_factory=dict)
    raised: list[tuple[int, int]] = field(default_factory=list)

    def frame(self, number: int) -> memoryview | None:
        return memoryview(self.pages.setdefault(number, bytearray(4096)))

    def now(self) -> int:
        return 1000

    def interrupt(self, vcpu: int, vector: int) -> None:
        self.raised.append((vcpu, vector))

    def runs(self, vcpu: int) -> bool:
        return vcpu == 0


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def served(machine: Machine) -> Caller:
    """A domain with its shared info mapped and an upcall vector on each of its vcpus."""
    pages = Pages()
    made = Caller(L0(OPERATIONS, pages, Plan(), L0Setup(), machine), pages)
    assert made("XENMEM_add_to_physmap", domid=SELF, space=0, idx=0, gpfn=0x99) == 0
    for vcpu in (0, 1):
        assert made("HVMOP_set_evtchn_upcall_vector", vcpu=vcpu, vector=0xF3) == 0
    machine.raised.clear()
    return made


def test_an_upcall_vector_is_raised_when_it_is_named(machine: Machine) -> None:
    pages = Pages()
    call = Caller(L0(OPERATIONS, pages, Plan(), L0Setup(), machine), pages)
    assert call("HVMOP_set_evtchn_upcall_vector", vcpu=1, vector=0xF3) == 0
    assert machine.raised == [(1, 0xF3)]
    assert call("HVMOP_set_evtchn_upcall_vector", vcpu=1, vector=15) == EINVAL


def test_an_event_goes_to_its_vcpu_and_tells_it_once(served: Caller, machine: Machine) -> None:
    """As for any guest: neither what is pending already nor a vcpu that was told is told again."""
    served.l0.open(12, PortKind.INTERDOMAIN)
    served.l0.open(13, PortKind.INTERDOMAIN, vcpu=1)
    served.l0.open(14, PortKind.INTERDOMAIN)
    for port in (12, 12, 13, 14):
        served.l0.raise_event(port)
    assert machine.raised == [(0, 0xF3), (1, 0xF3)]
    shared = machine.pages[0x99]
    assert (shared[0], shared[64]) == (1, 1)
    assert (shared[8], shared[64 + 8]) == (1, 1)
    assert shared[0x801] == 0b111 << 4


def test_a_masked_event_comes_when_it_is_unmasked(served: Caller, machine: Machine) -> None:
    served.l0.open(12, PortKind.INTERDOMAIN)
    machine.pages[0x99][0xA01] = 1 << 4
    served.l0.raise_event(12)
    assert machine.raised == []
    assert served("EVTCHNOP_unmask", port=12) == 0
    assert machine.raised == [(0, 0xF3)]


def test_an_ipi_comes_back_to_the_domain(served: Caller, machine: Machine) -> None:
    served("EVTCHNOP_bind_ipi", vcpu=1)
    assert served("EVTCHNOP_send", port=12) == 0
    assert machine.raised == [(1, 0xF3)]


def test_a_loop_through_the_own_domain(served: Caller, machine: Machine) -> None:
    served.l0.open(20, PortKind.INTERDOMAIN, vcpu=1)
    served("EVTCHNOP_bind_interdomain", remote_dom=SELF, remote_port=20)
    assert served("EVTCHNOP_send", port=12) == 0
    assert machine.raised == [(1, 0xF3)]


def test_a_callback_vector_is_there_for_as_long_as_something_is_pending(machine: Machine) -> None:
    pages = Pages()
    call = Caller(L0(OPERATIONS, pages, Plan(), L0Setup(), machine), pages)
    call("XENMEM_add_to_physmap", domid=SELF, space=0, idx=0, gpfn=0x99)
    call.l0.open(12, PortKind.INTERDOMAIN)
    via = abi.CONSTANTS["HVM_PARAM_CALLBACK_IRQ"]
    call("HVMOP_set_param", domid=SELF, index=via, value=2 << 56 | 0xF3)
    assert call.l0.callback(0) is None
    call.l0.raise_event(12)
    assert (call.l0.callback(0), call.l0.callback(1), machine.raised) == (0xF3, None, [])
    machine.pages[0x99][0] = 0
    assert call.l0.callback(0) is None


def test_memory_that_is_given_back_can_be_had_again(served: Caller) -> None:
    lists = served.pages.pages.setdefault(0x6000, bytearray(4096))
    lists[:24] = struct.pack("<QQQ", 0x100, 0x101, 0x100)

    def ask(operation: str, count: int, domid: int = SELF, order: int = 0) -> int:
        fields = {"extent_start": 0x6000, "nr_extents": count, "extent_order": order}
        return served(operation, KERNEL, False, **fields, domid=domid)

    give, take = "XENMEM_decrease_reservation", "XENMEM_populate_physmap"
    assert ask(give, 3) == 2, "the third has gone already"
    assert served.l0.given_back == {0x100, 0x101}
    assert ask(take, 1) == 1
    assert served.l0.given_back == {0x101}
    assert ask(take, 1) == 0
    assert ask(give, 3, domid=9) == ESRCH
    assert ask(give, 1, order=3) == 0, "0x101 is among them"


def test_a_resumed_domain_is_told_of_nothing(served: Caller, machine: Machine) -> None:
    served.l0.setup = L0Setup(resumed_domid=42)
    assert served("SCHEDOP_shutdown", reason=abi.CONSTANTS["SHUTDOWN_suspend"]) == 0
    served.l0.raise_event(1)
    assert (machine.raised, served.l0.shared, served.l0.mapped) == ([], None, {})
    assert (served.l0.is_self(42), served.l0.is_self(1)) == (True, False)
    assert served("XENMEM_add_to_physmap", domid=42, space=0, idx=0, gpfn=0x77) == 0
    assert bytes(machine.pages[0x77][0x800:0x900]) == bytes(256)


def test_the_console_daemon_reads_the_ring(served: Caller, machine: Machine) -> None:
    """Where the producer stands, and around the end of the ring; what is there already is left alone."""
    ring = served.l0.hardware.frame(0xFEFE1) if served.l0.hardware else None
    assert ring is not None
    ring[0xC08:0xC10] = struct.pack("<II", 2046, 2050)
    ring[1024 + 2046 : 1024 + 2048] = b"he"
    ring[1024:1026] = b"y\n"
    served.l0.open(2, PortKind.INTERDOMAIN)
    served.l0.open(3, PortKind.INTERDOMAIN)
    assert served("EVTCHNOP_send", port=3) == 0
    assert bytes(served.l0.console) == b""
    assert served("EVTCHNOP_send", port=2) == 0
    assert bytes(served.l0.console) == b"hey\n"
    assert struct.unpack("<II", ring[0xC08:0xC10]) == (2050, 2050)
