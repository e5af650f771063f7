# SPDX-License-Identifier: GPL-2.0-or-later
"""The booted level in a run, on its own, and as a difference between steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backport.cli import app
from backport.sample.write import write_sample
from backport.validate.regressions import Regressions
from backport.verdicts import State, StepVerdict, Validator, Verdict
from series.model import Oid
from tests.backport.trees import backport, git

pytestmark = pytest.mark.xdist_group("the sample's images")
"""They share what one of them has built."""


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample with its series on ``good``."""
    folder = tmp_path_factory.mktemp("sample") / "shim"
    write_sample(folder)
    done = backport(
        folder, "apply", "--branch", "stable-4.10", "--to", "good", "--validate", "none"
    )
    assert done.exit_code == 0, done.output
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "start", ["good~1", pytest.param("stable-4.10", marks=pytest.mark.torture)]
)
def test_every_step_is_proven_at_both_levels(sample: Path, start: str) -> None:
    words = ("check", "--range", f"{start}..good", "--validate", "boot", "--json", "-")
    done = backport(sample, *words)
    assert done.exit_code == 0, done.output
    commits = json.loads(done.stdout)["commits"]
    assert len(commits) == len(git(sample, "rev-list", f"{start}..good").splitlines())
    verdicts = {(v["validator"], v["state"]) for c in commits for v in c["verdicts"]}
    assert verdicts <= {
        *((name, "passed") for name in ("build", "object", "boot")),
        *((name, "not there yet") for name in ("object", "boot")),
    }
    boots = [v for v in commits[-1]["verdicts"] if v["validator"] == "boot"]
    reached = {m["name"] for m in boots[-1]["data"]["ladder"] if m["reached"]}
    assert {"L2 entered (64-bit)", "L2 entered (32-bit)"} <= reached


def test_behaviour_says_what_a_patch_did(sample: Path) -> None:
    log = git(sample, "log", "--format=%H %s", "stable-4.10..good").splitlines()
    commit = next(line.split()[0] for line in log if line.endswith("x86/shim: forward bind_ipi"))
    done = backport(sample, "behaviour", f"{commit}~1..{commit}")
    assert done.exit_code == 0, done.output
    assert (
        "EVTCHNOP_bind_ipi (bind_ipi): was refused (-EOPNOTSUPP), now forwarded to L0 (0)"
        in done.output
    )
    document = backport(sample, "behaviour", f"{commit}~1..{commit}", "--json", "-")
    assert json.loads(document.stdout)["steps"][1]["changes"]


def test_an_image_on_its_own(sample: Path, tmp_path: Path) -> None:
    backport(sample, "check", "--commit", "good", "--validate", "boot")
    import subprocess

    tree = sample / ".git/backport/build"
    git(tree, "checkout", "-q", "--detach", "good")
    subprocess.run(["make", "-s", "-j2"], cwd=tree, check=True)
    done = CliRunner().invoke(app, ["emulate", str(tree / "xen/xen-syms")])
    assert done.exit_code == 0, done.output
    assert "reached  L2 entered (64-bit)" in done.output
    cut = tmp_path / "cut"
    cut.write_bytes((tree / "xen/xen-syms").read_bytes()[:5000])
    assert CliRunner().invoke(app, ["emulate", str(cut)]).exit_code == 2
    assert CliRunner().invoke(app, ["emulate", "/bin/true"]).exit_code == 2


def step(number: int, *reached: bool) -> StepVerdict:
    ladder = [{"name": f"m{n}", "reached": there} for n, there in enumerate(reached)]
    verdict = Verdict(Validator.BOOT, State.PASSED, "", data={"ladder": ladder, "behaviour": []})
    return StepVerdict(number, Oid(f"{number:040}"), "s", (verdict,))


def test_a_milestone_that_was_reached_must_not_go() -> None:
    follow = Regressions(lambda commit: (Oid(f"{int(commit) - 1:040}"),))
    assert not follow.judge(step(1, True, False)).failed
    assert not follow.judge(step(2, True, True)).failed
    assert follow.judge(step(3, True, False)).failed
    assert not follow.judge(step(4, True, False)).failed
    assert not follow.judge(step(5, True, True)).failed
    assert follow.judge(step(6, True, False)).failed
