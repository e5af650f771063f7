# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of branches: which one is meant, which can be made, and what stands in their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backport.trees import backport, branch_with, git, lines, new_repo, refs


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    repo = new_repo(tmp_path / "repo", {"f": lines(), "g": "x\n"})
    branch_with(repo, "topic", "stable", ("f: five", {"f": lines((5, "five"))}))
    return repo


APPLY = ("apply", "--branch", "stable", "--series", "topic")


def test_a_tag_of_the_same_name_is_not_the_branch(repo: Path) -> None:
    """git takes the tag first, and says so; here --branch means the branch."""
    git(repo, "tag", "stable", "topic")
    git(repo, "checkout", "-q", "--detach")
    before = git(repo, "rev-parse", "refs/heads/stable")
    assert "exact" in backport(repo, "plan", *APPLY[1:]).output
    made = backport(repo, *APPLY, "--to", "made")
    assert made.exit_code == 0, made.output
    assert git(repo, "rev-parse", "made~1") == before
    assert backport(repo, *APPLY).exit_code == 0
    assert git(repo, "rev-parse", "refs/heads/stable~1") == before


@pytest.mark.parametrize("name", ["HEAD", "@", "-x", "", "a..b", "x.lock", "a b", "a~1", "/a"])
def test_a_name_that_git_does_not_take(repo: Path, name: str) -> None:
    before = refs(repo)
    done = backport(repo, *APPLY, "--to", name)
    assert done.exit_code == 2, done.output
    assert refs(repo) == before
    assert "no run in progress" in backport(repo, "status").output


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["a", "a/b/c"])
def test_a_name_that_another_branch_keeps_from_being_made(
    repo: Path, name: str, packed: bool
) -> None:
    git(repo, "branch", "a/b")
    if packed:
        git(repo, "pack-refs", "--all", "--prune")
    done = backport(repo, *APPLY, "--to", name)
    assert done.exit_code == 2, done.output
    assert "cannot be made beside refs/heads/a/b" in " ".join(done.output.split())
    assert "no run in progress" in backport(repo, "status").output


@pytest.mark.parametrize("name", ["a", "a/b/c"])
def test_another_branch_in_its_place_when_all_is_proven(repo: Path, name: str) -> None:
    """The run waits; it can be taken back, and go on when the other has gone."""
    before = refs(repo)
    words = ("-V", "build", "--build", "git branch a/b; cat f >out")
    git(repo, "config", "backport.sandbox", "off")
    done = backport(repo, *APPLY, "--to", name, *words)
    assert done.exit_code == 2, done.output
    assert "cannot be made: there is refs/heads/a/b" in " ".join(done.output.split())
    assert backport(repo, "abort").exit_code == 0
    git(repo, "branch", "-D", "a/b")
    assert refs(repo) == before
    assert backport(repo, *APPLY, "--to", name, *words).exit_code in (0, 2)
    git(repo, "branch", "-D", "a/b") if git(repo, "branch", "--list", "a/b") else None
    if "waits" in backport(repo, "status").output or "continue" in backport(repo, "status").output:
        assert backport(repo, "continue").exit_code == 0
    assert git(repo, "rev-parse", f"{name}^{{tree}}") == git(repo, "rev-parse", "topic^{tree}")


def test_empty_folders_of_refs_that_have_gone_are_no_branch(repo: Path) -> None:
    for folder in ("refs/heads/made/x", "logs/refs/heads/made/y"):
        (repo / ".git" / folder).mkdir(parents=True)
    done = backport(repo, *APPLY, "--to", "made")
    assert done.exit_code == 0, done.output
    assert git(repo, "rev-parse", "made^{tree}") == git(repo, "rev-parse", "topic^{tree}")
    assert git(repo, "reflog", "made")
