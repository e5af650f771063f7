# SPDX-License-Identifier: GPL-2.0-or-later
"""New objects wait in memory, are seen by libgit2, and reach the repository at once."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pygit2
import pytest

from backport.gateway import objects as module
from backport.gateway.commits import commit_changes
from backport.gateway.trees import EMPTY, FILE, Entry, Tree, TreeView
from series.model import Oid
from tests.backport.trees import backport, branch_with, git, lines, mbox, new_repo, open_repo


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return new_repo(tmp_path / "repo", {"a.c": lines(), "b/c.c": lines()})


def stored(repo: Path) -> set[str]:
    rows = git(repo, "cat-file", "--batch-all-objects", "--batch-check").splitlines()
    return {row.split()[0] for row in rows}


def test_a_new_object_waits_and_libgit2_finds_it(repo: Path) -> None:
    opened = open_repo(repo)
    oid = opened.objects.write_blob(b"new\n")
    assert oid not in stored(repo)
    assert opened.native[oid].read_raw() == b"new\n"
    assert opened.objects.find_blob(Oid(oid[:12])) == oid
    assert opened.native.odb.exists(pygit2.Oid(hex=oid))
    opened.objects.store()
    assert oid in stored(repo)
    assert opened.objects.blob(oid) == b"new\n"


def test_the_empty_tree_is_known_without_being_stored(repo: Path) -> None:
    """As to git; a commit may name it, and a patch be made on it."""
    empty = Oid("4b825dc642cb6eb9a060e54bf8d69288fbee4904")
    made = git(repo, "commit-tree", empty, "-m", "no files")
    assert empty not in stored(repo)
    opened = open_repo(repo)
    assert opened.native.odb.exists(pygit2.Oid(hex=empty))
    assert not opened.tree(Oid(made)).has_directory(b"b")
    assert commit_changes(opened, empty, opened.tree(opened.commit("stable")).id)
    assert commit_changes(opened, opened.tree(opened.commit("stable")).id, empty)


def test_what_libgit2_writes_waits_as_well(repo: Path) -> None:
    opened = open_repo(repo)
    oid = str(opened.native.create_blob(b"by libgit2\n"))
    assert oid not in stored(repo)
    assert opened.objects.blob(Oid(oid)) == b"by libgit2\n"
    opened.objects.store()
    assert oid in stored(repo)


@pytest.mark.parametrize("count", [3, 150], ids=["loose", "packed"])
def test_all_of_it_is_stored(repo: Path, count: int) -> None:
    opened = open_repo(repo)
    before = stored(repo)
    made = {opened.objects.write_blob(b"%d\n" % n) for n in range(count)}
    opened.objects.store()
    assert stored(repo) == before | made
    packs = list((repo / ".git/objects/pack").glob("*.pack"))
    assert len(packs) == (count >= module.UNPACK_LIMIT)
    git(repo, "fsck", "--strict", "--no-dangling")


def test_what_is_too_much_for_memory_is_stored_early(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 1000)
    opened = open_repo(repo)
    oid = opened.objects.write_blob(b"x" * 1001)
    assert oid in stored(repo)
    assert opened.objects.blob(oid) == b"x" * 1001


def test_git_sees_what_is_stored(repo: Path) -> None:
    opened = open_repo(repo)
    oid = opened.objects.write_blob(b"new\n")
    opened.objects.store()
    assert opened.git("cat-file", "-t", oid) == "blob"


def test_two_new_objects_with_one_beginning_are_ambiguous(repo: Path) -> None:
    opened = open_repo(repo)
    ids = sorted(opened.objects.write_blob(b"%d\n" % number) for number in range(2000))
    alike = [a[:4] for a, b in pairwise(ids) if a[:4] == b[:4]]
    assert alike
    assert all(opened.objects.find_blob(Oid(short)) is None for short in alike)


def test_a_plan_leaves_nothing_behind(repo: Path, tmp_path: Path) -> None:
    branch_with(repo, "topic", "stable", ("one", {"a.c": lines((5, "five"))}))
    (tmp_path / "s.mbox").write_bytes(mbox(repo, "stable..topic"))
    branch_with(repo, "moved", "stable", ("other", {"a.c": lines((25, "twenty-five"))}))
    before = stored(repo)
    done = backport(repo, "plan", "--branch", "moved", "--series", str(tmp_path / "s.mbox"))
    assert done.exit_code == 0, done.output
    assert stored(repo) == before


def test_a_linked_worktree_stores_into_the_repository(repo: Path, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "other")
    opened = open_repo(tmp_path / "linked")
    made = [opened.objects.write_blob(b"%d\n" % n) for n in range(150)]
    opened.objects.store()
    assert set(made) <= stored(repo)


# --- trees ---


def tree_of(repo: Path, revision: str = "HEAD") -> TreeView:
    opened = open_repo(repo)
    return opened.tree(opened.commit(revision))


@pytest.mark.parametrize(
    ("edits", "files"),
    [
        ({b"a.c": b"x\n"}, {"a.c": "x\n"}),
        ({b"b/c.c": b"x\n"}, {"b/c.c": "x\n"}),
        ({b"b/c.c": None}, {"b/c.c": None}),
        ({b"b/c.c": None, b"b": b"x\n"}, {"b/c.c": None, "b": "x\n"}),
        ({b"a.c": None, b"a.c/d": b"x\n"}, {"a.c": None, "a.c/d": "x\n"}),
        (
            {b"b.c": b"x\n", b"b-c": b"y\n", b"b0": b"z\n"},
            {"b.c": "x\n", "b-c": "y\n", "b0": "z\n"},
        ),
        ({b"n/e/w": b"x\n", b"a.c": b"y\n"}, {"n/e/w": "x\n", "a.c": "y\n"}),
    ],
)
def test_an_edited_tree_is_the_one_that_git_writes(
    repo: Path, edits: dict[bytes, bytes | None], files: dict[str, str | None]
) -> None:
    view = tree_of(repo)
    made = view.edited(
        {
            path: None if data is None else Entry(view.objects.write_blob(data), FILE)
            for path, data in edits.items()
        }
    )
    ordered = sorted(files.items(), key=lambda item: item[1] is not None)
    branch_with(repo, "by-git", "stable", ("edit", dict(ordered)))
    assert made.id == git(repo, "rev-parse", "by-git^{tree}")


def test_a_record_that_looks_like_another_ones_tail() -> None:
    """The record of ``foo`` also stands at the end of the record of ``x 100644 foo``."""
    old, new = Entry(Oid("61" * 20), FILE), Entry(Oid("62" * 20), FILE)
    tree = EMPTY.edited({b"foo": old, b"a 100644 foo": old})
    made = tree.edited({b"foo": new})
    assert Tree.parse(made.raw).entries == {b"foo": new, b"a 100644 foo": old}
