# SPDX-License-Identifier: GPL-2.0-or-later
"""A rename written as a deletion and a creation: the tree of ``git am -3``, or a stop."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from backport.pick.outcome import How
from tests.backport.pick.test_pick import MAIL, Given, plain
from tests.backport.trees import Files, commit, git, lines, mbox, new_repo

OLD = lines(count=30)
NEW = lines((5, "the fifth, changed"), count=30)


def given(folder: Path, made: Files, ours: Files) -> Given:
    """The patch ``made``, written without renames, for a branch that has ``ours`` besides."""
    repo = new_repo(folder / "repo", {"d/f": OLD, "other": "x\n"})
    commit(repo, made, "rename d/f")
    mail = mbox(repo, "HEAD^..HEAD", "--no-renames", "--full-index")
    git(repo, "checkout", "-q", "-B", "stable", "HEAD^")
    commit(repo, ours, "ours")
    return Given(repo, mail)


def am3(case: Given) -> str:
    """The tree that ``git am -3`` makes of it."""
    git(case.repo, "checkout", "-q", "--detach", "stable")
    command = ["git", "-C", str(case.repo), "am", "-q", "-3"]
    subprocess.run(command, input=case.mail, capture_output=True, check=True)
    return git(case.repo, "rev-parse", "HEAD^{tree}")


@pytest.mark.parametrize(
    ("made", "ours"),
    [
        ({"d/f": None, "e/g": OLD}, {"d/f": lines((20, "ours"), count=30)}),
        ({"d/f": None, "e/g": NEW}, {"d/f": lines((20, "ours"), count=30)}),
        ({"d/f": None, "a": NEW}, {"d/f": lines((20, "ours"), count=30)}),
        ({"d/f": None, "e/g": NEW}, {"d/f": None, "e/g": lines((20, "ours"), count=30)}),
        ({"d/f": None, "e/g": NEW}, {"other": "y\n"}),
        ({"d/f": None, "e/g": "all new\n" * 9}, {"other": "y\n"}),
    ],
    ids=["moved", "moved and changed", "made first", "both moved it", "as it stands", "no rename"],
)
def test_the_tree_of_git_am(tmp_path: Path, made: Files, ours: Files) -> None:
    case = given(tmp_path, made, ours)
    picked = case.pick("stable")
    assert picked.clean, picked.clashes
    assert picked.tree.id == am3(case)
    assert len(picked.changes) == len(case.patch().changes)


def test_it_says_what_it_took_for_a_rename(tmp_path: Path) -> None:
    ours = {"d/f": lines((20, "ours"), count=30)}
    (moved, gone) = given(tmp_path, {"d/f": None, "e/g": OLD}, ours).pick("stable").changes
    assert moved.path == b"e/g"
    assert moved.notes == ("taken for a rename of d/f, 100% alike",)
    assert (gone.path, gone.how) == (b"d/f", How.MERGED)


def test_both_sides_of_a_clash_stand_at_the_new_name(tmp_path: Path) -> None:
    case = given(
        tmp_path, {"d/f": None, "e/g": NEW}, {"d/f": lines((5, "the fifth of ours"), count=30)}
    )
    (clash,) = case.pick("stable").clashes
    assert clash.path == b"e/g"
    assert "taken for a rename of d/f" in clash.reason
    assert b"the fifth of ours" in (clash.content or b"")
    assert b"the fifth, changed" in (clash.content or b"")


@pytest.mark.parametrize(
    ("made", "ours"),
    [
        ({"d/f": None, "e/g": "all new\n" * 9}, {"d/f": lines((20, "ours"), count=30)}),
        (
            {"d/f": None, "e/g": NEW},
            {"d/f": lines((20, "ours"), count=30), "e/g": lines((9, "theirs"), count=30)},
        ),
    ],
    ids=["another file", "both names there"],
)
def test_what_is_no_rename_stops(tmp_path: Path, made: Files, ours: Files) -> None:
    assert not given(tmp_path, made, ours).pick("stable").clean


def test_a_plain_diff_is_taken_as_it_is_written(tmp_path: Path) -> None:
    """patch(1) does not delete a file that differs from what the diff deletes."""
    case = given(tmp_path, {"d/f": None, "e/g": OLD}, {"d/f": lines((20, "ours"), count=30)})
    diff = b"".join(
        line
        for line in case.mail[case.mail.index(b"diff --git") :].splitlines(keepends=True)
        if not line.startswith((b"diff ", b"index ", b"deleted ", b"new file "))
    )
    assert diff in plain(case.repo, diff).mail.removeprefix(MAIL)
    assert not plain(case.repo, diff).pick("stable").clean
