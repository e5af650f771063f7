# SPDX-License-Identifier: GPL-2.0-or-later
"""Images that cannot be started, or that do wrong: an error or a verdict that names the place."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emu.booted import turns as run
from emu.booted.emulate import BootReport, emulate_image
from emu.booted.ending import Bounds
from emu.elf.bare import without_debug
from emu.elf.linked import parse_image
from emu.errors import ElfError, NoPvhEntry, NotElf, TruncatedElf, WrongMachine
from emu.findings.verdict import Outcome
from emu.profile import load_profile
from tests.emu.images import NOTE, SHIM, link, sample_image, shim32, shim64

PROFILE = load_profile("xen-pv-shim-4.10")
HYPERCALL_PAGE = """
        mov     $0x40000002, %eax
        cpuid
        mov     %ebx, %ecx
        lea     page(%rip), %rax
        movabs  $0xffff82d080000000, %rbx
        sub     %rbx, %rax
        xor     %edx, %edx
        wrmsr
"""
PAGE = "\n.balign 4096\npage: .fill 4096, 1, 0xc3\n"


def boot(elf: bytes) -> BootReport:
    return emulate_image(elf, PROFILE)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "BOOT", Bounds(seconds=0.4, instructions=100_000, patience=2))


def verdict(elf: bytes) -> tuple[str, str, str]:
    """(invariant, message, where) of the one thing that is found."""
    report = boot(elf)
    assert report.outcome is Outcome.FAILED
    (finding,) = report.findings
    assert report.ladder[-2].detail.endswith(finding.where)
    return finding.invariant, finding.message, finding.where


def test_no_elf() -> None:
    with pytest.raises(NotElf, match="not an ELF file"):
        boot(b"#!/bin/sh\n")


def test_no_pvh_note() -> None:
    with pytest.raises(NoPvhEntry, match="XEN_ELFNOTE_PHYS32_ENTRY"):
        boot(link(f".text\npvh_start: hlt\n{SHIM}"))


def test_no_pvh_note_and_no_physical_address() -> None:
    """So Xen is linked up to 4.10.0: nothing is there to start yet, and nothing is wrong with it."""
    elf = bytearray(link(f".text\npvh_start: hlt\n{SHIM}"))
    elf[64 + 24 : 64 + 32] = elf[64 + 16 : 64 + 24]
    with pytest.raises(NoPvhEntry):
        boot(bytes(elf))


def test_an_image_says_the_same_without_its_debug_information() -> None:
    whole = sample_image()
    bare = without_debug(whole)
    assert len(bare) < len(whole)
    one, other = parse_image(whole), parse_image(bare)
    assert (one.loads, one.entry, one.symbols) == (other.loads, other.entry, other.symbols)
    for odd in (b"", b"text", whole[:70], whole[:-100], b"\x7fELF" + bytes(100)):
        assert without_debug(odd) == odd


def test_debug_information_over_the_header_stays() -> None:
    whole = bytearray(sample_image())
    sections, count, names = (
        *struct.unpack_from("<Q", whole, 40),
        *struct.unpack_from("<HH", whole, 60),
    )
    (spelled,) = struct.unpack_from("<Q", whole, sections + 64 * names + 24)
    for at in range(sections, sections + 64 * count, 64):
        (name,) = struct.unpack_from("<I", whole, at)
        if whole[spelled + name :].startswith(b".debug_info\0"):
            struct.pack_into("<QQ", whole, at + 24, 0, 64)
            break
    else:
        pytest.fail("no debug information")
    assert without_debug(bytes(whole)) == bytes(whole)


@pytest.mark.parametrize("kind", [1, 4])
def test_a_segment_that_ends_behind_the_file_is_refused(kind: int) -> None:
    """PT_LOAD and PT_NOTE, by one byte."""
    whole = bytearray(link(f".text\npvh_start: hlt\n{SHIM}{NOTE}"))
    parse_image(bytes(whole))
    for at in range(64, 64 + 56 * whole[56], 56):
        if whole[at] == kind:
            (offset,) = struct.unpack_from("<Q", whole, at + 8)
            struct.pack_into("<Q", whole, at + 32, len(whole) - offset + 1)
            break
    else:
        pytest.fail("no such segment")
    with pytest.raises(TruncatedElf, match=f"ends at {len(whole) + 1:#x}"):
        parse_image(bytes(whole))


@pytest.mark.parametrize("at", [32, 40])
def test_headers_behind_any_file_are_left_to_who_reads_them(at: int) -> None:
    whole = bytearray(sample_image())
    struct.pack_into("<Q", whole, at, (1 << 64) - 64)
    assert without_debug(bytes(whole)) == bytes(whole)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damage_is_not_made_worse_without_debug_information(data: st.DataObject) -> None:
    """Whatever the headers say: the image means the same without, or is refused as it was."""
    whole = bytearray(sample_image())
    (sections,) = struct.unpack_from("<Q", whole, 40)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.sampled_from([0, 64, sections, sections]))
        at = start + data.draw(st.integers(0, 8 * 64))
        if at < len(whole):
            whole[at] = data.draw(st.sampled_from([0, 1, 2, 0x40, 0xFF]))
    assert _read(without_debug(bytes(whole))) == _read(bytes(whole))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        pytest.param(64 + 9, 0, id="a segment that loads the headers"),
        pytest.param(41, 0, id="sections in the ELF header"),
    ],
)
def test_tables_that_lie_where_something_else_is_stay(place: int, value: int) -> None:
    whole = bytearray(sample_image())
    whole[place] = value
    assert _read(without_debug(bytes(whole))) == _read(bytes(whole))


def _read(elf: bytes) -> object:
    try:
        image = parse_image(elf)
    except ElfError as exc:
        return type(exc)
    return [(x.physical, x.virtual, x.size, bytes(x.content)) for x in image.loads], image.symbols


@pytest.mark.parametrize("apart", [0, 300])
def test_the_hypercall_page_is_asked_for_anywhere(apart: int) -> None:
    """Also where the instruction that does it is far from the one that asks how."""
    code = HYPERCALL_PAGE.replace("cpuid\n", f"cpuid\n.fill {apart}, 1, 0x90\n")
    report = boot(shim64(f"{code}\nhlt\n{PAGE}"))
    filled = report.milestone("hypercall page filled")
    assert filled is not None
    assert filled.reached


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (4, b"\x01", "32-bit"),
        (18, struct.pack("<H", 183), "AArch64"),
        (16, struct.pack("<H", 1), "file type 1"),
    ],
)
def test_another_machine(offset: int, value: bytes, message: str) -> None:
    elf = bytearray(shim32("hlt"))
    elf[offset : offset + len(value)] = value
    with pytest.raises(WrongMachine, match=message):
        boot(bytes(elf))


def test_an_image_larger_than_the_machine() -> None:
    elf = bytearray(shim32("hlt"))
    elf[64 + 40 : 64 + 48] = struct.pack("<Q", 1 << 30)
    with pytest.raises(TruncatedElf, match="the machine has 64 MiB"):
        boot(bytes(elf))


@given(st.integers(4, 600))
@settings(max_examples=30, deadline=None)
def test_a_truncated_image(size: int) -> None:
    with pytest.raises(ElfError):
        boot(shim32("hlt")[:size])


@given(st.lists(st.tuples(st.integers(16, 300), st.integers(0, 255)), max_size=12))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_a_hostile_header(edits: list[tuple[int, int]]) -> None:
    """Either an error of ours or a verdict; nothing else, and soon."""
    elf = bytearray(shim32("hlt"))
    for at, value in edits:
        elf[at] = value
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "BOOT", Bounds(seconds=0.4, instructions=100_000, patience=2))
        try:
            report = boot(bytes(elf))
        except ElfError:
            return
    assert report.outcome in (Outcome.FAILED, Outcome.ABSENT)


def test_an_entry_outside_of_the_image() -> None:
    elf = shim32("hlt").replace(b"Xen\0\0\0 \0", b"Xen\0\0\0\0\x7f")
    report = boot(elf)
    assert not report.ladder[0].reached
    assert report.findings[0].message.startswith("the guest is never entered: ")
    assert report.findings[0].where == "0x7f000000"


@pytest.mark.parametrize(
    ("code", "port"),
    [
        ("mov $0xfe, %al\noutb %al, $0x64", "0x64"),
        ("mov $0xcf9, %edx\nmov $6, %al\noutb %al, %dx", "0xcf9"),
    ],
)
def test_an_image_that_resets_the_machine(code: str, port: str) -> None:
    kind, message, _ = verdict(shim32(code + "\n1: jmp 1b"))
    assert kind == "reset"
    assert f"resets the machine by port {port}" in message


def test_an_image_that_halts() -> None:
    kind, message, where = verdict(shim32("cli\nhlt"))
    assert (kind, where) == ("halt", "pvh_start+0x1")
    assert "nothing will wake it" in message


@pytest.mark.parametrize(
    ("code", "where"),
    [
        ("nop\n1: jmp 1b", "pvh_start+0x1"),
        (
            "mov $stack - 0xffff82d080000000, %esp\n1: push %esp\npop %eax\nnop\njmp 1b",
            "pvh_start+0x5",
        ),
        ("1: mov $9, %ecx\n2: loop 2b\njmp 1b", "pvh_start+0x0"),
        ("1: xchg %eax, lock - 0xffff82d080000000\nmov $1, %al\npause\njmp 1b", "pvh_start+0x0"),
    ],
)
def test_an_image_that_goes_round_in_circles(impatient: None, code: str, where: str) -> None:
    """It is told by its lowest address, wherever the time was up."""
    kind, message, place = verdict(shim32(code + "\n.balign 16\nlock: .skip 4096\nstack: .skip 4"))
    assert (kind, place) == ("loop", where)
    assert "loops, and nothing changes" in message


def test_an_image_that_counts_for_ever(impatient: None) -> None:
    """No two moments are alike: only the number of its instructions bounds it."""
    kind, message, where = verdict(
        shim32(
            "xor %eax, %eax\n1: inc %eax\nmov %eax, pvh_start - 0xffff82d080000000 + 0x800\njmp 1b"
        )
    )
    assert (kind, "100000 instructions" in message) == ("loop", True)
    assert where.startswith("pvh_start+")


TIMER = """
        lea     idt(%rip), %rax
        lea     handler(%rip), %rbx
        mov     %bx, 0x400(%rax)
        movw    $8, 0x402(%rax)
        movw    $0x8e00, 0x404(%rax)
        shr     $16, %rbx
        mov     %ebx, 0x406(%rax)
        shr     $16, %rbx
        mov     %bx, 0x408(%rax)
        movw    $0xffff, 0x40a(%rax)
        lea     idtr(%rip), %rbx
        mov     %rax, 2(%rbx)
        lidt    (%rbx)
        lea     directory(%rip), %rbx
        mov     %cr3, %rcx
        movabs  $0xffff82d080000000, %rdx
        sub     %rdx, %rbx
        or      $3, %rbx
        mov     %rbx, 0x1018(%rcx)              /* the fourth gigabyte */
        mov     $0xfee00000, %ebx
        movl    $MODE + 0x40, 0x320(%rbx)
        movl    $0x1000, 0x380(%rbx)
        sti
