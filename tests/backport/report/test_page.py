# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person reads outside a terminal: no line wider than the page that a break can help."""

from __future__ import annotations

import sys

import pytest

from backport.pick.outcome import How
from backport.planning.items import Posted
from backport.report.page import PAGE, fold, page_width, step_text
from backport.report.progress import Reporter
from backport.report.table import show_table
from backport.run.steps import Step, StepState
from backport.verdicts import State, StepVerdict, Validator, Verdict
from series.model import Oid

_OID = Oid("1" * 40)
_REASON = (
    "resources: alloc_unbound/64 and 7 more: L0's port 65535, opened in this call, stays open although"
    " the call fails (with dom = 0x1, remote_dom = 0x7ff0, and ports 63 reserved; L0's next port is"
    " 65535) (EVTCHNOP_alloc_unbound)"
)


def _verdict(state: State, reason: str = "", how: str = "") -> StepVerdict:
    built = Verdict(Validator.BUILD, State.PASSED, "built", seconds=1.8, how=how)
    core = Verdict(
        Validator.OBJECT, state, "21 scenarios pass, 20 fail", (reason,) if reason else ()
    )
    return StepVerdict(28, _OID, "x86/shim: forward bind_ipi", (built, core))


def test_a_page_is_as_wide_as_columns_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert page_width(sys.stdout) == PAGE
    monkeypatch.setenv("COLUMNS", "132")
    assert page_width(sys.stdout) == 132
    monkeypatch.setenv("COLUMNS", "many")
    assert page_width(sys.stdout) == PAGE


def test_a_long_reason_is_a_paragraph_of_whole_words() -> None:
    said = fold(f"    {_REASON}\n      |    ^~~~~~", 80).splitlines()
    assert max(map(len, said)) <= 80
    assert [len(line) - len(line.lstrip()) for line in said] == [4] + [6] * (len(said) - 2) + [6]
    assert " ".join(line.strip() for line in said[:-1]) == _REASON
    assert said[-1] == "      |    ^~~~~~"


def test_a_path_is_never_cut() -> None:
    path = "/a" * 80
    assert path in fold(f"  {path}: there is no such file or directory", 60).splitlines()[0] + "\n"


def test_a_command_to_type_is_never_cut() -> None:
    said = fold(
        "  resolve it and `git add` there, then `backport continue`; or `backport skip`", 60
    )
    assert said.splitlines() == [
        "  resolve it and `git add` there, then `backport continue`;",
        "    or `backport skip`",
    ]
    said = fold("  resolve what is left and `git add` there, then `backport continue`", 60)
    assert said.splitlines()[1] == "    `backport continue`"


def test_details_stand_under_the_subject_where_they_do_not_fit() -> None:
    assert step_text("  ok 1/9 ", "a: b", "exact", 60) == "  ok 1/9 a: b  [exact]"
    long = step_text("  ok 1/9 ", "a: b", "exact, " + "built again, " * 8, 60).splitlines()
    assert long[0] == "  ok 1/9 a: b"
    assert all(line.startswith(" " * 9) and len(line) <= 60 for line in long[1:])


@pytest.mark.parametrize("ends", [False, True])
def test_a_failed_step_is_told_of_once(capsys: pytest.CaptureFixture[str], ends: bool) -> None:
    """Where the run ends at it, the error that follows has the reasons."""
    how = "in full: x86_64-linux-gnu-gcc-12 xen/common/event_channel.o ended with 1"
    with Reporter(validating=True, ends_at_failure=ends) as progress:
        progress.verdict(28, 56, _verdict(State.FAILED, _REASON, how))
    said = capsys.readouterr().err
    assert said.startswith("FAIL 28/56 x86/shim: forward bind_ipi\n")
    assert max(map(len, said.splitlines())) <= PAGE
    assert how in " ".join(said.split())
    assert (_REASON in " ".join(said.split())) is not ends


def test_a_step_that_cannot_be_told_says_why_in_any_case(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Reporter(validating=True, ends_at_failure=True) as progress:
        progress.verdict(28, 56, _verdict(State.CANNOT_TELL, "locks: nobody knows"))
    assert "locks: nobody knows" in capsys.readouterr().err


def test_a_step_that_fits_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    step = Step(Posted(0), StepState.APPLIED, How.EXACT, _OID)
    with Reporter(validating=True) as progress:
        progress._steps[28] = step
        progress.verdict(28, 56, _verdict(State.PASSED))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("  ok 28/56 x86/shim: forward bind_ipi  [exact, built 1.8 s, object: ")


def test_one_long_cell_does_not_make_the_table_wide(capsys: pytest.CaptureFixture[str]) -> None:
    calls = "  ".join(f"HVMOP_get_param x{n}" for n in range(20))
    rows = [("a name of no more than forty characters", "EVTCHNOP_send", "0"), ("b", calls, "-1")]
    show_table(("scenario", "L0 calls", "result"), rows)
    head, first, second, *more = capsys.readouterr().out.splitlines()
    assert max(map(len, (head, first, second, *more))) <= PAGE
    at = head.index("result")
    assert first.startswith(rows[0][0]) and first[at:] == "0"
    assert second.startswith("b ") and second[at:] == "-1"
    assert " ".join([second[:at], *more]).split()[1:] == calls.split()


def test_a_table_that_fits_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("a", "b"), [("1", "x" * 70), ("2", "y")])
    assert capsys.readouterr().out.splitlines() == ["a  b", f"1  {'x' * 70}", "2  y"]
