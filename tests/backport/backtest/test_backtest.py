# SPDX-License-Identifier: GPL-2.0-or-later
"""Real backports done again: what counts as seen, what as right, and what git makes of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.backport.trees import Files, backport, commit, git, lines, new_repo

UP: Files = {"a.c": lines((10, "upstream moved on"), (11, "the fix"))}
ADAPTED: Files = {"a.c": lines((11, "the fix, adapted"))}


class Past:
    """A repository whose commits are made at moments that the test names."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self.at(0)
        self.repo = new_repo(folder, {"a.c": lines(), "b.c": lines()}, "master")
        for name in ("stable-4.10", "stable-4.11"):
            git(self.repo, "branch", name)
        self.tasks: list[dict[str, str]] = []

    def at(self, hours: int) -> None:
        stamp = f"{1_600_000_000 + 3600 * hours} +0000"
        self._patch.setenv("GIT_COMMITTER_DATE", stamp)
        self._patch.setenv("GIT_AUTHOR_DATE", stamp)

    def commit(self, branch: str, hours: int, files: Files, words: str) -> str:
        self.at(hours)
        git(self.repo, "checkout", "-q", branch)
        return commit(self.repo, files, words)

    def backport(self, branch: str, hours: int, files: Files, upstream: str) -> str:
        made = self.commit(
            branch, hours, files, f"the fix\n\n(cherry picked from commit {upstream})"
        )
        self.tasks.append({"branch": branch, "backport": made, "upstream": upstream})
        return made

    def run(self, *words: str) -> list[dict[str, Any]]:
        file = self.repo.parent / "tasks.jsonl"
        file.write_text("".join(json.dumps(task) + "\n" for task in self.tasks))
        done = backport(self.repo, "backtest", "--tasks", str(file), "-j", "1", "-J", "-", *words)
        assert done.exit_code == 0, done.output
        found: list[dict[str, Any]] = json.loads(done.output)["tasks"]
        return found


@pytest.fixture
def past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Past:
    return Past(tmp_path / "repo", monkeypatch)


def test_a_pick_that_the_maintainer_made_as_git_would(past: Past) -> None:
    fix = past.commit("master", 1, {"b.c": lines((20, "the fix"))}, "the fix")
    past.backport("stable-4.10", 2, {"b.c": lines((20, "the fix"))}, fix)
    (row,) = past.run()
    assert (row["outcome"], row["git"], row["doubted"], row["proposal"]) == (
        "identical",
        "identical",
        None,
        None,
    )
    assert row["how"] == "exact"
    assert row["ms"] > 0


def test_a_pick_that_the_maintainer_changed(past: Past) -> None:
    fix = past.commit("master", 1, {"b.c": lines((20, "the fix"))}, "the fix")
    past.backport("stable-4.10", 2, {"b.c": lines((20, "the fix, in other words"))}, fix)
    (row,) = past.run()
    assert (row["outcome"], row["git"]) == ("different", "different")


@pytest.mark.parametrize(
    ("hours", "outcome", "old"),
    [
        (40, "identical", "identical"),  # the newer branch had it long before
        (3, "identical", "conflict"),  # within the day: not in the other row
        (-1, "conflict", "conflict"),  # only after: nobody could have seen it
    ],
)
def test_only_what_there_was_is_seen(past: Past, hours: int, outcome: str, old: str) -> None:
    past.commit("master", 1, {"a.c": lines((10, "upstream moved on"))}, "move")
    fix = past.commit("master", 2, UP, "the fix")
    past.backport("stable-4.11", 100 - hours, ADAPTED, fix)
    past.backport("stable-4.10", 100, ADAPTED, fix)
    row = past.run()[1]
    assert row["branch"] == "stable-4.10"
    assert (row["outcome"], row["day_old"]["outcome"]) == (outcome, old)
    assert row["git"] == "conflict"


