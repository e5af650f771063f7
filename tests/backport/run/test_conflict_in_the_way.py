# SPDX-License-Identifier: GPL-2.0-or-later
"""A conflict whose file cannot be laid out under its name: a folder has it, or a file has a folder's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backport.trees import Files, backport, branch_with, commit, git, lines, new_repo

CASES: dict[str, tuple[str, Files, str]] = {
    "a folder has the name": ("a", {"a": None, "a/x": "x\n", "a/y": "y\n"}, "a~patch"),
    "a file has the folder's name": ("a/b", {"a/b": None, "a": "file\n"}, "a~patch/b"),
    "and that name is taken, too": (
        "a",
        {"a": None, "a/x": "x\n", "a~patch": "mine\n"},
        "a~patch2",
    ),
}


def stopped(repo: Path) -> tuple[str, Path, list[str]]:
    """Put ``topic`` on ``stable``: what is said, the folder of the conflict, and the paths open in it."""
    done = backport(repo, "apply", "--branch", "stable", "--series", "topic")
    assert done.exit_code == 3, done.output
    folder = repo / ".git/backport/conflict"
    open_ones = git(folder, "diff", "--name-only", "--diff-filter=U").split()
    return " ".join(done.output.split()), folder, open_ones


@pytest.mark.parametrize("case", CASES)
def test_it_is_laid_out_beside(tmp_path: Path, case: str) -> None:
    path, here, name = CASES[case]
    repo = new_repo(tmp_path / "repo", {path: lines(), "other": lines()})
    both: Files = {path: lines((5, "five")), "other": lines((5, "five"))}
    branch_with(repo, "topic", "stable", ("five", both))
    commit(repo, here, "another shape")
    before = git(repo, "rev-parse", "stable")
    done = backport(repo, "apply", "--branch", "stable", "--series", "topic")
    assert done.exit_code == 3, done.output
    said = " ".join(done.output.split())
    assert f"{path}: the patch changes it" in said and f"laid out as {name}" in said
    folder = repo / ".git/backport/conflict"
    assert f"unresolved  {path}:" in backport(repo, "status").output
    assert "five" in git(folder, "show", f":3:{name}")
    assert backport(repo, "continue").exit_code == 3
    git(folder, "rm", "-q", name)
    assert f"resolved    {path}:" in backport(repo, "status").output
    assert backport(repo, "continue").exit_code == 0
    assert git(repo, "rev-parse", "stable~1") == before
    changed = git(repo, "diff", "--name-only", "stable~1", "stable")
    assert changed == "other"


def test_through_a_link(tmp_path: Path) -> None:
    """What the link leads to is not written through it."""
    repo = new_repo(tmp_path / "repo", {"a/b": lines(), "c/b": "mine\n"})
    branch_with(repo, "topic", "stable", ("five", {"a/b": lines((5, "five"))}))
    git(repo, "rm", "-rq", "a")
    (repo / "a").symlink_to("c")
    commit(repo, {}, "a is c")
    done = backport(repo, "apply", "--branch", "stable", "--series", "topic")
    assert done.exit_code == 3, done.output
    folder = repo / ".git/backport/conflict"
    assert (folder / "c/b").read_text() == "mine\n"
    assert "laid out as a~patch/b" in " ".join(done.output.split())
    assert backport(repo, "abort").exit_code == 0


@pytest.mark.parametrize(
    ("here", "made", "why"),
    [
        ({"a": "file\n"}, "a/b", "a is a file here"),
        ({"a/x": "file\n"}, "a", "a/ is a directory here"),
    ],
)
def test_only_the_file_without_a_place_is_open(
    tmp_path: Path, here: Files, made: str, why: str
) -> None:
    """The rest of the patch is there, and stays there when the one file is left out."""
    repo = new_repo(tmp_path / "repo", {"g": lines(), "h": "h\n"})
    rest: Files = {"g": lines((5, "five")), "h": None, "new": "new\n"}
    branch_with(repo, "topic", "stable", ("all of it", {**rest, made: "made\n"}))
    commit(repo, here, "a of its own")
    done = backport(repo, "apply", "--branch", "stable", "--series", "topic")
    assert done.exit_code == 3, done.output
    assert f"{made}: the patch makes it, and {why}" in " ".join(done.output.split())
    folder = repo / ".git/backport/conflict"
    (open_one,) = git(folder, "diff", "--name-only", "--diff-filter=U").split()
    assert (folder / open_one).read_text() == "made\n"
    git(folder, "rm", "-q", open_one)
    assert backport(repo, "continue").exit_code == 0
    assert git(repo, "show", "stable:g") + "\n" == rest["g"]
    assert git(repo, "diff", "--name-status", "stable~1", "stable").split() == [
        *("M", "g", "D", "h", "A", "new")
    ]


def test_another_file_has_the_new_name(tmp_path: Path) -> None:
    """The conflict of a rename stands under the old name then, and the branch's own file stays."""
    repo = new_repo(tmp_path / "repo", {"old": lines(), "other": lines()})
    moved: Files = {"old": None, "new": lines((5, "five"))}
    branch_with(repo, "topic", "stable", ("moved", moved))
    commit(repo, {"old": None, "new": "another\n"}, "another file")
    _, folder, open_ones = stopped(repo)
    assert open_ones == ["old"]
    assert (folder / "new").read_text() == "another\n"


def test_two_files_of_the_patch_are_one_here(tmp_path: Path) -> None:
    """What clashes in it first does not hide the other change."""
    repo = new_repo(tmp_path / "repo", {"a": "a\n" + lines(), "d/b": "b\n" + lines()})
    both: Files = {"a": None, "b": "a\n" + lines((5, "five")), "d/b": "b\n" + lines((9, "nine"))}
    branch_with(repo, "topic", "stable", ("both", both))
    commit(repo, {"d/b": None, "b": "b\n" + lines()}, "b has moved")
    said, folder, open_ones = stopped(repo)
    assert open_ones == ["b", "d/b"], said
    assert "nine" in git(folder, "show", ":3:d/b")
    assert "it is b here, where another change" in said


@pytest.mark.parametrize("there", [True, False])
def test_a_rename_to_a_path_that_is_open_stays_open(tmp_path: Path, there: bool) -> None:
    """The patch deletes what has its new name here: neither change hides the other."""
    repo = new_repo(tmp_path / "repo", {"a": "a\n" + lines(), "b": "b\n" + lines()})
    both: Files = {"a": None, "b": None, "z": "b\n" + lines((5, "five"))}
    branch_with(repo, "topic", "stable", ("both", both))
    gone: Files = {} if there else {"b": None}
    commit(repo, {"a": None, "z": "a\n" + lines(), **gone}, "a has moved")
    said, folder, open_ones = stopped(repo)
    assert open_ones == ["b", "z"], said
    assert "five" in git(folder, "show", ":3:b")
