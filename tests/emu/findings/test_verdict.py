# SPDX-License-Identifier: GPL-2.0-or-later
"""Reports survive JSON and a process boundary, and say the same for the same object."""

from __future__ import annotations

import json
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from emu.abi import Mode
from emu.errors import EmuError, NotElf, ProfileError
from emu.findings.verdict import ObjectReport, Outcome, ScenarioResult, overall
from emu.object import emulate_object
from tests.emu import mini

BROKEN = ("if ( !rc && __copy_to_user_ll(arg, &op, sizeof(op)) )\n            rc = -EFAULT;\n", "")


def test_json_round_trip() -> None:
    report = mini.report(BROKEN, depth="explore")
    assert report.findings
    again = ObjectReport.from_json(json.loads(json.dumps(report.to_json())))
    assert again == report
    assert again.seconds == report.seconds


def test_newer_format_is_refused() -> None:
    value = mini.report(only="send").to_json() | {"format": 99}
    with pytest.raises(ValueError, match="format 99"):
        ObjectReport.from_json(value)


def test_deterministic() -> None:
    one, two = (mini.report(BROKEN, depth="explore").to_json(timing=False) for _ in range(2))
    assert json.dumps(one) == json.dumps(two)
    assert "seconds" not in one


def test_in_a_worker_process() -> None:
    """Both a report and an error come back whole."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        report = pool.submit(emulate_object, mini.core(), mini.profile(), only="send").result()
        failed = pool.submit(emulate_object, b"nothing", mini.profile()).exception()
    assert report == mini.report(only="send")
    assert isinstance(failed, NotElf)
    assert str(failed) == "not an ELF file (an object file (.o) for x86-64 is needed)"


def test_errors_survive_pickling() -> None:
    error = ProfileError("what", "where", "hint")
    again = pickle.loads(pickle.dumps(error))
    assert (again.what, again.where, again.hint) == ("what", "where", "hint")
    assert str(EmuError("what")) == "what"


def _outcomes(*outcomes: Outcome) -> tuple[ScenarioResult, ...]:
    return tuple(ScenarioResult("s", "e", "o", Mode.NATIVE, outcome, None) for outcome in outcomes)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((), Outcome.ABSENT),
        ((Outcome.ABSENT,), Outcome.ABSENT),
        ((Outcome.ABSENT, Outcome.PASSED), Outcome.PASSED),
        ((Outcome.CANNOT_TELL, Outcome.PASSED), Outcome.CANNOT_TELL),
        ((Outcome.CANNOT_TELL, Outcome.FAILED, Outcome.PASSED), Outcome.FAILED),
    ],
)
def test_overall(outcomes: tuple[Outcome, ...], expected: Outcome) -> None:
    assert overall(_outcomes(*outcomes)) is expected
