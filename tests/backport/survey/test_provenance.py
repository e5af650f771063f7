# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the commits of a branch come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.backport.survey.stable_repo import answer, make, on, take
from tests.backport.trees import backport, commit, git, lines


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make(tmp_path / "repo")


def traced(repo: Path, *words: str) -> dict[str, dict[str, Any]]:
    return {one["subject"]: one for one in answer(repo, "provenance", *words)["commits"]}


def test_identical_and_adapted(repo: Path) -> None:
    same = commit(repo, {"a.c": lines((3, "x"))}, "same")
    other = commit(repo, {"b.c": lines((3, "x"), (4, "y"))}, "other")
    take(repo, "stable-4.10", same)
    text = {"b.c": lines((3, "x"), (4, "z"))}
    on(repo, "stable-4.10", text, f"other\n\nmaster commit: {other}")
    found = traced(repo)
    assert found["same"]["whence"] == "upstream"
    assert found["same"]["adapted"] == {"lines": 0, "of": 2}
    assert found["same"]["origins"] == [same]
    assert found["other"]["adapted"] == {"lines": 2, "of": 5}
    assert found["other"]["interdiff"] is None
    diff = traced(repo, "--interdiff")["other"]["interdiff"]
    assert "-+y" in diff and "++z" in diff
    said = backport(repo, "provenance").output
    assert "2/5 differ" in said
    assert "1 identical to their origin, 1 adapted" in said


def test_from_nowhere_and_the_debt_shrinks_when_upstream_has_it(repo: Path) -> None:
    on(repo, "stable-4.10", {"a.c": lines((3, "shim"))}, "shim")
    assert traced(repo)["shim"]["whence"] == "nowhere upstream"
    assert (
        "not on master yet, and not taken back: 1" in backport(repo, "provenance", "--debt").output
    )
    commit(repo, {"a.c": lines((3, "shim"), (4, "tidied"))}, "shim")
    found = traced(repo)["shim"]
    assert found["whence"] == "upstream, by its subject"
    assert found["adapted"] == {"lines": 2, "of": 4}
    assert "not on master yet" not in backport(repo, "provenance").output


def test_two_of_one_subject_say_nothing(repo: Path) -> None:
    on(repo, "stable-4.10", {"a.c": lines((3, "own"))}, "build fix")
    commit(repo, {"a.c": lines((3, "x"))}, "build fix")
    commit(repo, {"a.c": lines((3, "x"), (4, "y"))}, "build fix")
    assert traced(repo)["build fix"]["whence"] == "nowhere upstream"


def test_by_way_of_another_stable_branch(repo: Path) -> None:
    origin = commit(repo, {"a.c": lines((3, "x"))}, "fix")
    there = take(repo, "stable-4.11", origin)
    on(repo, "stable-4.10", {"a.c": lines((3, "x"))}, f"fix\n\n(cherry picked from commit {there})")
    assert traced(repo)["fix"]["origins"] == [origin]


def test_an_origin_that_is_not_on_upstream_and_one_that_is_unknown(repo: Path) -> None:
    there = on(repo, "stable-4.11", {"a.c": lines((3, "x"))}, "own")
    take(repo, "stable-4.10", there)
    on(repo, "stable-4.10", {"b.c": lines((3, "x"))}, f"lost\n\nmaster commit: {'5' * 40}")
    found = traced(repo)
    assert (found["own"]["whence"], found["own"]["origins"]) == ("not on upstream", [there])
    assert found["lost"]["whence"] == "unknown origin"


def test_reverts_and_merges(repo: Path) -> None:
    made = on(repo, "stable-4.10", {"a.c": lines((3, "x"))}, "own")
    git(repo, "checkout", "-q", "stable-4.10")
    git(repo, "revert", "--no-edit", "HEAD")
    git(repo, "merge", "-q", "--no-edit", "-s", "ours", "stable-4.11")
    on(repo, "stable-4.11", {"b.c": lines((3, "x"))}, "side")
    git(repo, "checkout", "-q", "stable-4.10")
    git(repo, "merge", "-q", "--no-edit", "stable-4.11")
    git(repo, "checkout", "-q", "master")
    found = traced(repo)
    assert found["own"]["commit"] == made
    assert found["own"]["reverted_by"] == found['Revert "own"']["commit"]
    assert found['Revert "own"']["whence"] == "a revert"
    assert found["Merge branch 'stable-4.11' into stable-4.10"]["whence"] == "a merge"


def test_a_revert_that_is_reverted_takes_nothing_back(repo: Path) -> None:
    on(repo, "stable-4.10", {"a.c": lines((3, "x"))}, "own")
    git(repo, "checkout", "-q", "stable-4.10")
    git(repo, "revert", "--no-edit", "HEAD")
    git(repo, "revert", "--no-edit", "HEAD")
    git(repo, "checkout", "-q", "master")
    found = traced(repo)
    assert found["own"]["reverted_by"] is None
    again = found['Revert "Revert "own""']
    assert found['Revert "own"']["reverted_by"] == again["commit"]
    assert "not taken back: 1" in backport(repo, "provenance").output


