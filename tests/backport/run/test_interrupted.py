# SPDX-License-Identifier: GPL-2.0-or-later
"""Interrupted or killed while a build or a replayed command runs: nothing is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backport.builds.recorded.watch import watcher, works
from backport.builds.sandbox import unusable
from tests.backport.trees import Files, backport, branch_with, git, new_repo

ROOT = Path(__file__).parents[3]
SLOW = "sleep 1234.5"
MAKEFILE = """\
all: out
out: in slow
\tsh slow
\tcp in out
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    files: Files = {"Makefile": MAKEFILE, "in": "1\n", "slow": "true\n", ".gitignore": "out\n"}
    folder = new_repo(tmp_path / "repo", files)
    slow = {"slow": f"touch building; {SLOW}\n"}
    branch_with(folder, "hang", "stable", ("first", {"in": "2\n"}), ("hang", slow))
    return folder


def sleepers(within: Path) -> list[int]:
    """Processes that still wait in a build of that repository."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if command.startswith(SLOW) and (entry / "cwd").readlink().is_relative_to(within):
                found.append(int(entry.name))
        except (OSError, ValueError):
            continue
    return found


def left_in(repo: Path) -> list[int]:
    """Those that are there after some time: one that was killed takes a moment to be gone."""
    give_up = time.monotonic() + 10
    while sleepers(repo) and time.monotonic() < give_up:
        time.sleep(0.05)
    return sleepers(repo)


def hanging(repo: Path, tmp_path: Path, boxed: str, replay: str) -> subprocess.Popen[str]:
    """The tool in the middle of a build that hangs."""
    if replay == "true":
        binary, why = watcher(tmp_path / "watcher")
        if binary is None or works(binary, (), tmp_path / "log"):
            pytest.skip(why or "ptrace is not allowed here")
    for key, value in (("sandbox", boxed), ("replay", replay), ("build", "make -s")):
        git(repo, "config", f"backport.{key}", value)
    words = [sys.executable, "-m", "backport", "check", "--repo", str(repo)]
    process = subprocess.Popen(
        [*words, "--range", "stable..hang", "--validate", "build"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts what it runs in the background with interrupts ignored, and we inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    building = repo / ".git/backport/build/building"
    give_up = time.monotonic() + 60
    while not building.exists() and time.monotonic() < give_up:
        time.sleep(0.05)
    assert building.exists()
    return process


@pytest.mark.parametrize(
    ("boxed", "replay"),
    [
        ("false", "false"),
        ("true", "true"),
        pytest.param("true", "false", marks=pytest.mark.torture),
        pytest.param("false", "true", marks=pytest.mark.torture),
    ],
)
def test_an_interrupt_leaves_nothing_running(
    repo: Path, tmp_path: Path, boxed: str, replay: str
) -> None:
    process = hanging(repo, tmp_path, boxed, replay)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said
    assert left_in(repo) == []


@pytest.mark.parametrize(
    ("boxed", "replay"),
    [
        ("true", "true"),
        pytest.param("true", "false", marks=pytest.mark.torture),
        pytest.param("false", "true", marks=pytest.mark.torture),
    ],
)
def test_what_kills_the_tool_kills_its_build(
    repo: Path, tmp_path: Path, boxed: str, replay: str
) -> None:
    """A build that outlived it would write where `continue` builds."""
    if boxed == "true" and unusable():
        pytest.skip("no sandbox here")
    process = hanging(repo, tmp_path, boxed, replay)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=120)
    assert left_in(repo) == []
    git(repo, "config", "backport.build", "cp in out")
    done = backport(repo, "check", "--range", "stable..hang", "--validate", "build")
    assert done.exit_code == 0, done.output
