# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run says of each step while it goes on."""

from __future__ import annotations

import pytest

from backport.report.progress import Reporter
from backport.verdicts import State, StepVerdict, Validator, Verdict
from series.model import Oid


def test_what_steps_are_judged_by_is_said_where_it_changes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hows = ("", "one", "one", "one; other", "", "one")
    with Reporter(validating=True) as reporter:
        for number, how in enumerate(hows, 1):
            verdicts = (
                Verdict(Validator.BUILD, State.PASSED, "built", how="by 2 commands"),
                Verdict(Validator.OBJECT, State.PASSED, "all pass", how=how),
                Verdict(Validator.BOOT, State.PASSED, "boots", how=how),
            )
            step = StepVerdict(number, Oid("0" * 40), f"step {number}", verdicts)
            reporter.verdict(number, len(hows), step)
    lines = [line.strip() for line in capsys.readouterr().err.splitlines()]
    said = [line for line in lines if "step" not in line]
    assert said == ["one", "other", "one"]
    assert lines[2] == "one"
    assert lines[5] == "other"


def test_of_a_subject_of_a_megabyte_the_beginning_is_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Reporter(validating=True) as reporter:
        verdicts = (Verdict(Validator.BUILD, State.PASSED, "built"),)
        reporter.verdict(1, 1, StepVerdict(1, Oid("0" * 40), "word " * 200_000, verdicts))
    said = capsys.readouterr().err
    assert "word word" in said
    assert len(said) < 1000
