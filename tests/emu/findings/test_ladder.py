# SPDX-License-Identifier: GPL-2.0-or-later
"""What a step changed, told from two reports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emu.abi import Mode
from emu.findings.boot_report import BehaviourRow, BootReport, Milestone, Treatment
from emu.findings.ladder import Change, Kind, compare
from emu.findings.verdict import Finding, L0Call, Outcome

SEND = "EVTCHNOP_send"
CALL = L0Call("event_channel_op", SEND, (("port", 12),), 0)
ROW = BehaviourRow("send", SEND, Mode.NATIVE, Treatment.FORWARDED, 0, (CALL,))
REPORT = BootReport(
    "p", "1", "2", Outcome.PASSED, (Milestone("console text", True, "hello"),), (ROW,), "", (), 1
)


def with_row(**changes: object) -> BootReport:
    return replace(REPORT, behaviour=(replace(ROW, **changes),))  # type: ignore[arg-type]  # any field


def test_equal_reports_differ_in_nothing() -> None:
    assert compare(REPORT, replace(REPORT, image_digest="other", seconds=9.0)) == ()


@pytest.mark.parametrize(
    ("old", "new", "kind", "told", "worse"),
    [
        (
            replace(REPORT, ladder=(Milestone("console text", False),)),
            REPORT,
            Kind.MILESTONE_GAINED,
            "console text: hello",
            False,
        ),
        (
            REPORT,
            replace(REPORT, ladder=(Milestone("console text", False),)),
            Kind.MILESTONE_LOST,
            "no longer: console text",
            True,
        ),
        (
            with_row(treatment=Treatment.REFUSED, result=-95, l0_calls=()),
            REPORT,
            Kind.TREATMENT,
            "EVTCHNOP_send (send/64): was refused (-EOPNOTSUPP), now forwarded to L0 (0)",
            False,
        ),
        (
            REPORT,
            with_row(treatment=Treatment.CRASHED, result=None),
            Kind.TREATMENT,
            "EVTCHNOP_send (send/64): was forwarded to L0 (0), now crashes (does not return)",
            True,
        ),
        (
            REPORT,
            with_row(result=-22),
            Kind.RESULT,
            "EVTCHNOP_send (send/64): result 0 became -EINVAL",
            False,
        ),
        (
            REPORT,
            with_row(l0_calls=(CALL, CALL)),
            Kind.CALLS,
            "EVTCHNOP_send (send/64): asked L0 for EVTCHNOP_send, now for EVTCHNOP_send x2",
            False,
        ),
        (
            replace(REPORT, behaviour=()),
            REPORT,
            Kind.NEW,
            "EVTCHNOP_send (send/64): forwarded to L0 (0)",
            False,
        ),
        (
            REPORT,
            replace(REPORT, behaviour=()),
            Kind.GONE,
            "EVTCHNOP_send (send/64): no longer tried; it was forwarded to L0 (0)",
            True,
        ),
    ],
)
def test_a_change_is_told(
    old: BootReport, new: BootReport, kind: Kind, told: str, worse: bool
) -> None:
    (change,) = compare(old, new)
    assert (change.kind, change.explain(), change.worse) == (kind, told, worse)
    assert Change.from_json(change.to_json()) == change


def test_a_finding_that_only_moved_is_no_change() -> None:
    there = Finding("crash", "BUG", "a+0x1", "send/64")
    old = with_row(findings=(there,))
    assert compare(old, with_row(findings=(replace(there, where="a+0x9"),))) == ()
    (new,) = compare(REPORT, old)
    assert (new.kind, new.explain(), new.worse) == (Kind.FOUND, "send/64: crash: BUG", True)
    (gone,) = compare(old, REPORT)
    assert (gone.explain(), gone.worse) == ("send/64: no longer found: crash: BUG", False)


def test_a_call_with_another_argument_is_no_change() -> None:
    """Addresses of the caller's stack move with any change of its code."""
    moved = replace(CALL, arguments=(("port", 13),))
    assert compare(REPORT, with_row(l0_calls=(moved,))) == ()
