# SPDX-License-Identifier: GPL-2.0-or-later
"""Is a patch still needed?  Wholly, in part, or not at all, for a person and for a program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.backport.trees import backport, commit, git, lines, new_repo


def patch(subject: str, *changes: tuple[str, int, str]) -> str:
    """A quilt patch that changes single lines of files."""
    text = f"From: A B <a@b.org>\nSubject: {subject}\n\n"
    for name, line, new in changes:
        text += (
            f"--- a/{name}\n+++ b/{name}\n@@ -{line - 1},3 +{line - 1},3 @@\n"
            f" line {line - 1}\n-line {line}\n+{new}\n line {line + 1}\n"
        )
    return text


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """``sid`` has of five patches one wholly, and one of the two files of another."""
    made = new_repo(tmp_path / "repo", {"f": lines(), "g": lines()}, "sid")
    folder = made / "debian/patches"
    folder.mkdir(parents=True)
    for name, text in (
        ("both.patch", patch("change f and g", ("f", 10, "ten"), ("g", 10, "ten"))),
        ("gone.patch", patch("change f", ("f", 20, "twenty"))),
        ("kept.patch", patch("change g", ("g", 25, "twenty-five"))),
    ):
        (folder / name).write_text(text)
    (folder / "series").write_text("both.patch\ngone.patch\nkept.patch\n")
    git(made, "add", "-A")
    git(made, "commit", "-qm", "patches")
    commit(made, {"f": lines((10, "ten"), (20, "twenty"))}, "upstream took some")
    return made


def words(repo: Path) -> tuple[str, ...]:
    return ("--branch", "sid", "--series", str(repo / "debian/patches/series"))


def test_in_the_summary(repo: Path) -> None:
    done = backport(repo, "apply", *words(repo))
    assert done.exit_code == 0, done.output
    assert "already there: 1\n    gone.patch change f: the tree has all of it" in done.output
    assert "both.patch change f and g: f: all of it is there already" in done.output
    wanted = "still needed, of 3: 1 as it is, 1 in part, 1 not at all (obsolete)"
    assert wanted in done.output


def test_in_the_plan(repo: Path) -> None:
    planned = backport(repo, "plan", *words(repo))
    assert "still needed, of 3: 1 as it is, 1 in part, 1 not at all" in planned.output
    data = json.loads(backport(repo, "plan", *words(repo), "--json", "-").stdout)
    assert [one["worth"] for one in data["patches"]] == ["in part", "obsolete", "needed"]


def test_as_json(repo: Path) -> None:
    data = json.loads(backport(repo, "apply", *words(repo), "--json", "-").stdout)
    assert data["worth"] == {"obsolete": 1, "in part": 1, "needed": 1}
    assert [step["there_already"] for step in data["steps"]] == [
        [{"path": "f", "whole": True, "hunks": ""}],
        [],
        [],
    ]


def test_by_hunks_where_the_patch_names_its_blobs(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", {"f": lines()}, "stable")
    git(repo, "checkout", "-q", "-b", "topic")
    commit(repo, {"f": lines((5, "five"), (25, "twenty-five"))}, "two hunks")
    git(repo, "checkout", "-q", "stable")
    commit(repo, {"f": lines((5, "five"))}, "one of them")
    done = backport(repo, "apply", "--branch", "stable", "--series", "topic", "--json", "-")
    (step,) = json.loads(done.stdout)["steps"]
    assert step["worth"] == "in part"
    assert step["there_already"] == [
        {"path": "f", "whole": False, "hunks": "hunk 1 of 2 is there already"}
    ]


def test_nothing_is_said_where_all_are_needed(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", {"f": lines()}, "stable")
    git(repo, "checkout", "-q", "-b", "topic")
    commit(repo, {"f": lines((5, "five"))}, "one")
    git(repo, "checkout", "-q", "stable")
    for verb in ("plan", "apply"):
        done = backport(repo, verb, "--branch", "stable", "--series", "topic")
        assert "still needed" not in done.output


def test_a_run_that_is_continued_knows_the_parts(repo: Path) -> None:
    commit(repo, {"g": lines((25, "ours"))}, "in the way of the last")
    assert backport(repo, "apply", *words(repo)).exit_code == 3
    done = backport(repo, "skip", "--json", "-")
    assert done.exit_code == 0, done.output
    steps = json.loads(done.stdout)["steps"]
    assert [step["worth"] for step in steps] == ["in part", "obsolete", None]
    assert steps[0]["there_already"]


def test_a_long_list_says_that_it_is_cut(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", {"f": lines()}, "stable")
    git(repo, "checkout", "-q", "-b", "topic")
    for number in range(1, 16):
        commit(repo, {f"n{number}": "x\n"}, f"n{number}")
    git(repo, "checkout", "-q", "stable")
    commit(repo, {f"n{number}": "x\n" for number in range(1, 16)}, "all of it")
    done = backport(repo, "apply", "--branch", "stable", "--series", "stable~1..topic")
    assert "and 3 more (--json names all)" in done.output
