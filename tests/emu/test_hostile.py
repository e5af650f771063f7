# SPDX-License-Identifier: GPL-2.0-or-later
"""Objects from strangers: whatever is in the file, the end is an `EmuError` or a report, soon."""

from __future__ import annotations

import struct
import time
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emu.elf import parse_elf
from emu.errors import EmuError
from emu.object import emulate_object
from emu.verdict import ObjectReport
from tests.emu import mini
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


@pytest.mark.parametrize("body", SPINNING.values(), ids=SPINNING)
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
