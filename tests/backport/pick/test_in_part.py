# SPDX-License-Identifier: GPL-2.0-or-later
"""A change that the branch holds in part: said by file and by hunk."""

from __future__ import annotations

from pathlib import Path

import pytest

from backport.pick.outcome import Picked
from tests.backport.pick.test_pick import Given
from tests.backport.trees import commit, git, lines, mbox, new_repo

TWO = ((5, "the fifth line, changed"), (25, "the twenty-fifth line, changed"))


def pick(
    folder: Path, ours: str, *, blobs: bool, change: tuple[tuple[int, str], ...] = TWO
) -> Picked:
    """The patch ``change`` of a numbered file on a branch that has ``ours``."""
    repo = new_repo(folder / "repo", {"f": lines(count=40)})
    commit(repo, {"f": lines(*change, count=40)}, "change")
    mail = mbox(repo, "HEAD^..HEAD", "--full-index")
    if blobs:
        git(repo, "checkout", "-q", "-B", "stable", "HEAD^")
        commit(repo, {"f": ours}, "ours")
        return Given(repo, mail).pick()
    return Given(new_repo(folder / "bare", {"f": ours}), mail).pick()


def test_a_merge_says_which_hunk_was_there(tmp_path: Path) -> None:
    picked = pick(tmp_path, lines(TWO[0], count=40), blobs=True)
    (change,) = picked.changes
    assert change.notes == ("hunk 1 of 2 is there already",)
    assert picked.tree.read(b"f") == lines(*TWO, count=40).encode()


def test_a_merge_says_which_hunk_was_there_in_part(tmp_path: Path) -> None:
    change = ((5, "five, changed"), (7, "seven, changed"), (25, "later"))
    (done,) = pick(tmp_path, lines(change[0], count=40), blobs=True, change=change).changes
    assert done.notes == ("hunk 1 of 2 is there in part",)


@pytest.mark.parametrize(
    "ours", [lines((15, "ours"), count=40), lines((1, "a"), (33, "b"), count=40)]
)
def test_a_merge_with_nothing_there_says_nothing(tmp_path: Path, ours: str) -> None:
    (change,) = pick(tmp_path, ours, blobs=True).changes
    assert change.notes == ()


@pytest.mark.parametrize("blobs", [True, False], ids=["base at hand", "by context"])
def test_a_stop_says_which_hunk_is_there_though_lines_nearby_changed(
    tmp_path: Path, blobs: bool
) -> None:
    """The branch took the first hunk and went on beside it; the second one meets other lines."""
    ours = lines(TWO[0], (4, "later"), (7, "later"), (25, "ours"), count=40)
    (clash,) = pick(tmp_path, ours, blobs=blobs).clashes
    assert "in part it looks applied already: hunk 1 at line 5 (1 of 2 hunks)" in clash.reason


@pytest.mark.parametrize("blobs", [True, False], ids=["base at hand", "by context"])
def test_a_stop_says_that_all_looks_applied(tmp_path: Path, blobs: bool) -> None:
    change = (TWO[0],)
    ours = "above\n" * 500 + lines(TWO[0], (4, "later"), (6, "later"), count=40)
    (clash,) = pick(tmp_path, ours, blobs=blobs, change=change).clashes
    assert "looks applied at line 505 already: `backport skip` leaves it out" in clash.reason


def test_what_may_stand_there_by_chance_is_not_named(tmp_path: Path) -> None:
    ours = lines((4, "later"), (5, "}"), (6, "later"), count=40)
    (clash,) = pick(tmp_path, ours, blobs=False, change=((5, "}"),)).clashes
    assert "looks applied" not in clash.reason


def test_a_stop_names_the_files_that_need_nothing(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"f": lines(), "g": lines()})
    commit(repo, {"f": lines((5, "five")), "g": lines((5, "five"))}, "both")
    mail = mbox(repo, "HEAD^..HEAD")
    git(repo, "checkout", "-q", "-B", "stable", "HEAD^")
    commit(repo, {"f": lines((5, "five")), "g": lines((5, "other"))}, "ours")
    (clash,) = Given(repo, mail).pick().clashes
    assert clash.path == b"g" and clash.reason.endswith("; in part already: f")


def test_skip_is_named_only_where_the_whole_patch_looks_applied(tmp_path: Path) -> None:
    """Of two files one looks applied and the other does not: to skip would lose the second."""
    was = {"f": lines(count=40), "g": lines(count=40)}
    repo = new_repo(tmp_path / "repo", was)
    commit(repo, {"f": lines(TWO[0], count=40), "g": lines(TWO[0], count=40)}, "change")
    mail = mbox(repo, "HEAD^..HEAD", "--full-index")
    looks = lines(TWO[0], (4, "later"), (6, "later"), count=40)
    for theirs, skip in ((lines((5, "another"), count=40), False), (looks, True)):
        git(repo, "checkout", "-q", "-B", "stable", "HEAD~1" if skip else "HEAD^")
        commit(repo, {"f": looks, "g": theirs}, "ours")
        said = " ".join(clash.reason for clash in Given(repo, mail).pick().clashes)
        assert "looks applied at line 5 already" in said
        assert ("`backport skip` leaves it out" in said) is skip
