# SPDX-License-Identifier: GPL-2.0-or-later
"""Ctrl-C typed at a terminal, at many moments: one line, exit 130, nothing left running or listed."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from backport.sample.write import write_sample
from tests.backport.trees import backport, branch_with, git, new_repo

ROOT = Path(__file__).parents[2]
CTRL_C = b"\x03"


@dataclass(frozen=True)
class Ended:
    """What a terminal showed, and how the program ended."""

    code: int
    screen: str
    pid: int


_HANGS = 300
"""Seconds: a loaded machine takes ten times as long for what is done before the keys are typed."""


def at_a_terminal(
    words: Sequence[str], cwd: Path, when: Callable[[str, float], bool], keys: bytes = CTRL_C
) -> Ended:
    """Run the tool in a pseudo-terminal and type ``keys`` as soon as ``when`` says so of what it shows."""
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover
        os.chdir(cwd)
        # A suite that runs in the background ignores it, and what it starts would do so, too.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.environ |= {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "80"}
        os.execv(sys.executable, [sys.executable, "-m", "backport", *words])
    begun, typed, seen = time.monotonic(), False, b""
    while time.monotonic() < begun + _HANGS:
        ready, _, _ = select.select([terminal], [], [], 0.005)
        if ready:
            try:
                chunk = os.read(terminal, 65536)
            except OSError:
                break
            if not chunk:
                break
            seen += chunk
        if not typed and when(seen.decode("utf-8", "replace"), time.monotonic() - begun):
            os.write(terminal, keys)
            typed = True
    else:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return Ended(os.waitstatus_to_exitcode(status), seen.decode("utf-8", "replace"), pid)


def left_running(session: int, folder: Path) -> list[str]:
    """Processes of the terminal's session, or with a foot in the repository, that are still there."""
    give_up = time.monotonic() + 5
    while True:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                own = int((entry / "stat").read_text().rpartition(")")[2].split()[3]) == session
                inside = (entry / "cwd").readlink().is_relative_to(folder)
                if (own or inside) and (entry / "cmdline").read_bytes():
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except (OSError, ValueError):
                continue
        if not found or time.monotonic() > give_up:
            return found
        time.sleep(0.05)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = new_repo(tmp_path / "r", {"f": "1\n"})
    steps = ((f"step {n}", {"f": f"{n}\n"}) for n in range(2, 8))
    branch_with(folder, "topic", "stable", *steps)
    git(folder, "config", "backport.build", "sleep 0.2; cat f > out")
    git(folder, "checkout", "-q", "topic")
    return folder


def after(seconds: float) -> Callable[[str, float], bool]:
    return lambda _, passed: passed >= seconds


def shows(text: str) -> Callable[[str, float], bool]:
    return lambda screen, _: text in screen


def clean(ended: Ended, folder: Path) -> None:
    ours = re.search(r'File ".*/backport/\w', ended.screen)
    silent = ended.code == -signal.SIGINT and ended.screen.strip() == "^C"
    if ("Traceback" in ended.screen and not ours) or silent:
        pytest.skip("Python itself was still starting: no line of ours had run")
    assert "Traceback" not in ended.screen, ended.screen
    assert "Error" not in ended.screen, ended.screen
    assert left_running(ended.pid, folder) == []
    if ended.code == 130:
        assert git(folder, "worktree", "list").count("\n") <= 1
    else:
        assert ended.code == 0, ended.screen


APPLY = ("apply", "-b", "stable", "-s", "stable..topic", "-V", "build")


@pytest.mark.parametrize(
    "moment",
    [
        *(0.12, 0.3, 0.5, 1.3),
        *(pytest.param(moment, marks=pytest.mark.torture) for moment in (0.06, 0.2, 0.8)),
    ],
)
def test_ctrl_c_at_many_moments(repo: Path, moment: float) -> None:
    before = git(repo, "rev-parse", "stable")
    ended = at_a_terminal(APPLY, repo, after(moment))
    clean(ended, repo)
    assert ended.code == 130
    assert "interrupted" in ended.screen
    assert git(repo, "rev-parse", "stable") == before
    waits = (repo / ".git/backport/run/state.json").exists()
    assert ("backport continue" in ended.screen) == waits
    if waits:
        assert backport(repo, "continue").exit_code == 0
        assert git(repo, "rev-parse", "stable:f") == git(repo, "rev-parse", "topic:f")


def test_ctrl_c_before_there_is_a_handler(tmp_path: Path) -> None:
    """The first module that a handler needs takes a moment to load."""
    (tmp_path / "signal.py").write_text("raise KeyboardInterrupt\n")
    path = os.pathsep.join((str(tmp_path), str(Path(__file__).parents[2])))
    done = subprocess.run(
        [sys.executable, "-m", "backport", "--version"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "backport: interrupted; nothing was changed\n")


@pytest.mark.torture
@pytest.mark.parametrize("moment", [n * 0.04 for n in range(1, 70)])
def test_ctrl_c_at_every_moment(repo: Path, moment: float) -> None:
    ended = at_a_terminal(APPLY, repo, after(moment))
    clean(ended, repo)


def test_an_interrupted_check_leaves_no_worktree_and_names_no_run(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # as at the terminal: builds get it, so it counts
    words = ("check", "--range", "stable..topic", "-V", "build")
    ended = at_a_terminal(words, repo, shows("2/6"))
    clean(ended, repo)
    assert ended.code == 130
    assert "continue" not in ended.screen
    assert "what was proven up to the last audit is kept" in " ".join(ended.screen.split())
    again = backport(repo, *words)
    assert again.exit_code == 0
    assert "cached" in again.output


def test_a_second_ctrl_c_does_not_spoil_the_end(repo: Path) -> None:
    git(repo, "config", "backport.build", "sleep 5")
    ended = at_a_terminal(APPLY, repo, shows("validate"), CTRL_C * 2)
    clean(ended, repo)
    assert ended.code == 130


@pytest.mark.parametrize("last", [3, pytest.param(35, marks=pytest.mark.torture)])
@pytest.mark.parametrize(
    "moment", ["2/", *(pytest.param(n, marks=pytest.mark.torture) for n in ("1/", "3/", "13/"))]
)
def test_ctrl_c_while_cores_are_emulated(tmp_path: Path, last: int, moment: str) -> None:
    """In a run of the ``last`` patches of the series."""
    sample = tmp_path / "sample"
    write_sample(sample)
    made = ("apply", "-b", "stable-4.10", "--to", "made", "-V", "none")
    assert backport(sample, *made, "-s", str(sample / "posted/shim-v2.mbox")).exit_code == 0
    git(sample, "branch", "near", f"made~{last}")
    words = ("apply", "-b", "near", "-s", f"made~{last}..made", "-V", "object")
    ended = at_a_terminal(words, sample, shows(moment))
    clean(ended, sample)
    assert ended.code == 130
    assert "backport continue" in ended.screen