def test_neighbouring_lines_are_proposed(past: Past) -> None:
    past.commit("master", 1, {"a.c": lines((10, "upstream moved on"))}, "move")
    fix = past.commit("master", 2, UP, "the fix")
    past.commit("stable-4.10", 3, {"a.c": lines((12, "own"))}, "own")
    past.backport("stable-4.10", 4, {"a.c": lines((11, "the fix"), (12, "own"))}, fix)
    past.commit("stable-4.11", 3, {"a.c": lines((12, "own"))}, "own")
    past.backport("stable-4.11", 4, {"a.c": lines((11, "other"), (12, "own"))}, fix)
    right, wrong = past.run()
    assert (right["outcome"], right["proposal"]) == ("conflict", "right")
    assert (wrong["outcome"], wrong["proposal"]) == ("conflict", "wrong")


def test_a_line_that_is_still_that_line_keeps_its_place(past: Past) -> None:
    """git stops: the branch has changed the line above the one that the patch changes."""
    for branch in ("master", "stable-4.10"):
        past.commit(branch, 1, {"b.c": lines((10, "f(1, 2);"))}, "calls")
    fix = past.commit("master", 2, {"b.c": lines((10, "f(1, 2);"), (11, "the fix"))}, "the fix")
    past.commit("stable-4.10", 3, {"b.c": lines((10, "f(1, 3);"))}, "own")
    past.backport("stable-4.10", 4, {"b.c": lines((10, "f(1, 3);"), (11, "the fix"))}, fix)
    (row,) = past.run()
    assert (row["outcome"], row["git"]) == ("identical", "conflict")
    assert row["how"] == "merged line by line"


def test_the_conflict_of_the_newer_version_is_the_nearer_one(past: Past) -> None:
    """The patch itself leaves nothing to propose: both sides changed line 11 altogether."""
    past.commit("master", 1, {"a.c": lines((11, "upstream moved on"))}, "move")
    fix = past.commit("master", 2, {"a.c": lines((11, "the fix"))}, "the fix")
    past.backport("stable-4.11", 3, ADAPTED, fix)
    past.commit("stable-4.10", 3, {"a.c": lines((12, "own"))}, "own")
    past.backport("stable-4.10", 4, {"a.c": lines((11, "the fix, adapted"), (12, "own"))}, fix)
    row = past.run()[1]
    assert row["branch"] == "stable-4.10"
    assert (row["outcome"], row["proposal"]) == ("conflict", "right")
    assert (row["day_old"]["outcome"], row["day_old"]["proposal"]) == ("conflict", None)


def test_a_name_that_the_branch_lacks_is_a_doubt(past: Past) -> None:
    past.commit("master", 1, {"new.h": "int helper(void);\n"}, "helper")
    fix = past.commit("master", 2, {"b.c": lines((20, "x = helper();"))}, "the fix")
    past.backport("stable-4.10", 3, {"b.c": lines((20, "x = other();"))}, fix)
    past.backport("stable-4.11", 3, {"b.c": lines((20, "x = helper();"))}, fix)
    first, second = past.run()
    assert (first["outcome"], first["doubted"]) == ("doubt", "different")
    assert (second["outcome"], second["doubted"]) == ("doubt", "identical")
    assert "uses helper, which the branch does not have" in first["doubts"]


def test_a_name_that_the_file_was_renamed_to_is_learnt(past: Past) -> None:
    text = [f"old_name({n});" for n in range(1, 31)]
    for branch in ("master", "stable-4.10"):
        past.commit(branch, 1, {"c.c": "\n".join(text) + "\n"}, "calls")
    fixed = [*text[:14], "old_name(15 + 1);", *text[15:]]
    fix = past.commit("master", 2, {"c.c": "\n".join(fixed) + "\n"}, "the fix")
    here = "\n".join(text).replace("old_name", "new_name") + "\n"
    past.commit("stable-4.10", 3, {"c.c": here}, "rename")
    right = "\n".join(fixed).replace("old_name", "new_name") + "\n"
    past.backport("stable-4.10", 4, {"c.c": right}, fix)
    (row,) = past.run()
    assert (row["outcome"], row["git"]) == ("identical", "conflict")
    assert row["how"] == "merged with the branch's names"


def test_tasks_are_found_on_a_branch(past: Past) -> None:
    fix = past.commit("master", 1, {"b.c": lines((20, "the fix"))}, "the fix")
    past.backport("stable-4.10", 2, {"b.c": lines((20, "the fix"))}, fix)
    past.commit("stable-4.10", 3, {"b.c": lines((21, "own"))}, "of the branch's own")
    words = ("--branch", "stable-4.10", "--upstream", "master", "-J", "-", "-j", "1")
    done = backport(past.repo, "backtest", *words)
    (row,) = json.loads(done.output)["tasks"]
    assert row["upstream"] == fix


