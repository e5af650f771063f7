# SPDX-License-Identifier: GPL-2.0-or-later
"""The validation of a whole run, on the sample tree: what passes, what fails, what is not paid twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from backport.accepted import is_accepted
from backport.merged_findings import merge_findings
from backport.sample.write import write_sample
from backport.validate.regressions import Regressions
from backport.verdicts import State, StepVerdict, Validator, Verdict
from emu.findings.verdict import Finding
from series.model import Oid
from tests.backport.trees import backport, git

pytestmark = pytest.mark.xdist_group("the sample's cores")
"""They share what one of them has built."""


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "shim"
    write_sample(folder)
    return folder


def test_the_main_job_in_one_command(sample: Path) -> None:
    done = backport(sample, "apply", "--branch", "stable-4.10", "--to", "proven", "--json", "-")
    assert done.exit_code == 0, done.output
    steps = json.loads(done.stdout)["steps"]
    assert len(steps) == 56
    assert sum(step["item"].startswith("c") for step in steps) == 1
    last = {verdict["validator"]: verdict for verdict in steps[-1]["verdicts"]}
    assert last["build"]["state"] == last["object"]["state"] == "passed"
    absent = [step for step in steps if step["verdicts"][1]["state"] == "not there yet"]
    assert 20 < len(absent) < 30
    assert git(sample, "rev-parse", "proven~56") == git(sample, "rev-parse", "stable-4.10")
    # The same again is answered from the cache, build and emulation.
    again = backport(sample, "apply", "--branch", "stable-4.10", "--to", "again", "--json", "-")
    verdicts = [v for step in json.loads(again.stdout)["steps"] for v in step["verdicts"]]
    assert all(v["cached"] for v in verdicts if v["state"] != "not there yet")


@pytest.mark.torture
def test_a_damaged_object_is_built_again(sample: Path) -> None:
    """Where its emulation is not known any more; where it is, nobody reads the object."""
    made = ("apply", "--branch", "stable-4.10", "--to", "damaged", "--validate", "none")
    assert backport(sample, *made).exit_code == 0
    words = ("check", "--commit", "damaged", "--json", "-")
    first = json.loads(backport(sample, *words).stdout)["verdicts"]
    assert first[1]["state"] == "passed"
    kept = sample / ".git/backport/cache"
    for path in (kept / "blob").rglob("*"):
        if path.is_file():
            path.write_bytes(b"damaged")
    assert all(v["cached"] for v in json.loads(backport(sample, *words).stdout)["verdicts"])
    shutil.rmtree(kept / "object")
    again = json.loads(backport(sample, *words).stdout)["verdicts"]
    assert [v["state"] for v in again] == [v["state"] for v in first]
    assert not any(v["cached"] for v in again)


def test_what_cannot_be_prepared_is_one_message(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And no traceback of the thread in which it is prepared."""
    write_sample(tmp_path / "shim")
    cache = tmp_path / "shim/.git/backport/cache"
    cache.mkdir(parents=True)
    (cache / "tmp").write_text("in the way")
    done = backport(tmp_path / "shim", "check", "--commit", "stable-4.10", "--validate", "object")
    assert done.exit_code == 2
    assert "cache/tmp" in done.output
    assert not caplog.records


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        pytest.param("bug-leak-lock", "locks:", marks=pytest.mark.torture),
        ("bug-guest-pointer", "SMAP:"),
        pytest.param("build-break", "error:", marks=pytest.mark.torture),
    ],
)
def test_a_bad_step_stops_the_run_and_leaves_the_branch(
    sample: Path, variant: str, said: str
) -> None:
    before = git(sample, "rev-parse", "stable-4.10")
    words = ("apply", "--branch", "stable-4.10", "--series", str(sample / f"posted/{variant}.mbox"))
    done = backport(sample, *words)
    assert done.exit_code == 1, done.output
    assert said in done.output
    assert "stable-4.10 was not moved" in done.output
    assert git(sample, "rev-parse", "stable-4.10") == before
    assert "no run in progress" in backport(sample, "status").output
    git(sample, "rev-parse", "--verify", "refs/backport/rejected")


@pytest.mark.torture  # a whole run of the sample: a minute
def test_a_bad_step_leaves_a_new_branch_unmade(sample: Path) -> None:
    series = ("--series", str(sample / "posted/build-break.mbox"))
    done = backport(sample, "apply", "--branch", "stable-4.10", "--to", "fresh", *series)
    assert done.exit_code == 1, done.output
    assert "fresh was not created" in done.output
    assert "fresh" not in git(sample, "branch", "--list")


@pytest.mark.torture  # a whole run of the sample: a minute
def test_a_finding_that_is_accepted_does_not_stop(sample: Path) -> None:
    words = ("apply", "--branch", "stable-4.10", "--to", "accepted")
    series = ("--series", str(sample / "posted/bug-leak-lock.mbox"))
    accepted = (x for what in ("locks", "crash", "asked again") for x in ("--accept", f"{what}:*"))
    done = backport(sample, *words, *series, *accepted)
    assert done.exit_code == 0, done.output
    assert "findings accepted" in done.output


