# SPDX-License-Identifier: GPL-2.0-or-later
"""The sample's image with one function overwritten: what no guest's call may do is found, and where."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from emu.abi import ERRNO
from emu.booted import drive
from emu.booted.emulate import BootReport, emulate_image
from emu.booted.ending import Bounds
from emu.elf.linked import parse_image
from emu.findings.boot_report import Treatment
from emu.findings.invariant import Invariant
from emu.findings.verdict import Outcome
from emu.l0 import OPERATIONS
from emu.l0.domain import Domain, Request
from emu.profile import load_profile
from tests.emu.images import sample_image

ENTRY = "pv_shim_event_channel_op"
UD2 = b"\x0f\x0b"
LOOP = b"\xeb\xfe"
IMPATIENT = Bounds(seconds=0.4, instructions=50_000, patience=2)
RETURN_0 = b"\x31\xc0\xc3"
RETURN_1 = b"\xb8\1\0\0\0\xc3"


@cache
def address(symbol: str = ENTRY) -> int:
    return parse_image(sample_image()).symbols[symbol]


def place(symbol: str) -> int:
    """Where it lies in the file."""
    (load,) = parse_image(sample_image()).loads
    return sample_image().index(bytes(load.content)) + address(symbol) - load.virtual


def overwritten(code: bytes, symbol: str = ENTRY) -> bytes:
    data, at = bytearray(sample_image()), place(symbol)
    data[at : at + len(code)] = code
    return bytes(data)


def forwarding(first: bytes = b"") -> bytes:
    """Code in the place of the entry that gives L0 whatever its guest asks for, after something else."""
    image = parse_image(sample_image())
    before = first + b"\x0f\x01\xcb\xe8"  # stac; call
    target = image.symbols["hypercall_page"] + 32 * 32
    call = (target - address() - len(before) - 4).to_bytes(4, "little", signed=True)
    return before + call + b"\x0f\x01\xca\xc3"  # clac; ret


def boot(code: bytes, only: str = "send/64", symbol: str = ENTRY) -> BootReport:
    return emulate_image(overwritten(code, symbol), load_profile("xen-pv-shim-4.10"), only=only)


@pytest.mark.parametrize("scenario", ["send", "unknown event channel operation"])
@pytest.mark.parametrize("mode", ["64", "compat"])
def test_a_call_that_never_ends(monkeypatch: pytest.MonkeyPatch, scenario: str, mode: str) -> None:
    """The bound is one of time, the verdict is not: it is a circle.

    The first scenario binds a port beforehand, and ends there already.
    """
    monkeypatch.setattr(drive, "CALL", IMPATIENT)
    report = boot(LOOP, f"{scenario}/{mode}")
    (row,) = report.behaviour
    (finding,) = row.findings
    assert (report.outcome, row.treatment) == (Outcome.FAILED, Treatment.CRASHED)
    assert "loops" in finding.message
    assert finding.where == f"{ENTRY}+0x0"


def test_an_invalid_instruction() -> None:
    report = boot(UD2, "send bad pointer/64")
    found = {finding.invariant: finding for finding in report.findings}
    assert found["trap"].where == f"{ENTRY}+0x0"
    assert "does not return" in found["crash"].message


def test_an_unmask_that_tells_of_nothing() -> None:
    """The port is unmasked, and what is pending there stays so."""
    report = boot(RETURN_0, "event while its port is masked/64", "evtchn_unmask")
    (finding,) = report.findings
    assert (
        finding.message == "port 12 is unmasked while an event is pending, and vcpu 0 is not called"
    )


def test_an_event_that_comes_at_another_port() -> None:
    """The last three bits of its number are lost: the function stands in the room of another, and where it
    stood its argument is changed."""
    raises, room = "evtchn_set_pending", "pv_shim_grant_table_op"
    image = bytearray(sample_image())
    begin, end = (place(symbol) for symbol in (raises, room))
    image[end : end + 128] = image[begin : begin + 128]
    away = (end - begin - 8).to_bytes(4, "little", signed=True)
    image[begin : begin + 8] = b"\x83\xe6\xf8\xe9" + away  # and $~7, %esi; jmp
    profile = load_profile("xen-pv-shim-4.10")
    (finding,) = emulate_image(bytes(image), profile, only="events at once/64").findings
    assert finding.message.endswith("are pending at 8, 56, 64, 96, 120 for the guest")


def test_an_image_that_delivers_nothing_at_all() -> None:
    """Which other rows show: nothing is said of the mask."""
    report = boot(b"\xc3", "event while its port is masked/64", "evtchn_set_pending")
    assert (report.behaviour[0].treatment, report.findings) == (Treatment.LOCAL, ())


def test_more_than_the_guest_takes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the image had asked L0 for a page more than its guest."""
    genuine = OPERATIONS["XENMEM_populate_physmap"]

    def greedy(l0: Domain, request: Request) -> int:
        result = genuine.answer(l0, request)
        l0.given_back.pop()
        return result

    monkeypatch.setitem(OPERATIONS, "XENMEM_populate_physmap", replace(genuine, answer=greedy))
    only = "memory given back and one page taken again/64"
    report = emulate_image(sample_image(), load_profile("xen-pv-shim-4.10"), only=only)
    (finding,) = report.findings
    assert finding.message == "the guest has 1 of its 3 pages again, and L0 keeps 1"


