# SPDX-License-Identifier: GPL-2.0-or-later
"""One entry for what one fix removes, in the order of what it takes to see it."""

from __future__ import annotations

import pytest

from backport.defects import Takes, defects, summary
from backport.report.emulated import show_report
from backport.validate.emulation import judge_object
from emu.findings.verdict import Finding
from tests.emu import mini

LOCK = "_spin_lock(&d->event_lock);\n        rc = evtchn_allocate_port(d, op.port);"
UNLOCKED = LOCK, "rc = evtchn_allocate_port(d, op.port);"
LOST = "rc = handled(d, op.port) ? evtchn_status(&op) : event_op(5, &op);\n        if ( !rc &&"
NOT_COPIED = LOST, LOST.replace("if ( !rc &&", "if ( 0 &&")
MASKED = "shared->evtchn_mask[op.port / 64] |= 1ul << op.port % 64;"


def one(
    message: str,
    scenario: str = "send/64",
    invariant: str = "expectation",
    where: str = "f",
    failures: tuple[str, ...] = (),
    drawn: bool = False,
    goes_on_from: tuple[str, ...] = (),
) -> Finding:
    return Finding(
        invariant,
        message,
        where,
        scenario,
        rerun=scenario,
        failures=failures,
        drawn=drawn,
        goes_on_from=goes_on_from,
    )


def numbers(*findings: Finding) -> list[list[int]]:
    """Which findings each defect has."""
    return [
        sorted(findings.index(shown) for shown, _ in defect.shown) for defect in defects(findings)
    ]


def test_what_one_scenario_shows_is_one() -> None:
    assert numbers(one("a"), one("b", "send/compat"), one("c", "close/64")) == [[0, 1], [2]]


def test_what_is_said_of_one_function_is_one() -> None:
    first = one("no lock (when x fails)", "a/64", "locks", "f+0x12", ("x",))
    assert numbers(one("no lock", "b/64", "locks", "f+0x99"), first) == [[0, 1]]
    assert numbers(one("no lock", "b/64", "locks", "g+0x12"), first) == [[0], [1]]


def test_two_crashes_in_one_function_are_two() -> None:
    assert numbers(
        one("BUG", "a/64", "crash", "f+0x1 (a.c:1)"), one("BUG", "b/64", "crash", "f+0x9 (a.c:9)")
    ) == [[0], [1]]


def test_failures_keep_apart_what_one_scenario_shows() -> None:
    assert numbers(one("a"), one("b", failures=("L0 EVTCHNOP_send",))) == [[0], [1]]


def test_a_story_that_goes_on_from_another() -> None:
    assert numbers(one("a", "given back/64"), one("b", "given back and taken again/64")) == [[0, 1]]


def test_what_goes_on_from_a_call_that_left_something_wrong() -> None:
    """Two calls that need the port that a third has given out, and has not kept."""
    given = one("a port is not there", "bind/64", "ports agree")
    close = one("a", "close a port/64", goes_on_from=("bind",))
    send = one("b", "send to a port/64", goes_on_from=("bind",))
    assert numbers(close, given, send) == [[0, 1, 2]]
    assert numbers(close, send) == [[0], [1]]
    answer = one("an answer is lost", "bind/64", "out fields")  # the next call does not see that
    assert numbers(answer, send) == [[0], [1]]
    refused = one("a port is not there", "bind/64", "ports agree", failures=("L0 x",))
    assert numbers(refused, send) == [[1], [0]]  # the plainer first


def test_a_fault_that_shows_without_the_earlier_call_is_another() -> None:
    given = one("a port is not there", "bind/64", "ports agree")
    everywhere = one("b", "send/64"), one("b", "send to a port/64", goes_on_from=("bind",))
    assert numbers(given, *everywhere) == [[0], [1]]


def test_drawn_inputs_bring_nothing_together() -> None:
    assert numbers(one("a"), one("b", drawn=True), one("c", drawn=True)) == [[0], [1], [2]]


def test_fields_that_are_not_filled_in_are_one() -> None:
    asked = one("L0 answered status = 2, the guest sees untouched", "a/64", "out fields")
    own = one(
        "the result is 0, and the guest sees vcpu untouched (with port = 1)",
        "b/64",
        "out fields",
        drawn=True,
    )
    other = one("L0 answered status = 2, the guest sees = 3", "c/64", "out fields")
    assert numbers(asked, own, other) == [[0, 1], [2]]


def test_a_chain_is_one() -> None:
    """The last one brings together what had nothing in common."""
    assert numbers(one("a", "x/64"), one("b", "y/64"), one("c", "x/64"), one("b", "x/compat")) == [
        [0, 1, 2]
    ]


@pytest.mark.parametrize(
    ("failures", "drawn", "takes"),
    [
        ((), False, Takes.PLAIN),
        (("L0 EVTCHNOP_send", "L0 EVTCHNOP_close"), False, Takes.REFUSAL),
        (("copy to guest",), False, Takes.GUEST),
        (("xzalloc",), False, Takes.FAILURE),
        (("xzalloc", "L0 EVTCHNOP_close"), False, Takes.FAILURE),
        ((), True, Takes.ODD),
    ],
)
def test_what_it_takes(failures: tuple[str, ...], drawn: bool, takes: Takes) -> None:
    (defect,) = defects([one("a", failures=failures, drawn=drawn)])
    assert defect.takes is takes


def test_the_order_is_that_of_what_it_takes() -> None:
    found = defects([one("a", failures=("xzalloc",)), one("b", drawn=True), one("c")])
    assert [defect.takes for defect in found] == [Takes.PLAIN, Takes.FAILURE, Takes.ODD]
    said = "3 defects: 1 in a plain run, 1 where memory or a callee fails, 1 with odd input"
    assert summary(found) == said
    assert summary(()) == ""


def test_each_of_two_faults_of_a_core_is_one_entry() -> None:
    """And the fix of one alone takes exactly its entry away."""
    both = mini.report(UNLOCKED, NOT_COPIED, depth="explore")
    found = [defect.line for defect in defects(both.findings)]
    assert len(found) == 2
    for change, left in ((UNLOCKED, 0), (NOT_COPIED, 1)):
        alone = defects(mini.report(change, depth="explore").findings)
        assert [defect.line.partition(":")[0] for defect in alone] == [
            found[left].partition(":")[0]
        ]


def test_the_summary_stands_before_the_rows(capsys: pytest.CaptureFixture[str]) -> None:
    report = mini.report(UNLOCKED, depth="explore")
    verdict = judge_object(report)
    show_report(report, verdict, "core.o")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1 defect: 1 in a plain run"
    assert lines[1].startswith("  1. locks at pv_shim_event_channel_op+")
    assert any(line.startswith("1. in a plain run, in ") for line in lines)
    assert "(1 defect)" in verdict.summary
    assert len(verdict.lines) == 1
