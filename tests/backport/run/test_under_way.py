# SPDX-License-Identifier: GPL-2.0-or-later
"""While a run goes on: what is being built, what would be, and a command that builds nothing."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backport.cli import app
from backport.report import progress
from tests.backport.test_interrupts import at_a_terminal
from tests.backport.trees import backport, branch_with, git, new_repo, refs

SUBJECT = "x86/shim: a subject that is rather long, as they are in Xen, and goes on"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = new_repo(tmp_path / "r", {"f": "1\n"})
    branch_with(folder, "topic", "stable", *((f"{SUBJECT} {n}", {"f": f"{n}\n"}) for n in (2, 3)))
    return folder


APPLY = ("apply", "-b", "stable", "-s", "stable..topic")


def test_the_step_under_way_stands_on_the_terminal(repo: Path) -> None:
    words = (*APPLY, "--build", "sleep 1.3; cat f > out", "-V", "build", "--audit", "0")
    ended = at_a_terminal(words, repo, lambda *_: False)
    assert ended.code == 0
    now = re.findall(
        r"now (\d)/2 (x86/shim: [^\r\n]*?): (sleep 1.3; [^\r\n]*), (\d+) s", ended.screen
    )
    assert {number for number, *_ in now} == {"1", "2"}
    assert "1" in {seconds for *_, seconds in now}


def test_a_log_has_a_line_for_what_takes_long(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_FIRST", 0.7)
    monkeypatch.setattr(progress, "_AGAIN", 0.2)
    build = "test 3 != $(cat f) || sleep 1.3; cat f > out"
    words = ("--build", build, "-V", "build", "--audit", "0")
    lines = backport(repo, *APPLY, *words).stderr.splitlines()
    still = [line for line in lines if line.startswith("  now ")]
    assert still
    assert all(line.startswith(f"  now 2/2 {SUBJECT} 3: ") for line in still)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_its_line_fits_and_keeps_command_and_time(width: int) -> None:
    now = progress._UnderWay(47, 77, SUBJECT, "make -j8 -C xen", time.monotonic() - 12)
    text = now.text(width)
    assert len(text) <= width
    assert text.startswith("  now 47/77 x86/shim: ")
    assert text.endswith(": make -j8 -C xen, 12 s")


def test_a_command_that_builds_nothing_is_noticed(repo: Path) -> None:
    done = backport(repo, *APPLY, "--build", "true", "-V", "build")
    assert done.exit_code == 0
    assert (
        "the build command changed no file in 2 steps, so it has built nothing: true" in done.stdout
    )
    assert "built 0" not in done.stderr
    idle = backport(repo, "check", "--range", "stable~2..stable", "--build", ":")
    assert "changed no file" in idle.output
    honest = backport(repo, "check", "--range", "stable~2..stable", "--build", "cat f > out")
    assert "changed no file" not in honest.output
    for how in ("built", "cached"):
        behind = backport(repo, "check", "--range", "stable~2..stable", "--build", "true #")
        assert "changed no file" in behind.output, "behind what another command has left"
        assert how in behind.output


def test_a_dry_run_says_what_would_be_built_and_how_long(repo: Path) -> None:
    words = (*APPLY, "--build", "cat f > out", "-V", "build")
    before = refs(repo)
    first = backport(repo, *words, "--dry-run")
    assert first.exit_code == 0
    assert "stable: 2 patches would be applied; nothing was changed" in first.stdout
    assert "to be built: 2 steps, 0 known" in first.stdout
    assert "how long is not known" in first.stdout
    assert refs(repo) == before
    assert not (repo / ".git/backport").exists()
    assert backport(repo, *words, "--to", "done").exit_code == 0
    known = backport(repo, *words, "-n", "--json", "-")
    assert json.loads(known.stdout)["dry_run"]["builds"] == []
    git(repo, "checkout", "-q", "topic")
    (repo / "f").write_text("9\n")
    git(repo, "commit", "-qam", "nine")
    more = backport(repo, *words, "-n")
    assert "to be built: 1 step, 2 known from the cache" in more.stdout
    assert re.search(r"each by 'cat f > out': about \d+ s \(median of 2 builds", more.stdout)
    assert git(repo, "rev-parse", "done") != git(repo, "rev-parse", "stable")


def test_a_dry_run_of_what_stops_ends_with_the_stops_code(repo: Path) -> None:
    git(repo, "checkout", "-q", "-b", "apart", "stable")
    (repo / "f").write_text("other\n")
    git(repo, "commit", "-qam", "other")
    done = backport(repo, "apply", "-b", "apart", "topic", "-n")
    assert done.exit_code == 3
    assert "stops at" in done.stdout


@pytest.mark.parametrize("columns", ["60", "80"])
def test_no_line_is_left_to_the_terminal_to_cut(repo: Path, columns: str) -> None:
    env = {"COLUMNS": columns}
    words = ["-C", str(repo), "--build", "cat f > out", "-V", "build"]
    done = CliRunner().invoke(app, [*APPLY, *words, "--to", "narrow"], env=env)
    assert done.exit_code == 0
    assert max(map(len, done.output.splitlines())) <= int(columns)
    assert git(repo, "rev-parse", "narrow")[:12] in done.output
