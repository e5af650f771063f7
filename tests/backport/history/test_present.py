# SPDX-License-Identifier: GPL-2.0-or-later
"""What a branch is said to have, and whether it has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backport.history.presence import origins
from tests.backport.trees import backport, branch_with, commit, git, lines, mbox, new_repo


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """``topic`` has one commit that ``stable`` may be said to have."""
    made = new_repo(tmp_path / "repo", {"f": lines()})
    branch_with(made, "topic", "stable", ("three", {"f": lines((3, "three"), (20, "twenty"))}))
    return made


def step(repo: Path) -> dict[str, Any]:
    words = (
        "--branch",
        "stable",
        "--series",
        "topic~1..topic",
        "--to",
        "out",
        "--validate",
        "none",
    )
    done = backport(repo, "apply", *words, "--json", "-")
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)["steps"]
    assert isinstance(found, dict)
    return found


def picked(repo: Path, files: dict[str, str], subject: str = "x86: three") -> str:
    named = git(repo, "rev-parse", "topic")
    return commit(repo, files, f"{subject}\n\n(cherry picked from commit {named})")


def test_a_pick_is_recognised(repo: Path) -> None:
    made = picked(repo, {"f": lines((3, "three"), (20, "twenty"))})
    found = step(repo)
    assert found["state"] == "already"
    assert f"as {made[:12]}, picked from" in found["how"]


def test_a_mail_is_recognised_where_a_hunk_may_slide(tmp_path: Path) -> None:
    """Which of two equal lines a hunk begins with: git's mails and our reading of a commit agree."""
    words = "\t/* {} */\n\t{} = 1;\n\n"
    first, middle, last = (
        words.format(*each) for each in (("one", "a"), ("two", "b"), ("two", "c"))
    )
    repo = new_repo(tmp_path / "repo", {"f": first + last})
    branch_with(repo, "topic", "stable", ("b", {"f": first + middle + last}))
    (tmp_path / "series.mbox").write_bytes(mbox(repo, "stable..topic"))
    commit(repo, {"g": ""}, "meanwhile")
    commit(repo, {"f": first + middle + last}, "b")
    commit(repo, {"f": "another\n"}, "another")
    given = ("--branch", "stable", "--series", str(tmp_path / "series.mbox"), "--validate", "none")
    done = backport(repo, "apply", *given, "--json", "-")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["steps"][0]["state"] == "already"


def test_a_pick_that_was_reverted_goes_on_again(repo: Path) -> None:
    made = picked(repo, {"f": lines((3, "three"), (20, "twenty"))})
    git(repo, "revert", "--no-edit", made)
    assert step(repo)["state"] == "applied"


def test_a_revert_that_was_reverted_does_not_count(repo: Path) -> None:
    made = picked(repo, {"f": lines((3, "three"), (20, "twenty"))})
    git(repo, "revert", "--no-edit", made)
    git(repo, "revert", "--no-edit", "HEAD")
    assert "picked from" in step(repo)["how"]


def test_a_revert_may_name_the_commit_upstream(repo: Path) -> None:
    picked(repo, {"f": lines((3, "three"), (20, "twenty"))})
    named = git(repo, "rev-parse", "topic")
    commit(repo, {"f": lines()}, f'Revert "three"\n\nThis reverts commit {named}.')
    assert step(repo)["state"] == "applied"


@pytest.mark.parametrize(
    "prose",
    ["we still need (cherry picked from commit {0}) some day", "see commit {0} upstream. Later"],
)
def test_prose_about_a_commit_is_not_the_commit(repo: Path, prose: str) -> None:
    named = git(repo, "rev-parse", "topic")
    commit(repo, {}, "notes\n\n" + prose.format(named))
    found = step(repo)
    assert found["state"] == "applied"
    assert found["notes"] == []


def test_half_a_backport_is_made_whole_with_a_word(repo: Path) -> None:
    made = picked(repo, {"f": lines((3, "three"))})
    found = step(repo)
    assert found["state"] == "applied"
    assert made[:12] in found["notes"][0]
    assert "but not all of its content" in found["notes"][0]
    assert git(repo, "show", "out:f") + "\n" == lines((3, "three"), (20, "twenty"))


def test_an_adapted_backport_is_believed_where_the_patch_clashes(repo: Path) -> None:
    picked(repo, {"f": lines((3, "drei"), (20, "zwanzig"))})
    assert step(repo)["state"] == "already"


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (b"x\n\nmaster commit: %s\nmaster date: 2018-01-16\n", 1),
        (b"x\n\ncommit %s upstream.\n", 1),
        (b"x\n\n(cherry picked from commit %s)\nSigned-off-by: A <a@b>\n", 1),
        (b"x\n\nthe (cherry picked from commit %s) line\n", 0),
        (b"x\n\nmaster commit: none of %s\n", 0),
    ],
)
def test_origins_are_whole_lines(message: bytes, found: int) -> None:
    assert origins(message % (b"ab" * 20)) == ("ab" * 6,) * found
