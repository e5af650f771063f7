# SPDX-License-Identifier: GPL-2.0-or-later
"""Cores whose debug information names no variable from elsewhere: of clang, and compiled without -g."""

from __future__ import annotations

import pytest

from emu.elf import branch_targets, parse_elf, place
from emu.errors import LayoutError
from emu.findings.verdict import ObjectReport, Outcome
from emu.layout import Layout
from emu.object import emulate_object
from emu.object.structures import asked_of
from emu.profile import Profile, with_layouts
from emu.spaces import LinearAddr
from tests.emu import mini
from tests.emu.build import COMPILERS, FLAGS, assemble, compile_source

BASE = LinearAddr(0x1000)
PLAIN = tuple(flag for flag in FLAGS if flag != "-g")


def described(*changes: tuple[str, str]) -> Profile:
    """The profile with the layouts that the same core has with -g: what a probe would say."""
    image = place(parse_elf(mini.core(*changes)), BASE, lambda name: BASE)
    profile = mini.profile()
    enumerators = [region.enumerator for region in profile.regions]
    return with_layouts(profile, Layout(image).described(asked_of(profile), enumerators))


def told(report: ObjectReport) -> list[tuple[str, str, Outcome, int | None, str]]:
    return [(r.scenario, r.mode, r.outcome, r.result, r.note) for r in report.results]


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_same_is_told_of_a_core_without_debug_information(compiler: str) -> None:
    core = compile_source(mini.source(), ".c", PLAIN, compiler)
    report = emulate_object(core, described(), depth="scenarios")
    assert report.outcome is Outcome.PASSED
    assert told(report) == told(mini.report())
    names = ("cpu_info", "domain", "evtchn", "shared_info", "vcpu")
    assert report.borrowed == tuple(f"struct {name}" for name in names)
    with pytest.raises(LayoutError, match="no debug information") as raised:
        emulate_object(core, mini.profile())
    assert "--probe" in str(raised.value)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_core_that_describes_its_own_types_borrows_none(compiler: str) -> None:
    """clang describes types and no variable from elsewhere: its pv_console is to be set all the same."""
    core = compile_source(mini.source(), ".c", FLAGS, compiler)
    report = emulate_object(core, described(), depth="scenarios")
    assert told(report) == told(mini.report())
    assert mini.result(report, "send to the console").outcome is Outcome.PASSED
    assert report.borrowed == ()


def test_nothing_is_borrowed_where_nothing_can_be_called() -> None:
    core = compile_source("int unrelated(void) { return 1; }", ".c", PLAIN)
    report = emulate_object(core, described(), depth="scenarios")
    assert (report.outcome, report.borrowed) == (Outcome.ABSENT, ())


def test_a_bug_is_found_without_debug_information() -> None:
    change = ("_spin_unlock(&d->event_lock);", "")
    core = compile_source(mini.source(change), ".c", PLAIN)
    report = emulate_object(core, described(), depth="scenarios")
    wanted = {(f.invariant, f.scenario) for f in mini.report(change).findings}
    assert {(f.invariant, f.scenario) for f in report.findings} == wanted
    assert wanted


def test_what_was_taken_for_a_variable_and_is_called() -> None:
    """Its address alone does not tell: the core is not to blame for what is not known."""
    indirect = (
        "return event_op(4, &op);",
        "long (*volatile later)(void) = mystery; later(); return event_op(4, &op);",
    )
    declared = (
        "long consoled_guest_rx(void);",
        "long consoled_guest_rx(void); long mystery(void);",
    )
    core = compile_source(mini.source(declared, indirect), ".c", PLAIN)
    report = emulate_object(core, described(), depth="scenarios", only="send")
    result = mini.result(report, "send")
    assert result.outcome is Outcome.CANNOT_TELL
    assert result.note == "mystery is called, and was taken for a variable"


BRANCHES = """
.text
    call called
    jmp jumped
    jne tested
    call *through@GOTPCREL(%rip)
    jmp *further@GOTPCREL(%rip)
    .byte 0xe8
    .reloc ., R_X86_64_PC32, plain - 4
    .long 0
    .byte 0x0f, 0x85
    .reloc ., R_X86_64_PC32, plain_test - 4
    .long 0
    mov read(%rip), %eax
    mov %ebp, written(%rip)
    cmpb $0xe8, compared(%rip)
    lea addressed(%rip), %rax
    mov loaded@GOTPCREL(%rip), %rax
    call *table(,%rax,8)
    mov $absolute, %rax
    mov indexed(%rax,%rbp,8), %eax
.data
    .byte 0xe8
    .long data - .
    .quad pointed
"""


def test_branches_tell_functions() -> None:
    targets = {"called", "jumped", "tested", "through", "further", "plain", "plain_test"}
    elf = parse_elf(assemble(BRANCHES))
    assert branch_targets(elf) == targets
    others = {"read", "written", "compared", "addressed", "loaded", "table", "absolute", "indexed"}
    assert set(elf.undefined()) - {"_GLOBAL_OFFSET_TABLE_"} == targets | others | {
        "data",
        "pointed",
    }
