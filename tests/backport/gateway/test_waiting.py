# SPDX-License-Identifier: GPL-2.0-or-later
"""New objects in memory: what they take there, and that they come out as they went in."""

from __future__ import annotations

from pathlib import Path

import pygit2
import pytest

from backport.gateway import waiting as module
from backport.gateway.packs import Fresh
from backport.gateway.repository import Repo
from backport.gateway.trees import EMPTY, FILE, Entry
from backport.gateway.waiting import Waiting
from series.model import Oid
from tests.backport.gateway.test_pack import versions
from tests.backport.trees import git, new_repo, open_repo


@pytest.fixture(params=[0, 5000, 1 << 20], ids=["none", "few", "all"])
def recent(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many bytes of contents are at hand."""
    size: int = request.param
    monkeypatch.setattr(module, "_RECENT_BYTES", size)
    return size


def test_each_comes_out_as_it_went_in(recent: int) -> None:
    waiting, objects = Waiting(), versions(120)
    for oid, fresh in objects:
        waiting.add(oid, fresh)
    for oid, fresh in (*objects, *reversed(objects)):
        assert waiting.raw(oid) == fresh.raw
        assert waiting.size(oid) == len(fresh.raw)


def test_versions_of_one_file_take_little(recent: int) -> None:
    waiting, objects = Waiting(), versions(120)
    for oid, fresh in objects:
        waiting.add(oid, fresh)
    packed = sum(waiting.in_pack(oid, ()).held for oid, _ in objects)
    assert 15 * packed < sum(len(fresh.raw) for _, fresh in objects)
    assert waiting.bytes == packed


def test_what_is_not_read_for_a_while_is_deflated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RECENT_BYTES", 0)
    waiting = Waiting()
    one, other = Oid("1" * 40), Oid("2" * 40)
    waiting.add(one, Fresh("blob", b"line\n" * 1000))
    waiting.add(other, Fresh("blob", b"other\n"))
    assert waiting.bytes < 200
    assert waiting.raw(one) == b"line\n" * 1000


def test_all_is_hashed_with_a_watch_for_collisions(
    recent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[bytes] = []
    monkeypatch.setattr(pygit2, "hash", hashed.append)
    waiting, objects = Waiting(), versions(20)
    for oid, fresh in objects:
        waiting.add(oid, fresh)
    for oid, _ in objects:
        waiting.check(oid)
    assert sorted(hashed) == sorted(fresh.raw for _, fresh in objects)


def test_a_difference_to_what_the_repository_has_is_stored_whole(tmp_path: Path) -> None:
    path = new_repo(tmp_path / "repo", {"a": "a\n"})
    objects = versions(150)

    def write(opened: Repo, count: int) -> Oid:
        for oid, fresh in objects[:count]:
            assert opened.objects.write_blob(fresh.raw, fresh.base) == oid
        entries = {b"f": Entry(objects[0][0], FILE)}
        return opened.objects.write_tree(EMPTY.edited(entries))

    first = open_repo(path)
    write(first, 120)
    first.objects.store()
    second = open_repo(path)
    write(second, 150)
    second.objects.store()
    git(path, "fsck", "--strict", "--no-dangling")
    for oid, fresh in objects:
        assert open_repo(path).objects.blob(oid) == fresh.raw


def test_what_the_repository_has_is_read_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RECENT_BYTES", 0)
    path = new_repo(tmp_path / "repo", {"a": "a\n" * 5000})
    oid = Oid(git(path, "rev-parse", "HEAD:a").strip())
    waiting = Waiting(path / ".git/objects")
    waiting.add(oid, Fresh("blob", b"a\n" * 5000))
    waiting.add(Oid("2" * 40), Fresh("blob", b"other\n"))
    assert waiting.bytes < 20
    assert waiting.raw(oid) == b"a\n" * 5000
    assert waiting.in_pack(oid, ()).data == b"a\n" * 5000
