# SPDX-License-Identifier: GPL-2.0-or-later
"""``plan`` judges every patch, also behind the one that would stop the run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from backport.report.table import show_table
from tests.backport.trees import Files, backport, branch_with, commit, git, lines, new_repo


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """The second and the last of six patches do not go on; the third and the fifth build on the second."""
    repo = new_repo(tmp_path / "repo", {name: lines(count=40) for name in "fgh"})
    steps: tuple[tuple[str, Files], ...] = (
        ("g: five", {"g": lines((5, "five"), count=40)}),
        ("f: ten", {"f": lines((10, "ten"), count=40)}),
        ("f: TEN", {"f": lines((10, "TEN"), count=40)}),
        ("h: seven", {"h": lines((7, "seven"), count=40)}),
        ("f: thirty", {"f": lines((10, "TEN"), (30, "thirty"), count=40)}),
        ("h: twenty", {"h": lines((7, "seven"), (20, "twenty"), count=40)}),
    )
    branch_with(repo, "made", "stable", *steps)
    commit(
        repo, {"f": lines((10, "zehn"), count=40), "h": lines((20, "zwanzig"), count=40)}, "ours"
    )
    return repo


def plan(repo: Path, *words: str) -> tuple[int, str]:
    done = backport(repo, "plan", "--branch", "stable", "--series", "stable~1..made", *words)
    return done.exit_code, done.output


def plan_json(repo: Path, folder: Path, *words: str) -> Any:
    plan(repo, "--json", str(folder / "plan.json"), *words)
    return json.loads((folder / "plan.json").read_text())


def test_every_patch_is_judged(repo: Path, tmp_path: Path) -> None:
    found = plan_json(repo, tmp_path)["patches"]
    assert [(one["state"], one["how"], one["follows_from"]) for one in found] == [
        ("applied", "exact", []),
        ("conflict", None, []),
        ("applied", "exact", [2]),
        ("applied", "merged", []),
        ("applied", "exact", [2]),
        ("conflict", None, []),
    ]
    assert found[5]["conflict"] == [{"path": "h", "reason": "both sides changed the same lines"}]


def test_the_words_are_explained_and_each_stop_is_named(repo: Path) -> None:
    code, out = plan(repo)
    assert code == 3, "as the run itself would end"
    assert "exact, follows from 2" in out
    assert "goes on: exact: each file is the very one that the patch was made for" in out
    assert "CONFLICT: it does not go on" in out
    assert "by context:" not in out, "only words that were used"
    assert "stops at" in out and "as things are, so would 6 'h: twenty':" in out


def test_a_plan_that_does_not_stop_has_no_word_of_conflicts(repo: Path) -> None:
    done = backport(repo, "plan", "--branch", "stable", "--series", "stable~1..made~5")
    assert done.exit_code == 0
    assert "CONFLICT" not in done.output and "follows" not in done.output


def test_a_file_that_is_not_there_is_as_the_patch_leaves_it(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", {"f": lines(), "keep": "k\n"})
    branch_with(
        repo,
        "made",
        "stable",
        ("f: ten", {"f": lines((10, "ten"))}),
        ("f: twenty", {"f": lines((10, "ten"), (20, "twenty"))}),
        ("no f", {"f": None}),
    )
    commit(repo, {"f": None}, "f is gone")
    found = plan_json(repo, tmp_path)["patches"]
    assert [(one["state"], one["follows_from"]) for one in found] == [
        ("conflict", []),
        ("applied", [1]),
        ("applied", [1]),
    ]


def test_what_the_clean_part_brings_is_there_behind_it(tmp_path: Path) -> None:
    """The first patch clashes in f alone: what it makes of g is what the second one works on."""
    repo = new_repo(tmp_path / "repo", {"f": lines(), "g": lines()})
    branch_with(
        repo,
        "made",
        "stable",
        ("both", {"f": lines((10, "ten")), "g": lines((10, "ten"))}),
        ("g", {"g": lines((10, "TEN"))}),
    )
    commit(repo, {"f": lines((10, "ours"))}, "ours")
    found = plan_json(repo, tmp_path)["patches"]
    assert [(one["state"], one["how"], one["follows_from"]) for one in found] == [
        ("conflict", None, []),
        ("applied", "exact", []),
    ]


def test_a_prerequisite_is_looked_for_behind_a_stop_as_well(repo: Path, tmp_path: Path) -> None:
    git(repo, "checkout", "-q", "made")
    commit(repo, {"g": lines((5, "five"), (25, "needed"), count=40)}, "g: needed")
    commit(repo, {"keep": "k\n"}, "between")
    commit(repo, {"g": lines((5, "five"), (25, "NEEDED"), count=40)}, "g: uses it")
    git(repo, "checkout", "-q", "stable")
    first, last = git(repo, "rev-parse", "made~7"), git(repo, "rev-parse", "made")
    words = ("--series", first, "--series", last, "--upstream", "made")
    file = tmp_path / "plan.json"
    done = backport(repo, "plan", "--branch", "stable", *words, "--json", str(file))
    assert done.exit_code == 3, done.output
    one, other = json.loads(file.read_text())["patches"]
    assert (one["state"], other["state"]) == ("conflict", "prerequisite")
    assert other["missing"][0]["subject"] == "g: needed"
    assert "PREREQUISITE MISSING" in done.output


def test_nothing_is_written(repo: Path) -> None:
    before = git(repo, "count-objects", "-v")
    plan(repo)
    assert git(repo, "count-objects", "-v") == before


@pytest.mark.parametrize("terminal", [True, False])
def test_a_conflict_stands_out_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    show_table(("a", "b"), [("1", "exact"), ("2", "CONFLICT")], alarms=("CONFLICT",))
    out = capsys.readouterr().out
    assert ("\x1b[1;31mCONFLICT" in out) is terminal
    assert "\x1b[1;31mexact" not in out
