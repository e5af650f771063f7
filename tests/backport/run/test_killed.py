# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 anywhere, then ``continue``: the same object ids as a run that nobody disturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backport.builds.leftovers import end_leftovers
from tests.backport.killer import killed_at
from tests.backport.trees import backport, branch_with, copied, git, lines, mbox, new_repo

ROOT = Path(__file__).parents[3]
BUILD = "cc -c a.c -o a.o 2>/dev/null || cp a.c a.o"


def make(folder: Path) -> Path:
    repo = new_repo(folder, {"a.c": lines(), "b.c": lines(), ".gitignore": "*.o\n"})
    branch_with(
        repo,
        "topic",
        "stable",
        ("one", {"a.c": lines((5, "five"))}),
        ("two", {"b.c": lines((5, "five")), "c.c": "int c;\n"}),
        ("three", {"a.c": lines((5, "five"), (15, "fifteen"))}),
    )
    (repo / ".git/series.mbox").write_bytes(mbox(repo, "stable..topic"))
    return repo


def words(repo: Path, build: str = BUILD) -> list[str]:
    series = str(repo / ".git/series.mbox")
    where = ("--repo", str(repo), "--branch", "stable", "--series", series)
    return ["apply", *where, "--validate", "build", "--build", build]


@pytest.mark.parametrize(
    ("limit", "points"),
    [
        (100, 2),
        (1, 1),
        pytest.param(100, 40, marks=pytest.mark.torture),
        pytest.param(1, 40, marks=pytest.mark.torture),
    ],
    ids=["loose objects", "one pack", "loose objects, more points", "one pack, more points"],
)
def test_every_phase_survives_sigkill(tmp_path: Path, limit: int, points: int) -> None:
    """Killed before the first and the last acts, and at so many points between."""
    template = make(tmp_path / "template")
    whole = copied(template, tmp_path / "whole")
    done = killed_at(0, words(whole), limit)
    assert done.returncode == 0, done.stderr
    wanted = git(whole, "rev-parse", "stable")
    acts = int(done.stdout.split("acts ")[1])
    assert acts > 20
    died = 0
    for act in sorted({1, 2, 3, acts - 2, acts - 1, acts, *range(4, acts, max(1, acts // points))}):
        repo = copied(template, tmp_path / f"at{act}")
        before = git(repo, "rev-parse", "stable")
        cut = killed_at(act, words(repo), limit)
        assert cut.returncode == -signal.SIGKILL, cut.stderr
        died += 1
        assert git(repo, "rev-parse", "stable") in (before, wanted)
        begun = (repo / ".git/backport/run/state.json").exists()
        again = backport(repo, "continue") if begun else backport(repo, *_without_repo(words(repo)))
        assert again.exit_code == 0, (act, again.output)
        assert git(repo, "rev-parse", "stable") == wanted, act
        assert git(repo, "status", "--porcelain") == "", act
        assert git(repo, "for-each-ref", "refs/backport") == "", act
        git(repo, "fsck", "--strict", "--no-dangling")
    assert died >= min(acts, points + 4)


def happens(event: Callable[[], bool]) -> bool:
    """Whether it does within a minute, however busy the machine is."""
    give_up = time.monotonic() + 60
    while not event() and time.monotonic() < give_up:
        time.sleep(0.05)
    return event()


def test_killed_in_the_middle_of_a_build(tmp_path: Path) -> None:
    repo = make(tmp_path / "repo")
    before = git(repo, "rev-parse", "stable")
    slow = f"touch building; sleep 30; {BUILD}"
    process = subprocess.Popen(
        [sys.executable, "-m", "backport", *words(repo, slow)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert happens(lambda: (repo / ".git/backport/build/building").exists())
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert git(repo, "rev-parse", "stable") == before
    refused = backport(repo, *_without_repo(words(repo)))
    assert refused.exit_code == 2
    assert "was interrupted (3 of 3 patches)" in refused.output
    state = repo / ".git/backport/run/state.json"
    state.write_text(state.read_text().replace("sleep 30;", ""))
    done = backport(repo, "continue")
    assert done.exit_code == 0, done.output
    assert git(repo, "rev-parse", "stable^{tree}") == git(repo, "rev-parse", "topic^{tree}")


def test_what_a_killed_run_was_building_is_ended(tmp_path: Path) -> None:
    """Outside of a sandbox a build outlives the tool, and would go on in the next run's worktree."""
    repo = make(tmp_path / "repo")
    git(repo, "config", "backport.sandbox", "false")
    alive = tmp_path / "alive"
    endless = f"while :; do echo >> {alive}; sleep 0.02; done;"
    process = subprocess.Popen(
        [sys.executable, "-m", "backport", *words(repo, f"{endless} {BUILD}")],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert happens(alive.exists)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    size = alive.stat().st_size
    assert happens(lambda: alive.stat().st_size > size), "it goes on"
    state = repo / ".git/backport/run/state.json"
    state.write_text(state.read_text().replace(endless, ""))
    done = backport(repo, "continue")
    assert done.exit_code == 0, done.output
    size = alive.stat().st_size
    time.sleep(0.3)
    assert alive.stat().st_size == size
    assert end_leftovers(repo / ".git/backport/build") == 0


def test_what_a_killed_compiler_left_is_gone(tmp_path: Path) -> None:
    repo = make(tmp_path / "repo")
    left = repo / ".git/backport/tmp/ccAbCdEf.s"
    left.parent.mkdir(parents=True)
    left.write_text("half of it")
    assert backport(repo, *_without_repo(words(repo))).exit_code == 0
    assert not left.exists()


def test_two_at_once(tmp_path: Path) -> None:
    from backport.run.journal import Journal

    repo = make(tmp_path / "repo")
    with Journal(repo / ".git/backport").locked():
        done = killed_at(0, words(repo))
    assert "another backport is running in this repository" in done.stderr
    assert git(repo, "log", "--format=%s", "stable") == "base"


def _without_repo(arguments: list[str]) -> list[str]:
    at = arguments.index("--repo")
    return arguments[:at] + arguments[at + 2 :]
