# SPDX-License-Identifier: GPL-2.0-or-later
"""A patch edited by hand: what its hunks hold counts, not what its ``index`` line says."""

from __future__ import annotations

from pathlib import Path

import pytest

from backport.pick.outcome import How
from tests.backport.pick.test_pick import Given, last
from tests.backport.trees import commit, git, lines, mbox, new_repo


def edited(given: Given, *swaps: tuple[bytes, bytes]) -> Given:
    """The mail after an editor was at it."""
    mail = given.mail
    for old, new in swaps:
        assert old in mail
        mail = mail.replace(old, new)
    return Given(given.repo, mail)


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """The branch has the patch that upstream made; a mail of it is then edited."""
    repo = new_repo(tmp_path / "upstream", {"f": lines()})
    commit(repo, {"f": lines((10, "ten"))}, "ten")
    return repo


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The same branch where the blob that the patch was made from is nowhere."""
    return new_repo(tmp_path / "bare", {"f": lines((10, "ten"))})


def test_what_the_index_line_rightly_names_is_there(upstream: Path, bare: Path) -> None:
    assert last(upstream).pick().already
    picked = last(upstream, bare).pick()
    assert picked.already and not picked.changes[0].notes


def test_an_edited_hunk_is_not_there_because_the_index_line_says_so(upstream: Path) -> None:
    given = edited(last(upstream), (b"+ten\n", b"+TEN\n"))
    (clash,) = given.pick().clashes
    assert clash.reason == "both sides changed the same lines"


def test_an_edited_hunk_with_no_base_at_hand_stops(upstream: Path, bare: Path) -> None:
    (clash,) = edited(last(upstream, bare), (b"+ten\n", b"+TEN\n")).pick().clashes
    assert "does not fit" in clash.reason


def test_an_edited_hunk_goes_on_where_it_fits(upstream: Path, bare: Path) -> None:
    edit = ((b"-line 10\n", b"-ten\n"), (b"+ten\n", b"+TEN\n"))
    for repo in (upstream, bare):
        picked = edited(last(upstream, repo), *edit).pick()
        (change,) = picked.changes
        assert change.how is How.OFFSET
        assert picked.tree.read(b"f") == lines((10, "TEN")).encode()
        assert any("its hunks say otherwise" in note for note in change.notes)


def test_a_hunk_put_in_by_hand_goes_on(upstream: Path) -> None:
    extra = b"@@ -20,3 +20,3 @@\n line 20\n-line 21\n+by hand\n line 22\n-- \n"
    picked = edited(last(upstream), (b"-- \n", extra)).pick()
    assert picked.clean and not picked.already
    assert picked.tree.read(b"f") == lines((10, "ten"), (21, "by hand")).encode()


def test_a_hunk_taken_out_by_hand_leaves_the_rest_there(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"f": lines()})
    commit(repo, {"f": lines((5, "five"), (25, "more"))}, "two")
    bare = new_repo(tmp_path / "bare", {"f": lines((5, "five"), (25, "more"))})
    mail = last(repo).mail
    first, second = mail.index(b"@@ -2"), mail.index(b"@@ -22")
    less = mail[:second] + b"-- \n"
    assert first < second
    for where in (repo, bare):
        assert Given(where, less).pick().already


def test_a_deletion_of_other_lines_than_the_file_has(upstream: Path, bare: Path) -> None:
    git(upstream, "rm", "-q", "f")
    git(upstream, "commit", "-q", "-m", "no f")
    given = last(upstream, bare)
    assert given.pick().clean
    (clash,) = edited(given, (b"-ten\n", b"-TEN\n")).pick().clashes
    assert "here it has other content" in clash.reason


def test_a_deletion_that_holds_no_lines_goes_by_its_blob(upstream: Path, bare: Path) -> None:
    git(upstream, "rm", "-q", "f")
    git(upstream, "commit", "-q", "-m", "no f")
    given = Given(bare, mbox(upstream, "HEAD^..HEAD", "-D", "--full-index"))
    assert given.pick().clean
    commit(bare, {"f": lines((9, "nine"))}, "other")
    assert not given.pick().clean


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_a_rename_is_not_made_because_the_index_line_says_so(tmp_path: Path, binary: bool) -> None:
    """The new name holds the blob that the index line names; the hunks make another one."""
    end = "\0" if binary else ""
    repo = new_repo(tmp_path / "r", {"f": lines() + end})
    commit(repo, {"f": None, "g": lines((10, "ten")) + end}, "f is g")
    bare = new_repo(tmp_path / "bare", {"g": lines((10, "ten")) + end})
    for where in (repo, bare):
        given = last(repo, where)
        assert given.pick().already
        if not binary:
            picked = edited(given, (b"+ten\n", b"+TEN\n")).pick()
            assert not picked.already


def test_binary_content_is_compared(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"f": b"\0one" + bytes(range(256)) * 9})
    commit(repo, {"f": b"\0two" + bytes(range(256)) * 9}, "two")
    bare = new_repo(tmp_path / "bare", {"f": b"\0two" + bytes(range(256)) * 9})
    assert last(repo, bare).pick().already
    other = new_repo(tmp_path / "o", {"f": b"\0four" + bytes(range(256)) * 9})
    claim = git(other, "rev-parse", "HEAD:f").encode()
    named = git(repo, "rev-parse", "HEAD:f").encode()
    assert not edited(last(repo, other), (named, claim)).pick().already
