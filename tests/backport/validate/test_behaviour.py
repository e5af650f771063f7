# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person reads of a range: made-up reports, so that each line has one cause."""

from __future__ import annotations

import dataclasses

import pytest
from msgspec.structs import replace

from backport.report.behaviour import show_behaviour
from backport.validate.behaviour import Seen, follow
from backport.verdicts import State, StepVerdict, Validator, Verdict
from emu.abi import Mode
from emu.findings.boot_report import BehaviourRow, BootReport, Milestone, Treatment
from emu.findings.verdict import Outcome
from series.model import Oid

OPERATIONS = ("send", "close", "status", "unmask", "reset", "bind_ipi")
ERROR = "guest.c:7:3: error: 'EVTCHNOP_nothing' undeclared"


def report(rungs: int, treatment: Treatment, result: int) -> BootReport:
    ladder = tuple(Milestone(f"rung {n}", n <= rungs) for n in range(1, 4))
    rows = tuple(
        BehaviourRow(name, f"EVTCHNOP_{name}", mode, treatment, result)
        for mode in Mode
        for name in OPERATIONS
    )
    return BootReport("p", "1", "2", Outcome.PASSED, ladder, rows if rungs > 1 else (), "", (), 1)


def oid(number: int) -> Oid:
    return Oid(f"{number + 1:x}" * 40)


def booted(number: int, found: BootReport) -> StepVerdict:
    verdicts = (
        Verdict(Validator.BUILD, State.PASSED, "built"),
        Verdict(Validator.BOOT, State.PASSED, "", data=found.to_json()),
    )
    return StepVerdict(number, oid(number), f"subject {number}", verdicts)


def unbuilt(number: int) -> StepVerdict:
    build = Verdict(Validator.BUILD, State.FAILED, "exit 2", (ERROR, "    7 |   nothing"))
    return StepVerdict(number, oid(number), f"subject {number}", (build,))


def early(number: int) -> StepVerdict:
    verdicts = (
        Verdict(Validator.BUILD, State.PASSED, "built"),
        Verdict(Validator.BOOT, State.ABSENT, "no PVH entry yet"),
    )
    return StepVerdict(number, oid(number), f"subject {number}", verdicts)


def seen(*verdicts: StepVerdict, subject: str = "") -> tuple[Seen, ...]:
    return follow([replace(v, subject=subject or v.subject) for v in verdicts])


REFUSED = report(2, Treatment.REFUSED, -95)
FORWARDED = report(3, Treatment.FORWARDED, 0)


def told(capsys: pytest.CaptureFixture[str], *steps: Seen, every: bool = False) -> str:
    show_behaviour(steps, every=every)
    return capsys.readouterr().out


def test_each_step_has_its_line_and_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    out = told(capsys, *seen(early(0), booted(1, REFUSED), unbuilt(2), booted(3, FORWARDED)))
    assert "  0  111111111111  subject 0  " in out
    assert "no PVH entry yet" in out
    assert "+ rung 1\n" in out
    assert "+ refused (-EOPNOTSUPP): EVTCHNOP_send, EVTCHNOP_close" in " ".join(out.split())
    assert f"does not build\n      {ERROR}\n" in out
    assert "against step 1 (222222222222), the last before it that boots:\n      + rung 3\n" in out
    words = " ".join(out.split())
    assert "~ refused (-EOPNOTSUPP) -> forwarded to L0 (0): EVTCHNOP_send, EVTCHNOP_close" in words
    assert (
        "step 1 222222222222 rung 1 step 1 222222222222 rung 2 step 3 444444444444 rung 3" in words
    )
    assert "4 trees: 2 booted, 1 no PVH entry yet, 1 does not build" in words


def test_a_program_reads_the_whole_id() -> None:
    steps = seen(early(0), booted(1, REFUSED), unbuilt(2))
    assert [step.to_json()["commit"] for step in steps] == [oid(0), oid(1), oid(2)]


def test_every_case_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    out = told(capsys, *seen(booted(0, REFUSED), booted(1, FORWARDED)), every=True)
    case = (
        "~ EVTCHNOP_reset (reset): was refused (-EOPNOTSUPP), now forwarded to L0 (0) [64, compat]"
    )
    assert case in " ".join(out.split())


@pytest.mark.parametrize(
    ("subject", "warned"),
    [
        ("x86: fix coding style", True),
        ("x86: forward close", False),
        ("x86: whitespace", True),
    ],
)
def test_a_change_of_style_that_changes_behaviour(
    capsys: pytest.CaptureFixture[str], subject: str, warned: bool
) -> None:
    other = dataclasses.replace(REFUSED, behaviour=REFUSED.behaviour[1:])
    steps = seen(booted(0, REFUSED), booted(1, other), subject=subject)
    assert ("WARNING" in told(capsys, *steps)) is warned
    assert bool(steps[1].warning) is warned


def test_over_a_gap_nobody_is_warned_of() -> None:
    steps = seen(booted(0, REFUSED), unbuilt(1), booted(2, FORWARDED), subject="coding style")
    assert steps[2].changes
    assert steps[2].since == 0
    assert not steps[2].warning
