# SPDX-License-Identifier: GPL-2.0-or-later
"""An image that calls L0 by vmcall or vmmcall where it stands, and never asks for a hypercall page."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest

from emu.abi import HYPERCALL_STRIDE, Mode
from emu.booted.emulate import BootReport, ModeReport, emulate_image, emulate_mode
from emu.elf import PAGE
from emu.elf.linked import parse_image
from emu.findings.verdict import Outcome
from emu.profile import load_profile
from tests.emu.images import sample_image, shim64

PROFILE = load_profile("xen-pv-shim-4.10")
pytestmark = pytest.mark.xdist_group("calls in place")
"""They share what one of them has booted."""

WRMSR = b"\x0f\x30"
VMCALL, VMMCALL = b"\x0f\x01\xc1", b"\x0f\x01\xd9"
IDT = """
        lea     idt(%rip), %rax
        lea     handler(%rip), %rbx
        mov     %bx, 0x20(%rax)                 /* the gate of vector 2 */
        movw    $8, 0x22(%rax)
        movw    $0x8e00, 0x24(%rax)
        shr     $16, %rbx
        mov     %rbx, 0x26(%rax)
        movw    $0xfff, idtr(%rip)
        mov     %rax, idtr + 2(%rip)
        lidt    idtr(%rip)
        lea     directory(%rip), %rbx
        mov     %cr3, %rcx
        movabs  $0xffff82d080000000, %rdx
        sub     %rdx, %rbx
        or      $3, %rbx
        mov     %rbx, 0x1018(%rcx)              /* the fourth gigabyte */
        mov     $0xfee00000, %ebx
        xor     %eax, %eax
        mov     %eax, %ss
"""
TABLES = """
        .balign 16
idtr:   .skip   16
idt:    .skip   4096
        .balign 4096
directory: .skip 0x1f7 * 8
        .quad   0xfee00083
        .skip   8 * 8
"""


def in_place(instruction: bytes) -> bytes:
    """The sample's image, whose own page calls so, and which tells nobody where that is."""
    data = bytearray(sample_image())
    image = parse_image(bytes(data))
    (load,) = image.loads
    start = data.index(bytes(load.content))
    setup = start + image.symbols["hypervisor_setup"] - load.virtual
    at = data.index(WRMSR, setup, setup + 0x100)
    data[at : at + len(WRMSR)] = b"\x90\x90"
    page = start + image.symbols["hypercall_page"] - load.virtual
    for number in range(PAGE // HYPERCALL_STRIDE):
        entry = b"\xb8" + number.to_bytes(4, "little") + instruction + b"\xc3"
        at = page + number * HYPERCALL_STRIDE
        data[at : at + len(entry)] = entry
    return bytes(data)


@functools.cache
def half(elf: bytes, mode: Mode) -> ModeReport:
    return emulate_mode(elf, PROFILE, mode)


@pytest.mark.parametrize("instruction", [VMCALL, VMMCALL])
def test_all_is_as_by_the_page(instruction: bytes) -> None:
    """With a guest of each mode, its second vcpu and its events included: the same rows to the last byte, but
    for what depends on the ticks that the two ways take."""
    mode = Mode.NATIVE if instruction == VMCALL else Mode.COMPAT
    page, own = half(sample_image(), mode), half(in_place(instruction), mode)
    assert [replace(row, note="") for row in own.rows] == [
        replace(row, note="") for row in page.rows
    ]
    assert not own.findings
    reached = [milestone.name for milestone in own.ladder if milestone.reached]
    assert reached == [milestone.name for milestone in page.ladder if milestone.reached]


def test_the_ladder_says_that_there_is_no_page() -> None:
    report = half(in_place(VMCALL), Mode.NATIVE)
    (rung,) = [rung for rung in report.ladder if rung.name == "hypercall page filled"]
    assert rung.reached
    assert rung.detail.startswith("none: called in place, first at hypercall_page+")


def boot(code: str) -> BootReport:
    return emulate_image(shim64(code), PROFILE)


def test_a_call_of_many() -> None:
    """As often as a loop makes it: none of them may leave anything behind for the next."""
    call = "mov $17, %eax\nxor %edi, %edi\nvmcall\ncmp $0x4000a, %eax\njne wrong\n"
    report = boot(f"mov $500, %ebp\nagain: {call}dec %ebp\njnz again\ncli\nright: hlt\nwrong: ud2")
    assert report.findings[0].where == "right+0x0"


def test_an_nmi_to_oneself_is_taken_at_once() -> None:
    """A lone processor that waits in a loop for what its own handler does."""
    code = f"""{IDT}
        movl    $0x400, 0x300(%rbx)
        mov     $100, %ecx
wait:   cmpl    $1, seen(%rip)
        je      taken
        dec     %ecx
        jnz     wait
        ud2
taken:  cli
        hlt
handler: incl   seen(%rip)
        iretq
seen:   .long   0
{TABLES}"""
    report = boot(code)
    assert report.outcome is Outcome.FAILED  # it never comes to its guest
    assert report.findings[0].where == "taken+0x1"


@pytest.mark.parametrize(("says", "wrong"), [("Xen 4.10.5", []), ("Xen 4.1.5", ["not 262145"])])
def test_the_version_is_what_the_image_says_of_itself(says: str, wrong: list[str]) -> None:
    """And what the profile says only where an image says nothing, as the sample's does."""
    own = says.encode() + b"\n"
    renamed = sample_image().replace(b"starting: %s\n", own.ljust(12) + b"\n")
    assert renamed != sample_image()
    report = emulate_image(renamed, PROFILE, only="version/64")
    assert [missing.rpartition(", ")[2] for _, missing in report.unjudged] == wrong
