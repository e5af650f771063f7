# SPDX-License-Identifier: GPL-2.0-or-later
"""The object level: tables of the object, what is absent, what cannot be told, what is explored."""

from __future__ import annotations

import threading
from concurrent.futures import ProcessPoolExecutor
from importlib import resources
from multiprocessing import get_context
from pathlib import Path

import pytest

from emu.cpu.watchdog import Watchdog
from emu.elf import parse_elf, place
from emu.errors import EmuError, LayoutError, ProfileError, TruncatedElf
from emu.findings.verdict import FunctionCoverage, Outcome
from emu.object import Pile, emulate_object, emulate_share, join
from emu.object.coverage import blocks
from emu.profile import parse_profile
from emu.spaces import LinearAddr
from tests.emu import mini
from tests.emu.build import compile_source

BASE = LinearAddr(0xFFFF82D080200000)
STAC = '"1: stac\\n\\t"'
CLAC = '"3: clac\\n\\t"'
NOP = "0x0f,0x1f,0x00"


def _alternative(label: str, instruction: str, size: int = 3) -> str:
    """An instruction of three bytes that .altinstructions is to put in place of a nop."""
    return (
        f'"{label}: .byte {NOP}\\n\\t"'
        '".pushsection .altinstructions, \\"a\\"\\n\\t"'
        f'".long {label}b - ., 661f - .; .word 0x14b; .byte {size}, 3\\n\\t"'
        '".popsection\\n\\t.pushsection .altinstr_replacement, \\"ax\\"\\n\\t"'
        f'"661: {instruction}\\n\\t"'
        '".popsection\\n\\t"'
    )


def test_alternatives_are_applied() -> None:
    report = mini.report((STAC, _alternative("1", "stac")), (CLAC, _alternative("3", "clac")))
    assert report.outcome is Outcome.PASSED


def test_without_alternatives_smap_is_seen() -> None:
    report = mini.report((STAC, f'"1: .byte {NOP}\\n\\t"'), (CLAC, f'"3: .byte {NOP}\\n\\t"'))
    assert mini.findings(report, "SMAP")


def test_malformed_alternatives() -> None:
    core = mini.core((STAC, _alternative("1", "stac", size=2)))
    with pytest.raises(TruncatedElf, match="3 bytes do not fit in 2"):
        emulate_object(core, mini.profile())


def test_fixups_are_taken() -> None:
    """A list that the guest may only read: the direct write faults and the core returns -EFAULT."""
    result = mini.result(mini.report(), "setup_table read-only list")
    assert (result.outcome, result.result) == (Outcome.PASSED, -14)


def test_faults_of_direct_accesses_are_explored() -> None:
    lost = ('"4: mov $-14, %[rc]', '"4: mov $0, %[rc]')
    messages = [f.message for f in mini.report(lost, depth="explore", only="setup_table").findings]
    assert messages == ["guest write failed, and the result is 0 (when guest write fails)"]


def test_a_guest_access_that_may_fault_needs_a_fixup() -> None:
    elsewhere = ('".long 2b - ., 4b - .', '".long 3b - ., 4b - .')
    messages = [
        f.message for f in mini.report(elsewhere, depth="explore", only="setup_table").findings
    ]
    assert "a guest access that may fault has no fixup (when guest write fails)" in messages


def test_a_resumable_trap_is_no_bug() -> None:
    """BUGFRAME_warn: a ud2 behind which the core goes on."""
    warn = (
        '__asm__ volatile ("1: ud2\\n\\t.section .bug_frames.1, \\"a\\"\\n\\t'
        '.long 1b - ., 0\\n\\t.previous"); return event_op(4, &op);'
    )
    assert mini.report(("return event_op(4, &op);", warn), only="send").outcome is Outcome.PASSED


def test_an_entry_that_is_not_there_yet_is_neutral() -> None:
    core = compile_source("int unrelated(void) { return 1; }")
    report = emulate_object(core, mini.profile(), depth="explore")
    assert report.outcome is Outcome.ABSENT
    assert "the object has no pv_shim_event_channel_op" in {r.note for r in report.results}
    assert report.calls == 0


def test_a_refused_operation_is_neutral() -> None:
    result = mini.result(mini.report(), "bind_ipi")
    assert result.outcome is Outcome.ABSENT
    assert result.note == "EVTCHNOP_bind_ipi is refused with -EOPNOTSUPP"


def test_a_variable_that_is_not_there_is_neutral() -> None:
    report = mini.report(("pv_console && op.port", "op.port"))
    assert mini.result(report, "send to the console").outcome is Outcome.ABSENT


def test_an_unmodelled_callee_is_named() -> None:
    report = mini.report(
        ("long consoled_guest_rx(void);", "long consoled_guest_rx(void); void mystery(void);"),
        ("return event_op(4, &op);", "mystery(); return event_op(4, &op);"),
    )
    result = mini.result(report, "send")
    assert (result.outcome, result.result) == (Outcome.CANNOT_TELL, None)
    assert result.note == "mystery is called, and the profile has no model for it"
    assert report.outcome is Outcome.CANNOT_TELL