"""
INTERRUPTS = """
        .balign 8
idtr:   .word   0xfff
        .quad   0
        .balign 16
idt:    .skip   4096
        .balign 4096
directory: .skip 0x1f7 * 8
        .quad   0xfee00083
        .skip   8 * 8
"""


def with_timer(code: str, *, again: bool = False) -> str:
    """``code`` with the timer of its local APIC set, to fire once or ``again`` and again."""
    return f".set MODE, {0x20000 if again else 0:#x}\n{TIMER}{code}{INTERRUPTS}"


def test_a_circle_that_an_interrupt_breaks(impatient: None) -> None:
    """The timer's interrupt changes what is waited for: that is no standstill."""
    kind, _, where = verdict(shim64(with_timer("wait: jmp wait\nhandler: ud2\n")))
    assert (kind, where) == ("crash", "handler+0x0")


WAITS = """
wait:   pause
        cmpl    $ENOUGH, count(%rip)
        jb      wait
        ud2
handler: incl   count(%rip)
        mov     $0xfee00000, %ebx
        movl    $0, 0xb0(%rbx)                  /* end of interrupt */
        lea     stack(%rip), %rsp
        sti
        jmp     wait
count:  .long   0
"""


@pytest.fixture
def timeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the time of the machine below would be asked, it is an error."""

    def asked(*_: object) -> None:
        raise AssertionError("the verdict depends on how fast the machine below is")

    monkeypatch.setattr(run.Runner, "_time_is_up", asked)


def test_a_lone_processor_that_spins_though_interrupts_come(
    impatient: None, timeless: None
) -> None:
    """The timer's interrupt comes and changes nothing that it waits for."""
    code = ".set ENOUGH, 2\n" + WAITS
    kind, message, where = verdict(shim64(with_timer(code)))
    assert (kind, where) == ("loop", "wait+0x0")
    assert "loops, and nothing changes" in message


