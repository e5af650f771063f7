# SPDX-License-Identifier: GPL-2.0-or-later
"""Colours and the pager, as git's own settings have them, in a pseudo-terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backport.terminal import on_terminal
from tests.backport.trees import backport, branch_with, git, lines, new_repo

PLAN = ("plan", "--branch", "stable", "--series", "stable..topic")
MISSING = ("apply", "--branch", "none", "--series", "stable..topic")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    made = new_repo(tmp_path / "repo", {"a.c": lines()})
    branch_with(made, "topic", "stable", ("one", {"a.c": lines((5, "five"))}))
    return made


def test_colours_on_a_terminal(repo: Path) -> None:
    code, seen = on_terminal(repo, *MISSING)
    assert code == 2
    assert "\033[1;31mbackport: " in seen
    assert "\033[" in on_terminal(repo, *PLAN, GIT_PAGER="cat")[1]


@pytest.mark.parametrize("way", ["NO_COLOR", "color.ui", "a dumb terminal"])
def test_no_colours_where_the_user_wants_none(repo: Path, way: str) -> None:
    variables = {"GIT_PAGER": "cat"}
    if way == "color.ui":
        git(repo, "config", "color.ui", "false")
    else:
        variables |= {"NO_COLOR": "1"} if way == "NO_COLOR" else {"TERM": "dumb"}
    for words in (MISSING, PLAN):
        _, seen = on_terminal(repo, *words, **variables)
        assert "one" in seen or "none" in seen
        assert "\033[" not in seen, repr(seen)


def test_no_colours_in_a_pipe(repo: Path) -> None:
    git(repo, "config", "color.ui", "always")
    assert "\033" not in backport(repo, *PLAN).output
    assert "\033" not in backport(repo, *MISSING).output


@pytest.mark.parametrize("way", ["GIT_PAGER", "core.pager", "PAGER"])
def test_the_plan_goes_through_the_pager(repo: Path, way: str) -> None:
    pager = "sed 's/^/paged: /'"
    variables = {"PAGER": "false"} if way != "PAGER" else {"PAGER": pager}
    if way == "core.pager":
        git(repo, "config", "core.pager", pager)
    elif way == "GIT_PAGER":
        git(repo, "config", "core.pager", "false")
        variables["GIT_PAGER"] = pager
    code, seen = on_terminal(repo, *PLAN, **variables)
    assert code == 0
    assert any(line.startswith("paged: ") and "one" in line for line in seen.split("\n"))
    assert "\033[" in seen, "colours reach the pager"


def test_a_pager_that_is_left_early(repo: Path) -> None:
    code, seen = on_terminal(repo, *PLAN, GIT_PAGER="head -n 1")
    assert code == 0
    assert "Traceback" not in seen
    code, seen = on_terminal(repo, *PLAN, GIT_PAGER="exit 0")
    assert code == 0
    assert "Traceback" not in seen
    assert "Exception" not in seen


def test_the_exit_code_is_the_plans(repo: Path) -> None:
    git(repo, "checkout", "-q", "stable")
    (repo / "a.c").write_text(lines((5, "ours")))
    git(repo, "commit", "-qam", "ours")
    code, seen = on_terminal(
        repo, "plan", "--branch", "stable", "--series", "topic", GIT_PAGER="cat -"
    )
    assert code == 3, seen


def test_a_pipe_has_no_pager(repo: Path) -> None:
    git(repo, "config", "core.pager", "sed 's/^/paged: /'")
    assert "paged" not in backport(repo, *PLAN).output
