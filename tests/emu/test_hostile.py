# SPDX-License-Identifier: GPL-2.0-or-later
"""Objects from strangers: whatever is in the file, the end is an `EmuError` or a report, soon."""

from __future__ import annotations

import contextlib
import re
import struct
import subprocess
import sys
import time
import tracemalloc
import zlib
from importlib import resources

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emu.elf import parse_elf
from emu.errors import EmuError, ProfileError
from emu.findings.verdict import ObjectReport, Outcome
from emu.object import emulate_object
from emu.profile import parse_profile
from tests.emu import damage, mini
from tests.emu.build import compile_source

SECONDS = 60
PEAK = 192 << 20

PATIENT = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def judge(data: bytes) -> ObjectReport | EmuError:
    started = time.monotonic()
    try:
        outcome: ObjectReport | EmuError = emulate_object(data, mini.profile(), only="send/64")
    except EmuError as exc:
        assert str(exc)
        outcome = exc
    assert time.monotonic() - started < SECONDS
    return outcome


@given(st.data())
@PATIENT
def test_truncated(data: st.DataObject) -> None:
    core = mini.core()
    length = data.draw(st.integers(0, len(core) - 1))
    judge(core[:length])


@given(st.data())
@PATIENT
def test_bytes_changed_anywhere(data: st.DataObject) -> None:
    core = bytearray(mini.core())
    spots = st.tuples(st.integers(0, len(core) - 1), st.integers(0, 255))
    for offset, value in data.draw(st.lists(spots, min_size=1, max_size=40)):
        core[offset] = value
    judge(bytes(core))


@pytest.mark.parametrize(
    "name",
    [
        ".text",
        ".symtab",
        ".strtab",
        ".rela.text",
        ".debug_info",
        ".debug_abbrev",
        ".debug_line",
        ".ex_table",
    ],
)
@given(data=st.data())
@settings(PATIENT, max_examples=12)
def test_bytes_changed_in_a_section(name: str, data: st.DataObject) -> None:
    """Where it hurts: code that was never compiled, chains of types that may be circular."""
    core = bytearray(mini.core())
    section = parse_elf(bytes(core)).section(name)
    assert section is not None
    start = bytes(core).index(bytes(section.data))
    spots = st.tuples(st.integers(start, start + section.size - 1), st.integers(0, 255))
    for offset, value in data.draw(st.lists(spots, min_size=1, max_size=30)):
        core[offset] = value
    judge(bytes(core))


@given(st.data())
@PATIENT
def test_section_headers_with_extreme_values(data: st.DataObject) -> None:
    core = bytearray(mini.core())
    offset, count = int.from_bytes(core[40:48], "little"), struct.unpack_from("<H", core, 60)[0]
    extremes = st.sampled_from(
        [0, 1, 0xFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1, 64 << 20]
    )
    for _ in range(data.draw(st.integers(1, 3))):
        header = offset + 64 * data.draw(st.integers(0, count - 1))
        field = data.draw(
            st.sampled_from([(4, "<I"), (8, "<Q"), (24, "<Q"), (32, "<Q"), (40, "<I"), (44, "<I")])
        )
        width = struct.calcsize(field[1])
        value = data.draw(extremes) & (1 << 8 * width) - 1
        struct.pack_into(field[1], core, header + field[0], value)
    judge(bytes(core))


SPINNING = {
    "a loop": "for ( ; ; );",
    "a recursion": "return pv_shim_event_channel_op(cmd, arg);",
    "calls without end": "for ( ; ; ) pv_console_evtchn();",
    "hypercalls without end": "for ( ; ; ) event_op(4, &op);",
    "copies without end": "for ( ; ; ) copy_from_user(&op, arg, sizeof(op));",
    "allocation without end": "for ( ; ; ) _xzalloc(0xffffffffffffffff, 16), _xzalloc(64, 16);",
    "a string instruction": '__asm__ volatile ("1: mov $-1, %rcx; mov %rsp, %rdi; rep stosb; jmp 1b");',
    "a repeated fault": (
        '__asm__ volatile ("1: movq $0, 0x10\\n\\t.section .ex_table, \\"a\\"\\n\\t'
        '.long 1b - ., 1b - .\\n\\t.previous");'
    ),
}


