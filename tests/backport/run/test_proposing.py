# SPDX-License-Identifier: GPL-2.0-or-later
"""A conflict whose sides do not touch each other: the merge is laid out, and taken only where proven."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.backport.trees import backport, branch_with, git, lines, new_repo

BRANCH, FIX = lines((5, "own")), lines((6, "fix"))
BOTH = lines((5, "own"), (6, "fix"))


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """The branch has changed the line beside the one that the fix changes."""
    repo = new_repo(tmp_path / "repo", {"a.c": lines()}, "master")
    branch_with(repo, "stable-4.10", "master", ("own", {"a.c": BRANCH}))
    branch_with(repo, "topic", "master", ("fix", {"a.c": FIX}))
    return repo


def apply(repo: Path, *words: str, ends: int) -> str:
    given = ("--branch", "stable-4.10", "--series", "master..topic")
    done = backport(repo, "apply", *given, *words)
    assert done.exit_code == ends, done.output
    return done.output


def test_it_is_laid_out_and_left_to_the_user(repo: Path) -> None:
    said = apply(repo, ends=3)
    assert "changes on neighbouring lines" in said and "+fix" in said.replace(" ", "")
    folder = repo / ".git/backport/conflict"
    assert (folder / "a.c").read_text() == BOTH
    assert "changes on neighbouring lines" in backport(repo, "status").output
    # It is not added: only to go on is no word for it.
    done = backport(repo, "continue")
    assert done.exit_code == 3 and "unresolved" in done.output
    git(folder, "checkout", "--merge", "a.c")
    assert "<<<<<<<" in (folder / "a.c").read_text()
    (folder / "a.c").write_text(BOTH)
    git(folder, "add", "a.c")
    assert backport(repo, "continue").exit_code == 0
    assert git(repo, "show", "stable-4.10:a.c") == BOTH.rstrip("\n")


def test_what_the_user_has_resolved_before_goes_first(repo: Path) -> None:
    git(repo, "config", "rerere.enabled", "true")
    apply(repo, ends=3)
    folder = repo / ".git/backport/conflict"
    mine = BOTH.replace("fix", "mine")
    (folder / "a.c").write_text(mine)
    git(folder, "add", "a.c")
    assert backport(repo, "continue", "--to", "x").exit_code != 0  # no such option: nothing happens
    assert backport(repo, "continue").exit_code == 0
    git(repo, "branch", "-f", "stable-4.10", "stable-4.10~1")
    said = apply(repo, ends=3)
    assert "rerere" in said and "neighbouring" not in said
    assert (folder / "a.c").read_text() == mine


def test_where_nothing_is_built_it_is_never_taken(repo: Path) -> None:
    apply(repo, "--accept", "proposals", ends=3)


def test_taken_where_the_step_is_proven(repo: Path, tmp_path: Path) -> None:
    built = ("--accept", "proposals", "--validate", "build")
    out = tmp_path / "out.json"
    apply(repo, *built, "--build", "grep -q fix a.c", "--json", str(out), ends=0)
    assert git(repo, "show", "stable-4.10:a.c") == BOTH.rstrip("\n")
    (step,) = json.loads(out.read_text())["steps"]
    assert (step["class"], step["how"]) == ("proposal", "as proposed")


@pytest.mark.parametrize(("command", "ends"), [("false", 1), ("exit 125", 125)])
def test_not_taken_where_it_is_not_proven(repo: Path, command: str, ends: int) -> None:
    """Whatever else is accepted."""
    tip = git(repo, "rev-parse", "stable-4.10")
    accept = ("--accept", "proposals", "--accept", "unproven:build")
    apply(repo, *accept, "--validate", "build", "--build", command, ends=ends)
    assert git(repo, "rev-parse", "stable-4.10") == tip


def test_none_where_a_check_doubts_it(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", {"a.c": lines()}, "master")
    branch_with(repo, "stable-4.10", "master", ("own", {"a.c": BRANCH}))
    branch_with(
        repo,
        "topic",
        "master",
        ("helper", {"h.h": "void helper(void);\n"}),
        ("fix", {"a.c": lines((6, "x = helper();"))}),
    )
    done = backport(repo, "apply", "--branch", "stable-4.10", "--series", "topic")
    assert done.exit_code == 3 and "neighbouring" not in done.output
    assert "<<<<<<<" in (repo / ".git/backport/conflict/a.c").read_text()


def test_plan_names_the_class(repo: Path) -> None:
    given = ("--branch", "stable-4.10", "--series", "master..topic")
    done = backport(repo, "plan", *given, "--json", "-")
    assert done.exit_code == 3
    assert json.loads(done.stdout)["patches"][0]["class"] == "proposal"
    assert "CONFLICT, proposal" in backport(repo, "plan", *given).output