@pytest.mark.parametrize("enough", [3, 60])
def test_a_lone_processor_that_spins_until_its_timer_has_fired_often(
    impatient: None, timeless: None, enough: int
) -> None:
    code = f".set ENOUGH, {enough}\n" + WAITS
    kind, message, where = verdict(shim64(with_timer(code, again=True)))
    assert (kind, where) == ("crash", "wait+0xb")
    assert "triple fault" in message or "exception 6" in message


def test_an_image_that_waits_for_ever(impatient: None) -> None:
    kind, message, where = verdict(shim64("wait: rdtsc\njmp wait"))
    assert (kind, where) == ("loop", "wait+0x0")
    assert "waits forever" in message


def test_a_triple_fault() -> None:
    kind, message, where = verdict(shim64("fault: ud2"))
    assert (kind, where) == ("crash", "fault+0x0")
    assert "triple fault: exception 6" in message


def test_an_exception_before_long_mode() -> None:
    kind, message, where = verdict(shim32("ud2"))
    assert (kind, where) == ("crash", "pvh_start+0x0")
    assert "not in 64-bit mode" in message


def test_an_image_that_writes_over_its_page_tables() -> None:
    clear = "mov %cr3, %rdi\nmov $512, %ecx\nxor %eax, %eax\nrep stosq\n"
    code = clear + "gone: mov %cr3, %rax\nmov %rax, %cr3\nnop"
    kind, message, where = verdict(shim64(code))
    assert kind == "crash"
    assert "triple fault" in message
    assert where.startswith("gone+")


def test_an_operation_of_l0_that_nobody_modelled() -> None:
    """memory_op 77: named, with where the image stood then, which may be the fault of whoever answered."""
    code = f"{HYPERCALL_PAGE}\nmov $77, %edi\nxor %esi, %esi\nask: call page + 12 * 32\nhlt"
    report = boot(shim64(code + PAGE))
    assert (report.outcome, report.findings) == (Outcome.CANNOT_TELL, ())
    missing, then = report.boot_unjudged
    assert missing == "L0 is asked for memory_op:77, which is not modelled"
    assert then.startswith("then the guest is never entered: halts, ")
    assert "at ask+" in then
    assert report.milestone("hypercall page filled") is not None


def test_an_image_that_is_no_shim_yet_fails_nothing() -> None:
    report = boot(
        shim32("cli\nhlt").replace(b"pv_shim_event_channel_op", b"pv_shim_event_channel_no")
    )
    assert report.outcome is Outcome.ABSENT
    assert report.ladder[-1].detail.endswith("at pvh_start+0x1")