LONG = ("calls without end", "copies without end", "allocation without end")
"""Ended by the same budget as hypercalls without end, and as long in coming."""


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(body, id=name, marks=[pytest.mark.torture] if name in LONG else [])
        for name, body in SPINNING.items()
    ],
)
def test_cores_that_never_return(body: str) -> None:
    change = ("return event_op(4, &op);", body + " return 0;")
    flags = ("-O1", "-g", "-ffreestanding", "-fpic", "-mno-red-zone", "-fcf-protection=none", "-w")
    tracemalloc.start()
    try:
        report = judge(
            compile_source(mini.source(change), ".c", (*flags, "-fno-optimize-sibling-calls"))
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(report, ObjectReport)
    assert report.findings
    assert peak < PEAK


@given(st.data())
@settings(PATIENT, max_examples=80)
def test_damage_that_keeps_the_structure(data: st.DataObject) -> None:
    """Headers, symbols, relocations and sections that contradict each other."""
    judge(damage.damaged(mini.core(), data))


WILD = {
    "a jump into its data": 'static long x; __asm__ volatile ("jmp *%0" :: "r" (&x));',
    "a jump to its stack": '__asm__ volatile ("jmp *%rsp");',
    "a jump into a callee": '__asm__ volatile ("lea 3+pv_console_evtchn(%rip), %rax; jmp *%rax");',
    "a stack at zero": '__asm__ volatile ("xor %esp, %esp; push %rax");',
    "a stack in the guest": '__asm__ volatile ("mov $0xa00800, %esp; push %rax");',
    "a call on a stack that is gone": '__asm__ volatile ("mov $64, %esp; jmp _spin_lock");',
    "a stack that runs over": '__asm__ volatile ("1: push %rax; jmp 1b");',
    "a stack without end": '__asm__ volatile ("1: call 1b");',
    "a halt": '__asm__ volatile ("hlt");',
    "a breakpoint": '__asm__ volatile ("int3");',
    "an interrupt": '__asm__ volatile ("int $0x80");',
    "page tables of its own": '__asm__ volatile ("mov %0, %%cr3; mov %%rax, (%%rax)" :: "r" (0ul));',
    "descriptors of its own": '__asm__ volatile ("lgdt (%rsp); mov $8, %eax; mov %eax, %ss; push %rax");',
    "a far return": '__asm__ volatile ("push $8; push $0; lretq");',
    "a return from an interrupt": '__asm__ volatile ("iretq");',
    "no instruction": '__asm__ volatile (".byte 0x0f, 0xff, 0xff");',
    "a write over everything": (
        '__asm__ volatile ("mov $-1, %rcx; mov %rsp, %rdi; cld; rep stosb");'
    ),
    "a write to its own code": "*(volatile char *)&pv_shim_event_channel_op = 0;",
}


@pytest.mark.parametrize("body", WILD.values(), ids=WILD)
def test_cores_that_do_what_no_core_may(body: str) -> None:
    change = ("return event_op(4, &op);", body + " return event_op(4, &op);")
    flags = ("-O1", "-g", "-ffreestanding", "-fpic", "-mno-red-zone", "-fcf-protection=none", "-w")
    report = judge(compile_source(mini.source(change), ".c", flags))
    assert isinstance(report, ObjectReport)
    assert report.outcome is Outcome.FAILED


def test_a_function_that_is_no_code() -> None:
    """Found by damaging objects: nothing of it can be disassembled, so it has no blocks."""
    core = bytearray(mini.core())
    text = parse_elf(bytes(core)).section(".text")
    symbol = next(s for s in parse_elf(bytes(core)).symbols if s.name == "pv_shim_event_channel_op")
    assert text is not None
    start = bytes(core).index(bytes(text.data)) + symbol.value
    core[start : start + 8] = b"\xff" * 8
    report = judge(bytes(core))
    assert isinstance(report, ObjectReport)
    assert report.outcome is Outcome.FAILED


UNANSWERED = {
    "syscall": "syscall",
    "in": "in $0x60, %%al",
    "out": "out %%al, $0x80",
    "rdtsc": "rdtsc",
    "rdtscp": "rdtscp",
    "rdmsr": "mov $0x10, %%ecx; rdmsr",
    "wrmsr": "mov $0x10, %%ecx; wrmsr",
}


@pytest.mark.parametrize(("name", "body"), UNANSWERED.items(), ids=UNANSWERED)
def test_what_nothing_answers_cannot_be_told(name: str, body: str) -> None:
    clobbered = f'__asm__ volatile ("{body}" ::: "rax", "rcx", "rdx", "r11");'
    change = ("return event_op(4, &op);", f"{clobbered} return event_op(4, &op);")
    report = mini.report(change, only="send/64")
    assert report.outcome is Outcome.CANNOT_TELL
    assert report.results[0].note == f"{name} is executed, which is not modelled"


BOUNDED = """\
import resource, sys
from emu.errors import EmuError, ProfileError
from emu.object import emulate_object
from emu.profile import parse_profile
from emu.profile import load_profile

resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))
try:
    print(emulate_object(sys.stdin.buffer.read(), load_profile("xen-pv-shim-4.10"), only="send").outcome)
except EmuError as error:
    print(type(error).__name__)
"""
ENGINE = 1 << 30
"""Of address space, not of memory, that Unicorn keeps for translated code."""
ROOM = 512 << 20

GREEDY = {
    "a good core": ("", "PASSED"),
    "more zeroes than a core has": ("char zeroes[9 << 20];", "TruncatedElf"),
    "as many as it may have": ("char zeroes[7 << 20];", "PASSED"),
    "a variable elsewhere that is too large": (
        "extern char far[2 << 20]; char *at(void) { return far; }",
        "LayoutError",
    ),
    "a structure that is too large": (
        "struct evtchn2 { char c[1 << 30]; }; struct evtchn2 *q;",
        "PASSED",
    ),
}


@pytest.mark.parametrize(("text", "outcome"), GREEDY.values(), ids=GREEDY)
def test_host_memory_is_bounded(text: str, outcome: str) -> None:
    assert outcome in bounded(compile_source(mini.source() + text))


def test_debug_information_that_inflates_without_bound() -> None:
    """SHF_COMPRESSED with a gigabyte of zeroes behind it, which is a megabyte in the file."""
    core = bytearray(mini.core())
    start, count = struct.unpack_from("<Q", core, 40)[0], struct.unpack_from("<H", core, 60)[0]
    section = parse_elf(bytes(core)).section(".debug_info")
    assert section is not None
    # The same mebibyte again and again, an empty last block, and the Adler-32 of so many zeroes.
    packer = zlib.compressobj(9)
    head, piece = packer.compress(b""), packer.compress(bytes(1 << 20))
    piece += packer.flush(zlib.Z_FULL_FLUSH)
    head, piece = (head + piece)[:2], (head + piece)[2:]
    zeroes = head + piece * (1 << 10) + b"\x03\0" + struct.pack(">HH", (1 << 30) % 65521, 1)
    assert len(zeroes) < 2 << 20
    for claimed in (1 << 30, 1 << 20):
        content = struct.pack("<IIQQ", 1, 0, claimed, 1) + zeroes
        bomb = bytearray(core)
        at = start + 64 * section.index
        struct.pack_into("<Q", bomb, at + 8, 0x800)
        struct.pack_into("<QQ", bomb, at + 24, len(core), len(content))
        assert section.index < count
        said = bounded(bytes(bomb + content))
        assert "Error" in said or "TruncatedElf" in said


def bounded(core: bytes) -> str:
    """What becomes of an object where memory is short."""
    words = [sys.executable, "-c", BOUNDED, str(ENGINE + ROOM)]
    done = subprocess.run(words, input=core, capture_output=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


ODD = (
    *("1.5", '"x"', "[]", "{}", "-1", "0", "99999999999999999999", "true", "[[]]", "[{}]", '""'),
    *('["a", 1]', "{ a = 1 }", '{ a = "b" }', '"-EINVAL"', '"error"', "1979-05-27", '"absent"'),
)
_KEY = re.compile(r'(?:^|[{,] )("?[\w.]+"?) = ', re.MULTILINE)


@given(st.data())
@settings(PATIENT, max_examples=20)
def test_mistakes_in_a_profile(data: st.DataObject) -> None:
    """Any value of the built-in profile replaced by another: it is refused with its place, or it works."""
    text = resources.files("emu").joinpath("profiles", "xen-pv-shim-4.10.toml").read_text()
    keys = list(_KEY.finditer(text))
    key = keys[data.draw(st.integers(0, len(keys) - 1))]
    end = min(at for c in ",}\n" if (at := text.find(c, key.end())) > 0)
    changed = text[: key.end()] + data.draw(st.sampled_from(ODD)) + text[end:]
    try:
        profile = parse_profile(changed.encode(), "own.toml")
    except ProfileError as error:
        assert "own.toml" in error.where
        return
    header = text.rfind("[[scenario]]", 0, key.start())
    named = re.compile(r'name = "(.+)"').search(text, max(header, 0))
    wanted = named[1] if header > 0 and named is not None else "send"
    only = wanted if any(s.name == wanted for s in profile.scenarios) else "send"
    with contextlib.suppress(EmuError):
        emulate_object(mini.core(), profile, only=only)


def test_an_image_at_no_address() -> None:
    text = resources.files("emu").joinpath("profiles", "xen-pv-shim-4.10.toml").read_text()
    for base in ("1", "-4096", "0xfffffffffffff000"):
        odd = text.replace("[constants]", f"[constants]\nIMAGE_BASE = {base}")
        with pytest.raises(ProfileError, match=r"own\.toml: constants\.IMAGE_BASE"):
            emulate_object(mini.core(), parse_profile(odd.encode(), "own.toml"))


def test_a_structure_of_no_size_is_damage() -> None:
    """GNU C has empty structures; how many of them fit a page cannot be said."""
    core = mini.source(
        ("struct evtchn { u32 port; u8 state; u16 notify_vcpu_id; }", "struct evtchn { }")
    )
    core = re.sub(r"(?s)long pv_shim_event_channel_op\(.*", "", core)
    core = re.sub(r"(?s)static inline struct evtchn \*channel.*?\n}\n", "", core)
    core = re.sub(r"(?s)static inline bool handled.*?\n}\n", "", core)
    core += "struct evtchn q; long pv_shim_event_channel_op(int c, void *a) { return 0; }\n"
    flags = ("-O1", "-g", "-ffreestanding", "-fpic", "-mno-red-zone", "-fcf-protection=none", "-w")
    error = judge(compile_source(core, ".c", flags))
    assert isinstance(error, EmuError)
    assert "struct evtchn of 0 bytes" in str(error)