def test_memory_that_is_the_images_own() -> None:
    """It says that its guest has a page more, and has asked nobody for it."""
    only = "memory that was never given back/64"
    report = emulate_image(sample_image(), load_profile("xen-pv-shim-4.10"), only=only)
    assert (report.behaviour[0].result, report.findings) == (0, ())
    (finding,) = boot(RETURN_1, only, "do_memory_op").findings
    assert (
        finding.message == "the guest gets one more page than it began with, and L0 has given none"
    )


def test_success_without_an_answer() -> None:
    """The core says yes to everything: L0 is never asked, and the guest gets no port."""
    report = boot(RETURN_0, "alloc_unbound/64")
    messages = [finding.message for finding in report.findings]
    assert "L0 is not asked for EVTCHNOP_alloc_unbound as expected" in messages
    assert "the guest sees port = 0, not 12" in messages


def test_a_guest_pointer_that_is_handed_on() -> None:
    """The guest's own arguments go to L0 as they are: with SMAP it cannot read them."""
    image = parse_image(sample_image())
    target = image.symbols["hypercall_page"] + 32 * 32
    jump = b"\xe9" + (target - address() - 5).to_bytes(4, "little", signed=True)
    report = boot(jump, "status out of range/64")
    found = {finding.invariant: finding.message for finding in report.findings}
    assert "EVTCHNOP_status is handed to L0 with a pointer to guest memory" in found["SMAP"]


@pytest.mark.parametrize("shim", [True, False])
def test_what_is_no_shim_asks_l0_on_its_own_behalf(shim: bool) -> None:
    """L0 is asked to send to port 9 whatever the guest asked: a fault of a core that forwards, and of
    nobody else."""
    image = parse_image(sample_image())
    target = image.symbols["hypercall_page"] + 32 * 32
    call = b"\xe8" + (target - address() - 24).to_bytes(4, "little", signed=True)
    frame = b"\x48\x83\xec\x18" + b"\xc7\x04\x24\x09\0\0\0"  # sub, movl $9, (%rsp)
    send = b"\xbf\x04\0\0\0" + b"\x48\x89\xe6"  # mov $EVTCHNOP_send, %edi; mov %rsp, %rsi
    elf = overwritten(frame + send + call + b"\x48\x83\xc4\x18\xc3")
    if not shim:
        elf = elf.replace(ENTRY.encode(), ENTRY[:-2].encode() + b"no")
    profile = load_profile("xen-pv-shim-4.10")
    report = emulate_image(elf, profile, only="send to the console/64")
    found = [f"{finding.invariant}: {finding.message}" for finding in report.findings]
    wrong = "translation: the guest asked for port = 2, L0 is asked for 9 (EVTCHNOP_send)"
    assert any(told in wrong for told in found) is shim
    assert bool(found) is shim


