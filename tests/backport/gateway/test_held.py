# SPDX-License-Identifier: GPL-2.0-or-later
"""What the repository has is not stored twice, and is marked so that no gc takes it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backport.gateway.held import find_held
from backport.gateway.objects import Objects
from backport.gateway.packs import Stored
from backport.gateway.trees import EMPTY, FILE, Entry
from series.model import Oid
from tests.backport.trees import git, lines, new_repo, open_repo

LONG_AGO = 1_000_000_000


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return new_repo(tmp_path / "repo", {"a.c": lines()})


def make(objects: Objects, count: int = 120) -> Oid:
    """As many blobs, and one tree of them."""
    blobs = {b"%03d" % n: Entry(objects.write_blob(b"%d\n" % n), FILE) for n in range(count)}
    return objects.write_tree(EMPTY.edited(blobs))


def packs(repo: Path) -> list[Path]:
    return sorted((repo / ".git/objects/pack").glob("*.pack"))


def age(folder: Path) -> list[Path]:
    """Let all object files be of long ago."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.parent.name != "info"]
    for path in files:
        os.utime(path, (LONG_AGO, LONG_AGO))
    return files


def old(files: list[Path]) -> set[str]:
    return {path.suffix for path in files if path.stat().st_mtime == LONG_AGO}


def test_made_again_nothing_is_stored_and_the_pack_is_marked(repo: Path) -> None:
    for _ in range(2):
        objects = open_repo(repo).objects
        make(objects)
        objects.store()
        (pack,) = packs(repo)
        assert pack.stat().st_mtime != LONG_AGO
        age(pack.parent)


def test_only_what_is_new_is_stored(repo: Path) -> None:
    objects = open_repo(repo).objects
    make(objects)
    objects.store()
    (first,) = packs(repo)
    objects = open_repo(repo).objects
    commits = [objects.write_commit(b"commit %d" % n) for n in range(5)]
    make(objects)
    objects.store()
    (second,) = set(packs(repo)) - {first}
    rows = git(repo, "verify-pack", "-v", str(second)).splitlines()
    assert {row.split()[0] for row in rows if " commit " in row} == set(commits)
    assert not any(" blob " in row or " tree " in row for row in rows)


def test_loose_objects_are_marked_one_by_one(repo: Path) -> None:
    objects = open_repo(repo).objects
    make(objects)
    objects.store()
    (pack,) = packs(repo)
    data = pack.read_bytes()
    for path in pack.parent.glob("pack-*"):
        path.unlink()
    git(repo, "unpack-objects", "-q", stdin=data)
    other = git(repo, "hash-object", "-w", str(repo / "a.c"))
    files = age(repo / ".git/objects")
    objects = open_repo(repo).objects
    made = make(objects)
    objects.store()
    assert packs(repo) == []
    still = {path.parent.name + path.name for path in files if path.stat().st_mtime == LONG_AGO}
    assert other in still
    assert not still & set(git(repo, "ls-tree", "-r", "-t", made).split())
    assert made not in still


def test_what_is_borrowed_is_marked_where_it_is(tmp_path: Path, repo: Path) -> None:
    objects = open_repo(repo).objects
    make(objects)
    objects.store()
    objects.release_packs()
    files = age(repo / ".git/objects/pack")
    git(tmp_path, "clone", "-q", "--shared", str(repo), str(tmp_path / "one"))
    git(tmp_path, "clone", "-q", "--shared", str(tmp_path / "one"), str(tmp_path / "two"))
    objects = open_repo(tmp_path / "two").objects
    make(objects)
    objects.store()
    assert packs(tmp_path / "two") == []
    assert old(files) == {".idx"}


@pytest.mark.parametrize("why", ["a cruft pack", "no right to mark"])
def test_what_cannot_be_marked_is_stored_again(
    repo: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    objects = open_repo(repo).objects
    tree = make(objects)
    objects.store()
    raw = objects.tree(tree).raw
    fresh = {tree: Stored("tree", raw, len(raw))}
    folder = repo / ".git/objects"
    assert find_held(folder, fresh) == {tree}
    if why == "a cruft pack":
        (folder / "pack/pack-1.mtimes").write_bytes(b"")
    else:

        def refuse(path: str) -> None:
            raise PermissionError(path)

        monkeypatch.setattr(os, "utime", refuse)
    assert find_held(folder, fresh) == frozenset()


def test_without_the_outcome_nothing_counts_as_held(repo: Path) -> None:
    objects = open_repo(repo).objects
    make(objects)
    objects.store()
    objects = open_repo(repo).objects
    make(objects)
    make(objects, 121)
    objects.store()
    assert len(packs(repo)) == 2
    git(repo, "fsck", "--strict", "--no-dangling")