def test_a_model_that_nobody_wrote() -> None:
    text = (
        resources.files("emu").joinpath("profiles", "xen-pv-shim-4.10.toml").read_text()
    ).replace('xfree = "xfree"', 'xfree = "magic"')
    with pytest.raises(
        ProfileError, match=r"own\.toml: externs\.xfree: no model 'magic'; there are"
    ):
        emulate_object(mini.core(), parse_profile(text.encode(), "own.toml"))


def test_an_l0_operation_that_nobody_knows_is_named() -> None:
    report = mini.report(("return event_op(4, &op);", "return event_op(2, &op);"))
    assert (
        "EVTCHNOP_bind_pirq, which is not modelled"
        in mini.result(report, "send beside the console").note
    )


def test_a_missing_structure_is_not_a_crash() -> None:
    """A smaller tree without 32-bit guests."""
    report = mini.report(("u8 is_32bit_pv; ", ""), ("current_domain()->arch.is_32bit_pv", "0"))
    assert mini.result(report, "send", "64").outcome is Outcome.PASSED
    assert mini.result(report, "send", "compat").outcome is Outcome.ABSENT


def test_no_debug_information() -> None:
    core = compile_source(
        mini.CORE, ".c", ("-O1", "-ffreestanding", "-fpic", "-fcf-protection=none")
    )
    with pytest.raises(LayoutError, match="compile with -g"):
        emulate_object(core, mini.profile())


def test_exploration_finds_what_the_table_does_not() -> None:
    """A port that is not given back when the copy to the guest fails is in no scenario."""
    change = ("return give_back(op.port, -EFAULT);", "return -EFAULT;")
    assert mini.report(change).outcome is Outcome.PASSED
    report = mini.report(change, depth="explore")
    resources = mini.findings(report, "resources")
    assert resources and all("when copy to guest fails" in finding.message for finding in resources)
    again = mini.report(change, only=resources[0].rerun)
    assert resources[0] in again.findings


@pytest.mark.parametrize("name", ["send", "close", "status of a virq", "setup_table", "bind_ipi"])
def test_a_mode_that_makes_no_difference_is_not_tried_twice(name: str) -> None:
    """What is said of it is what trying it would have shown."""
    both = mini.report(TRUNCATED, depth="explore", only=name)
    alone = [mini.report(TRUNCATED, depth="explore", only=f"{name}/{m}") for m in ("64", "compat")]
    assert both.results == alone[0].results + alone[1].results
    assert both.calls <= alone[0].calls + alone[1].calls
    assert (both.calls == alone[0].calls) == (not name.startswith("setup_table"))


def test_a_mode_that_matters_when_something_fails() -> None:
    change = (
        "return give_back(op.port, rc);",
        "return d->arch.is_32bit_pv ? rc : give_back(op.port, rc);",
    )
    assert mini.report(change, only="alloc_unbound").outcome is Outcome.PASSED
    found = mini.report(change, depth="explore", only="alloc_unbound").findings
    assert {finding.scenario for finding in found} == {"alloc_unbound/compat"}


TRUNCATED = (
    "        return event_op(4, &op);",
    "        op.port &= 0x7fffffff;\n        return event_op(4, &op);",
)


def test_drawn_inputs_find_what_no_scenario_asks() -> None:
    report = mini.report(TRUNCATED, depth="explore")
    assert mini.report(TRUNCATED).outcome is Outcome.PASSED
    found = mini.findings(report, "translation")
    assert found[0].message.startswith("the guest asked for port = ")
    assert "(with port = 0x" in found[0].message
    assert {finding.scenario for finding in found} == {"send/64", "send/compat"}
    again = mini.report(TRUNCATED, only=found[0].rerun)
    assert again.findings[0] == found[0]
    assert "?" in found[0].rerun


def test_drawn_inputs_are_the_same_every_time() -> None:
    one, other = (mini.report(TRUNCATED, depth="explore", only="send") for _ in range(2))
    assert one == other


def test_a_refusal_of_l0_is_no_success() -> None:
    """Found with drawn inputs: port 12 of the table's own scenario is open."""
    change = ("return event_op(4, &op);", "return event_op(4, &op) & 0;")
    found = mini.findings(mini.report(change, depth="explore", only="send/64"), "failure lost")
    assert any(f.message.startswith("L0 refused with -EINVAL, and the result is 0") for f in found)


class Hasty(Watchdog):
    """Finds every call too slow."""

    def arm(self, seconds: float) -> None:
        super().arm(seconds)
        self.fired = True


def test_a_slow_host_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    change = (
        "return event_op(4, &op);",
        "if ( op.port == 12 )\n            for ( ; ; );\n        return event_op(4, &op);",
    )
    wanted = mini.report(change, depth="explore", only="send")
    monkeypatch.setattr("emu.cpu.flat.Watchdog", Hasty)
    assert mini.report(change, depth="explore", only="send") == wanted
    assert {f.message for f in mini.findings(wanted, "budget")} >= {
        "did not end within 20000 basic blocks"
    }


def test_nothing_is_left_watching() -> None:
    before = threading.active_count()
    mini.report(only="send")
    assert threading.active_count() == before