def test_a_revert_that_was_picked_names_the_commit_of_upstream(repo: Path) -> None:
    origin = commit(repo, {"a.c": lines((3, "x"))}, "fix")
    git(repo, "revert", "--no-edit", "HEAD")
    take(repo, "stable-4.10", origin)
    revert = take(repo, "stable-4.10", "master")
    assert traced(repo)["fix"]["reverted_by"] == revert


def test_the_same_change_under_another_subject(repo: Path) -> None:
    """Also where its paths are like fields of what git lists, and where upstream has it twice."""
    odd = {"a.c": lines((3, "x")), "5" * 40: "1\n", ":1 2 3 4 M": "1\n", "two\nlines": "1\n"}
    there = commit(repo, odd, "as upstream calls it")
    commit(repo, {"a.c": lines((3, "x"), (4, "y"))}, "moves on")
    on(repo, "stable-4.10", odd, "as the branch calls it")
    on(repo, "stable-4.10", {"b.c": lines((3, "x"))}, "own")
    found = traced(repo)
    assert found["as the branch calls it"]["whence"] == "upstream, by its content"
    assert found["as the branch calls it"]["origins"] == [there]
    assert found["as the branch calls it"]["adapted"] == {"lines": 0, "of": 5}
    assert found["own"]["whence"] == "nowhere upstream"
    git(repo, "revert", "--no-edit", "HEAD", "HEAD~1")
    git(repo, "revert", "--no-edit", "HEAD", "HEAD~1")
    assert len(traced(repo)["as the branch calls it"]["origins"]) == 2


def test_a_rename_under_another_subject(repo: Path) -> None:
    def rename(name: str, message: str) -> str:
        git(repo, "checkout", "-q", name)
        git(repo, "mv", "a.c", "d.c")
        made = commit(repo, {}, message)
        git(repo, "checkout", "-q", "master")
        return made

    there = rename("master", "move")
    rename("stable-4.10", "rename")
    assert traced(repo)["rename"]["origins"] == [there]


def test_since_a_tag(repo: Path) -> None:
    on(repo, "stable-4.10", {"a.c": lines((3, "x"))}, "one")
    git(repo, "tag", "v1", "stable-4.10")
    on(repo, "stable-4.10", {"a.c": lines((3, "y"))}, "two")
    assert traced(repo, "--since", "v1").keys() == {"two"}
    commit(repo, {"b.c": lines((3, "x"))}, "of master alone")
    refused = backport(repo, "provenance", "--since", "master")
    assert refused.exit_code == 2
    assert "stable-4.10 does not contain that commit" in refused.output
    assert "names no commit" in backport(repo, "provenance", "--since", "v9").output


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("grep -q Subject || echo none", []),
        ("cat >/dev/null; echo 'line 3: too long'; exit 1", ["line 3: too long"]),
        ("exit 7", ["exit code 7"]),
        ("/no/such/linter", ["the linter could not be run: sh: 1: /no/such/linter: not found"]),
    ],
)
def test_the_trees_own_linter_is_asked_and_fails_nothing(
    repo: Path, command: str, said: list[str]
) -> None:
    on(repo, "stable-4.10", {"a.c": lines((3, "x"))}, "one")
    git(repo, "config", "backport.lint", command)
    assert traced(repo)["one"]["style"] == said
    shown = backport(repo, "provenance")
    assert shown.exit_code == 0
    assert all(f"style: {line}" in shown.output for line in said)


def test_the_words_of_a_stranger_are_shown_escaped(repo: Path) -> None:
    on(repo, "stable-4.10", {"a.c": lines((3, "x"))}, "red \x1b[31m text")
    assert "\x1b" not in backport(repo, "provenance").output


def test_what_was_accepted_unproven_stands_in_the_notes(repo: Path) -> None:
    one = commit(repo, {"a.c": lines((3, "x"))}, "one")
    two = commit(repo, {"b.c": lines((3, "x"))}, "two")
    on(repo, "stable-4.10", {"a.c": lines((29, "own"))}, "so that it gets commits of its own")
    words = ("apply", "--notes", "--branch", "stable-4.10", "--series", one)
    assert backport(repo, *words, "--validate", "none").exit_code == 0
    build = ("--validate", "build", "--build", "touch made", "--sandbox", "off")
    words = ("apply", "--notes", "--branch", "stable-4.10", "--series", two)
    assert backport(repo, *words, *build).exit_code == 0
    on(repo, "stable-4.10", {"a.c": lines((9, "x"))}, "three")
    found = traced(repo)
    assert found["one"]["unproven"] == ["proven: nothing was"]
    assert found["two"]["unproven"] == []
    assert found["three"]["unproven"] is None
    said = backport(repo, "provenance").output
    assert "noted: proven: nothing was" in said
    assert "noted by --notes: 1 proven, 1 accepted as they are" in said