def test_a_lock_that_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call itself comes back; the one after it does not."""
    monkeypatch.setattr(drive, "CALL", IMPATIENT)
    profile = load_profile("xen-pv-shim-4.10")
    only = "alloc_unbound port in use/64"
    report = emulate_image(sample_image("bug-leak-lock"), profile, only=only)
    (row,) = report.behaviour
    found = {finding.invariant: finding for finding in row.findings}
    assert row.result == -16
    assert found["locks"].where.startswith("_spin_lock+")


def test_a_resume_that_asks_l0_for_nothing() -> None:
    report = boot(b"\xc3", "suspend and resume/64", "hypervisor_resume")
    (row,) = report.behaviour
    assert [finding.message for finding in row.findings] == [
        "the vcpu_info of vcpu 0 is not set up again after a suspend",
        "HVM_PARAM_CALLBACK_IRQ is not set up again after a suspend",
        "L0's shared info is not set up again after a suspend",
    ]
    assert {finding.rerun for finding in row.findings} == {"suspend and resume/64"}


def test_ports_and_grants_that_a_resume_keeps() -> None:
    """L0 has closed and unmapped them all."""
    report = boot(b"\xc3", "suspend and resume/64", "evtchn_close")
    (row,) = report.behaviour
    assert any("port 12, which L0 has closed, is not free" in f.message for f in row.findings)


def test_a_processor_that_does_not_start() -> None:
    report = boot(LOOP, "second vcpu/64", "start_secondary")
    (row,) = report.behaviour
    assert (row.treatment, row.note) == (Treatment.UNREACHED, "VCPUOP_up: -EIO")
    assert [m.name for m in report.ladder if not m.reached][:2] == [
        "second vCPU online",
        "second L2 vCPU entered (64-bit)",
    ]


def test_a_processor_that_faults_on_its_way() -> None:
    report = boot(UD2, "second vcpu/64", "start_secondary")
    (row,) = report.behaviour
    (finding,) = row.findings
    assert (row.treatment, finding.invariant) == (Treatment.CRASHED, "crash")
    assert finding.where == "start_secondary+0x0"


def test_an_event_that_is_handed_on_to_nobody() -> None:
    report = boot(b"\xc3", "event from L0/64", "pv_shim_inject_evtchn")
    (row,) = report.behaviour
    assert (row.treatment, row.note) == (Treatment.LOCAL, "port 12 is not pending for the guest")


@pytest.mark.parametrize(
    ("refusal", "wrong"),
    [
        ("EINVAL", ["port 12, which the guest has just been given, is closed with -EINVAL"]),
        ("ENOSYS", []),
    ],
)
def test_a_port_that_is_given_and_not_taken_back(refusal: str, wrong: list[str]) -> None:
    """Everything goes to L0, but for EVTCHNOP_close (3); as unknown, where there is no such operation yet."""
    refuse = b"\x48\xc7\xc0" + (-ERRNO[refusal]).to_bytes(4, "little", signed=True) + b"\xc3"
    first = b"\x83\xff\x03\x75" + bytes((len(refuse),)) + refuse
    report = boot(forwarding(first), "alloc_unbound/64")
    found = [f for f in report.findings if f.invariant == Invariant.PORTS_AGREE]
    assert [finding.message for finding in found] == wrong
    assert {finding.where for finding in found} <= {"EVTCHNOP_close"}


def test_a_port_that_has_no_bit_in_the_shared_page() -> None:
    """L0 hands it out for once, and the core keeps it."""
    report = boot(forwarding(), "alloc_unbound port beyond 16 bits/64")
    (row,) = report.behaviour
    assert row.result == 0
    assert "the result is 0, not error" in [finding.message for finding in row.findings]


def test_a_refusal_that_is_remembered() -> None:
    """L0 refuses once, and the core never asks it again."""
    image = parse_image(sample_image())
    flag, page = image.symbols["nr_grant_list"], image.symbols["hypercall_page"] + 32 * 32

    def to(target: int, end: int) -> bytes:
        return (target - address() - end).to_bytes(4, "little", signed=True)

    code = b"\x83\x3d" + to(flag, 7) + b"\0" + b"\x75\x1a"  # cmpl $0, flag; jne
    code += b"\x0f\x01\xcb\xe8" + to(page, 17) + b"\x0f\x01\xca"  # stac; call; clac
    code += b"\x85\xc0\x79\x0a"  # test %eax, %eax; jns
    code += b"\xc7\x05" + to(flag, 34) + b"\x01\0\0\0"  # movl $1, flag
    code += b"\xc3" + b"\x48\xc7\xc0\xf0\xff\xff\xff\xc3"  # ret; mov $-EBUSY, %rax; ret
    report = boot(code, "alloc_unbound/64")
    found = [finding.message for finding in report.findings if finding.invariant == "asked again"]
    refused = "(when L0 EVTCHNOP_alloc_unbound fails)"
    assert found == [f"asked again, when nothing fails, the result is -EBUSY {refused}"]
