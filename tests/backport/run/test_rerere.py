# SPDX-License-Identifier: GPL-2.0-or-later
"""git's rerere: what was resolved once is laid out, and only somebody's ``git add`` takes it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.backport.trees import backport, branch_with, commit, git, lines, new_repo

WORDS = ("apply", "--branch", "stable", "--series", "topic")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    made = new_repo(tmp_path / "repo", {"a.c": lines()})
    branch_with(made, "topic", "stable", ("theirs", {"a.c": lines((5, "theirs"))}))
    commit(made, {"a.c": lines((5, "ours"))}, "ours")
    return made


def conflict(repo: Path) -> Path:
    return repo / ".git/backport/conflict"


def resolve(repo: Path) -> None:
    assert backport(repo, *WORDS).exit_code == 3
    (conflict(repo) / "a.c").write_text(lines((5, "both")))
    git(conflict(repo), "add", "a.c")
    done = backport(repo, "continue")
    assert done.exit_code == 0, done.output
    git(repo, "reset", "-q", "--hard", "stable~1")


def cached(repo: Path) -> list[str]:
    return sorted(x.name for x in (repo / ".git/rr-cache").glob("*/*"))


@pytest.mark.parametrize("way", ["config", "a folder rr-cache"])
@pytest.mark.parametrize("style", ["diff3", "merge"])
def test_recorded_laid_out_and_never_staged_unasked(repo: Path, way: str, style: str) -> None:
    git(repo, "config", "merge.conflictStyle", style)
    git(repo, "config", "rerere.autoUpdate", "true")
    if way == "config":
        git(repo, "config", "rerere.enabled", "true")
    else:
        (repo / ".git/rr-cache").mkdir()
    resolve(repo)
    assert cached(repo) == ["postimage", "preimage"]
    again = backport(repo, *WORDS)
    assert again.exit_code == 3
    assert "git's rerere has written a resolution" in again.output
    assert (conflict(repo) / "a.c").read_text() == lines((5, "both"))
    assert git(conflict(repo), "ls-files", "-u"), "it waits to be added"
    refused = backport(repo, "continue")
    assert refused.exit_code == 3
    assert "still unresolved: a.c" in refused.output
    git(conflict(repo), "add", "a.c")
    assert backport(repo, "continue").exit_code == 0
    assert git(repo, "show", "stable:a.c") + "\n" == lines((5, "both"))


def test_what_git_has_recorded_is_known_here_and_the_other_way_round(repo: Path) -> None:
    git(repo, "config", "rerere.enabled", "true")
    resolve(repo)
    picked = subprocess.run(
        ["git", "-C", str(repo), "cherry-pick", "topic"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "using previous resolution" in picked.stderr
    assert (repo / "a.c").read_text() == lines((5, "both"))


@pytest.mark.parametrize("verb", ["abort", "skip"])
def test_what_nobody_resolved_leaves_nothing(repo: Path, verb: str) -> None:
    git(repo, "config", "rerere.enabled", "true")
    assert backport(repo, *WORDS).exit_code == 3
    assert cached(repo) == ["preimage"]
    assert backport(repo, verb).exit_code == 0
    assert cached(repo) == []


def test_off_where_git_has_it_off(repo: Path) -> None:
    resolve(repo)
    assert not (repo / ".git/rr-cache").exists()
    (repo / ".git/rr-cache").mkdir()
    git(repo, "config", "rerere.enabled", "false")
    resolve(repo)
    assert cached(repo) == []