def test_pairs_of_failures() -> None:
    """Success is reported only when both the mapping and the copy of the answer fail."""
    copy = "            op.status = -1;\n        if ( __copy_to_user_ll(arg, &op, sizeof(op)) )\n            "
    change = (copy + "rc = -EFAULT;", copy + "rc = rc ? 0 : -EFAULT;")
    found = mini.report(change, depth="explore", only="setup_table/64").findings
    assert {f.invariant for f in found} == {"failure lost"}
    assert {f.rerun.count(",") for f in found} == {1}


def test_a_bug_is_right_when_l0_breaks_its_word() -> None:
    """give_back() stops the machine when L0 refuses to close a port that is open: no finding."""
    report = mini.report(depth="explore", only="alloc_unbound no memory")
    assert report.outcome is Outcome.PASSED


def test_control_registers_do_not_leak_into_the_next_call() -> None:
    change = (
        "default:",
        'case 99: __asm__ volatile ("mov %0, %%cr0" :: "r" (0x80000001ul)); return 0;\n    default:',
    )
    report = mini.report(change)
    assert mini.result(report, "unknown event channel operation").outcome is Outcome.FAILED
    assert mini.result(report, "setup_table").outcome is Outcome.PASSED


def test_only() -> None:
    report = mini.report(only="send")
    assert {(r.scenario, r.mode) for r in report.results} == {("send", "64"), ("send", "compat")}
    assert [(r.scenario, r.mode) for r in mini.report(only="send/compat").results] == [
        ("send", "compat")
    ]


@pytest.mark.parametrize("only", ["nothing", "send/32", "send!x", "send?", "send?x", ""])
def test_only_of_nothing(only: str) -> None:
    with pytest.raises(EmuError, match="no scenario"):
        mini.report(only=only)


def test_coverage() -> None:
    coverage = {c.function: c for c in mini.report(depth="explore").coverage}
    assert coverage["pv_shim_grant_table_op"].covered == coverage["pv_shim_grant_table_op"].total
    only = {c.function: c for c in mini.report(only="send/64").coverage}
    events = only["pv_shim_event_channel_op"]
    assert 0 < events.covered < events.total // 2
    assert only["pv_shim_grant_table_op"] == FunctionCoverage("pv_shim_grant_table_op", 0, 0)
    alloc = mini.source()[: mini.source().index("if ( copy_from_user")].count("\n") + 1
    assert f"core.c:{alloc}" in events.missed


@pytest.mark.parametrize("base", [LinearAddr(0x200000), LinearAddr(0xFFFF82D080200000)])
def test_a_block_begins_where_a_branch_leads_to(base: LinearAddr) -> None:
    """Wherever the core lies: high addresses are no negative ones."""
    source = """__asm__(".globl f\\n.type f, @function\\nf: mov $9, %ecx\\n1: dec %ecx\\njnz 1b\\n"
        "notrack jmp *%rax\\n2: ret\\n.nops 5\\n3: ud2\\njmp 2b\\n.size f, . - f");"""
    image = place(parse_elf(compile_source(source)), base, lambda name: base)
    (function,) = image.functions
    found = [(start - function.address, end - start) for start, end in blocks(image, function, [])]
    assert found == [(0, 5), (5, 4), (9, 3), (12, 1), (13, 7), (20, 2)]


def test_blocks_behind_what_the_disassembler_does_not_know() -> None:
    """udb: else a core of today looks as if all of it had run that lies before its first BUG, which
    is a trap and does not count."""
    source = """__asm__(".globl f\\n.type f, @function\\nf: dec %ecx\\njz 1f\\nret\\n1: .byte 0xd6\\n"
        "2: dec %ecx\\njnz 2b\\nret\\n.size f, . - f");"""
    image = place(parse_elf(compile_source(source)), BASE, lambda name: BASE)
    (function,) = image.functions
    found = [(start - function.address, end - start) for start, end in blocks(image, function, [])]
    assert found == [(0, 4), (4, 1), (6, 4), (10, 1)]


def test_several_processes_make_the_report_of_one(tmp_path: Path) -> None:
    """Whatever is done by whom: results in order, coverage, calls."""
    core, profile = mini.core(), mini.profile()
    whole = emulate_object(core, profile, depth="explore")
    pile = tmp_path / "pile"
    pile.touch()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        futures = [
            pool.submit(emulate_share, core, profile, Pile(pile), depth="explore") for _ in "12"
        ]
        shares = [future.result() for future in futures]
    assert sum(len(share.results) for share in shares) == len(whole.results)
    assert join(profile, shares).to_json(timing=False) == whole.to_json(timing=False)
    assert join(profile, shares[::-1]).to_json(timing=False) == whole.to_json(timing=False)


def test_nobody_takes_from_a_pile_what_another_has(tmp_path: Path) -> None:
    pile = tmp_path / "pile"
    pile.touch()
    hands = [Pile(pile).numbers(5), Pile(pile).numbers(5)]
    taken = [next(hands[turn % 2]) for turn in range(5)]
    assert taken == [4, 3, 2, 1, 0]
    assert [list(hand) for hand in hands] == [[], []]