def test_what_cannot_be_done_again_is_said(past: Past) -> None:
    fix = past.commit("master", 1, {"b.c": lines((20, "the fix"))}, "the fix")
    made = past.backport("stable-4.10", 2, {"b.c": lines((20, "the fix"))}, fix)
    past.tasks.append({"branch": "stable-4.10", "backport": made, "upstream": "f" * 40})
    git(past.repo, "checkout", "-q", "master")
    past.at(5)
    git(past.repo, "merge", "-q", "--no-ff", "-m", "merge", "stable-4.10")
    merge = git(past.repo, "rev-parse", "HEAD")
    past.tasks.append({"branch": "stable-4.10", "backport": made, "upstream": merge})
    file = past.repo.parent / "tasks.jsonl"
    file.write_text("".join(json.dumps(task) + "\n" for task in past.tasks))
    done = backport(past.repo, "backtest", "--tasks", str(file), "-J", "-", "-j", "1")
    found = json.loads(done.output)
    assert len(found["tasks"]) == 1
    assert [one["why"] for one in found["left_out"]] == [
        "the repository has no commit ffffffffffff",
        "the upstream commit is a merge: no one parent to compare with",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}\n", "line 1: no task"),
        ('{"branch": "b", "backport": 3, "upstream": "u"}\n', "line 1"),
        ("\n\nnot json\n", "line 3: no task"),
        ('["b", "c", "d"]\n', "line 1: no task"),
    ],
)
def test_a_file_that_has_no_tasks(past: Past, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "t.jsonl"
    file.write_text(text)
    done = backport(past.repo, "backtest", "--tasks", str(file))
    assert done.exit_code == 2
    assert said in done.output


def test_the_same_seed_chooses_the_same_sample(past: Past) -> None:
    for number in range(6):
        text = {f"n{number}.c": f"{number}\n"}
        fix = past.commit("master", number, text, "the fix")
        past.backport("stable-4.10", number + 10, text, fix)
    one, again, other = (past.run("--sample", "3", "--seed", seed) for seed in "112")
    assert [row["backport"] for row in one] == [row["backport"] for row in again]
    assert len(one) == 3
    assert [row["backport"] for row in one] != [row["backport"] for row in other]


def test_processes_find_what_one_finds(past: Past) -> None:
    for branch in ("stable-4.10", "stable-4.11"):
        for number in range(3):
            fix = past.commit("master", number, {f"{branch}{number}.c": "x\n"}, "the fix")
            past.backport(branch, number + 10, {f"{branch}{number}.c": "x\n"}, fix)
    file = past.repo.parent / "tasks.jsonl"
    alone = past.run()
    done = backport(past.repo, "backtest", "--tasks", str(file), "-j", "2", "-J", "-")
    beside = json.loads(done.output)["tasks"]
    for row in (*alone, *beside):
        del row["ms"]
    assert alone == beside


def test_nothing_is_written_to_the_repository(past: Past) -> None:
    fix = past.commit("master", 1, UP, "the fix")
    past.backport("stable-4.10", 2, UP, fix)
    before = subprocess.run(
        ["git", "-C", past.repo, "count-objects", "-v"], capture_output=True, check=True
    ).stdout
    past.run()
    after = subprocess.run(
        ["git", "-C", past.repo, "count-objects", "-v"], capture_output=True, check=True
    ).stdout
    assert before == after


def test_the_table_is_read_by_a_person(past: Past) -> None:
    fix = past.commit("master", 1, {"b.c": lines((20, "the fix"))}, "the fix")
    past.backport("stable-4.10", 2, {"b.c": lines((20, "the fix"))}, fix)
    file = past.repo.parent / "tasks.jsonl"
    past.run()
    done = backport(past.repo, "backtest", "--tasks", str(file), "-j", "1")
    assert done.exit_code == 0
    rows = {line.split("  ")[0]: line for line in done.output.splitlines()}
    assert "1 (100.0%)" in rows["stable-4.10"]
    assert "1 (100.0%)" in rows["git"]
    assert "automatic: exact" in done.output