@pytest.mark.torture  # a dozen builds of the sample, each with its emulation
def test_bisect_finds_break_and_repair_in_the_sample(sample: Path) -> None:
    series = str(sample / "posted/build-break.mbox")
    done = backport(sample, "bisect", "--branch", "stable-4.10", "--series", series, "--json", "-")
    assert done.exit_code == 1, done.output
    found = json.loads(done.stdout)
    assert found["repaired_by"] == found["first_bad"] + 4


@pytest.mark.torture  # a whole run of the sample: a minute
def test_a_core_on_its_own(sample: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from backport.cli import app

    def emulate(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["emulate", *words])
        return done.exit_code, done.output

    built = sample / ".git/backport/build/xen/arch/x86/pv/shim.o"
    backport(sample, "apply", "--branch", "stable-4.10", "--to", "for-emulate")
    git(sample, "-C", str(built.parents[4]), "checkout", "-q", "--detach", "for-emulate")
    import subprocess

    subprocess.run(["make", "-s", "-j2"], cwd=built.parents[4], check=True)
    code, said = emulate(str(built))
    assert code == 0, said
    assert "EVTCHNOP_alloc_unbound" in said
    assert emulate(str(built), "--only", "send/64")[0] == 0
    (tmp_path / "short.o").write_bytes(built.read_bytes()[:2000])
    (tmp_path / "text.o").write_text("int main;\n")
    assert emulate(str(tmp_path / "short.o"))[0] == 2
    assert emulate(str(tmp_path / "text.o"))[0] == 2
    assert emulate(str(tmp_path / "absent.o"))[0] == 2
    assert emulate(str(built), "--profile", "no-such-profile")[0] == 2


def step(number: int, **outcomes: str) -> StepVerdict:
    results = [{"scenario": k, "mode": "64", "outcome": v} for k, v in outcomes.items()]
    verdict = Verdict(Validator.OBJECT, State.PASSED, "", data={"results": results})
    return StepVerdict(number, Oid(f"{number:040}"), "s", (verdict,))


def before(commit: Oid) -> tuple[Oid, ...]:
    """The parents in a line of steps."""
    return (Oid(f"{int(commit) - 1:040}"),)


def test_an_operation_that_was_there_must_not_go() -> None:
    follow = Regressions(before)
    assert not follow.judge(step(1, send="absent", close="passed")).failed
    assert not follow.judge(step(2, send="passed", close="passed")).failed
    lost = follow.judge(step(3, send="passed", close="absent"))
    assert lost.failed
    assert "object close/64 worked at step 1 and does not now" in lost.explain()
    absent = Verdict(Validator.OBJECT, State.ABSENT, "no core")
    assert follow.judge(StepVerdict(4, Oid(f"{4:040}"), "s", (absent,))).failed
    forgiving = Regressions(before, ("regression:object close/*",))
    forgiving.judge(step(1, close="passed"))
    assert not forgiving.judge(step(2, close="absent")).failed


def test_a_scenario_that_stands_twice_is_lost_once() -> None:
    follow = Regressions(before)
    follow.judge(step(1, close="passed"))
    (verdict,) = step(2, close="absent").verdicts
    assert verdict.data is not None
    twice = {"results": verdict.data["results"] * 2}
    again = StepVerdict(2, Oid(f"{2:040}"), "s", (replace(verdict, data=twice),))
    assert follow.judge(again).explain().count("worked at step 1") == 1


def test_a_step_loses_only_what_it_had_from_its_parents() -> None:
    """1 - 2 - 4, and 3 on 1 beside 2; 4 merges them."""
    parents = {1: (), 2: (1,), 3: (1,), 4: (2, 3)}

    def of(commit: Oid) -> tuple[Oid, ...]:
        return tuple(Oid(f"{number:040}") for number in parents[int(commit)])

    follow = Regressions(of)
    assert not follow.judge(step(1, send="absent", close="passed")).failed
    assert not follow.judge(step(2, send="passed", close="passed")).failed
    assert not follow.judge(step(3, send="absent", close="passed")).failed, "it never had 2's"
    lost = follow.judge(step(4, send="absent", close="passed"))
    assert "object send/64 worked at step 2 and does not now" in lost.explain()


def test_accepting_is_by_invariant_and_scenario() -> None:
    assert is_accepted("locks:close/64", ("locks:*",))
    assert not is_accepted("locks:close/64", ("SMAP:*", "locks:close"))


def test_one_fault_is_one_line_whatever_the_input() -> None:
    def finding(message: str, scenario: str) -> Finding:
        return Finding("translation", message, "EVTCHNOP_close", scenario)

    merged = merge_findings(
        [
            finding("asked for port = 12, L0 is asked for 1", "close/64"),
            finding("asked for port = 0x7fff, L0 is asked for -1 (with port = 0x7fff)", "close/64"),
            finding("asked for vcpu = 12, L0 is asked for 1", "close/64"),
        ]
    )
    assert [(one.message, len(scenarios)) for one, scenarios in merged] == [
        ("asked for port = 12, L0 is asked for 1", 2),
        ("asked for vcpu = 12, L0 is asked for 1", 1),
    ]
