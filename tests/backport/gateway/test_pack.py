# SPDX-License-Identifier: GPL-2.0-or-later
"""A pack of ours, held against git's own reading and indexing of it."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backport.gateway import packs as pack
from backport.gateway.packs import Fresh, Stored, make_delta, write_pack
from backport.gateway.waiting import Waiting
from series.binary import apply_delta
from series.model import Oid
from series.placement.stated import Edit, edits_as_stated
from tests.backport.trees import git, new_repo
from tests.series.strategies import edited, hunks, texts


def blob(data: bytes, base: Oid | None = None) -> tuple[Oid, Fresh]:
    oid = Oid(hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest())
    return oid, Fresh("blob", data, base)


def versions(count: int) -> list[tuple[Oid, Fresh]]:
    """One file, changed again and again, each version made from the one before."""
    found: list[tuple[Oid, Fresh]] = []
    for number in range(count):
        data = b"".join(
            b"line %d of a file\n" % (line + (line == 40) * number) for line in range(90)
        )
        found.append(blob(data, found[-1][0] if found else None))
    return found


def laid(objects: list[tuple[Oid, Fresh]]) -> list[tuple[Oid, Stored]]:
    """As they wait to be stored."""
    waiting = Waiting()
    for oid, fresh in objects:
        waiting.add(oid, fresh)
    return [(oid, waiting.in_pack(oid, ())) for oid in waiting.objects]


def depths(repo: Path, path: Path) -> list[int]:
    """The length of each delta's chain, as git counts it."""
    rows = git(repo, "verify-pack", "-v", str(path)).splitlines()
    return [int(row.split()[5]) for row in rows if len(row.split()) == 7]


def test_git_reads_every_object(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", {"a": "a\n"})
    objects = [*versions(20), blob(b""), blob(b"\0" * 100_000), blob(bytes(range(256)) * 300)]
    write_pack(repo / ".git/objects/pack", laid(objects))
    for oid, fresh in objects:
        got = subprocess.run(
            ["git", "-C", str(repo), "cat-file", "blob", oid], capture_output=True, check=True
        )
        assert got.stdout == fresh.raw
    git(repo, "fsck", "--strict")


def test_the_index_is_the_one_that_git_makes(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", {"a": "a\n"})
    path = write_pack(repo / ".git/objects/pack", laid(versions(60)))
    git(repo, "index-pack", "-o", str(tmp_path / "git.idx"), str(path))
    assert path.with_suffix(".idx").read_bytes() == (tmp_path / "git.idx").read_bytes()


def test_what_is_made_of_another_one_is_a_delta_and_chains_end(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", {"a": "a\n"})
    path = write_pack(repo / ".git/objects/pack", laid(versions(120)))
    found = depths(repo, path)
    assert len(found) == 117  # each but the first of every chain
    assert max(found) == 50


def test_a_base_that_comes_later_or_never_does_not_count(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", {"a": "a\n"})
    (one, first), (two, second) = versions(2)
    absent = Fresh("blob", b"x" * 500, Oid("1" * 40))
    objects = [(two, second), (one, first), blob(absent.raw, absent.base)]
    path = write_pack(repo / ".git/objects/pack", laid(objects))
    assert depths(repo, path) == []
    git(repo, "fsck", "--strict")


def test_the_same_objects_are_the_same_pack(tmp_path: Path) -> None:
    one = write_pack(tmp_path, laid(versions(5)))
    before = one.stat().st_ino
    assert write_pack(tmp_path, laid(versions(5))) == one
    assert one.stat().st_ino == before
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".idx", ".pack"]


def test_a_pack_without_its_index_is_completed(tmp_path: Path) -> None:
    path = write_pack(tmp_path, laid(versions(5)))
    path.with_suffix(".idx").unlink()
    write_pack(tmp_path, laid(versions(5)))
    assert path.with_suffix(".idx").is_file()


@given(st.data())
def test_a_delta_gives_the_new_content(data: st.DataObject) -> None:
    old = data.draw(texts())
    new = data.draw(edited(old))
    assert apply_delta(old, make_delta(old, new)) == new


@given(st.data())
def test_a_delta_from_edits(data: st.DataObject) -> None:
    old = data.draw(texts())
    new = data.draw(edited(old))
    edits = edits_as_stated(old, hunks(old, new))
    assert apply_delta(old, make_delta(old, new, edits or ())) == new


def test_a_delta_leaves_out_what_lies_between_two_edits() -> None:
    lines = b"".join(b"line %d\n" % number for number in range(1000))
    edits = (Edit(0, 7, b"first 0\n"), Edit(len(lines) - 9, 9, b"last 999\n"))
    new = b"first 0\n" + lines[7:-9] + b"last 999\n"
    delta = make_delta(lines, new, edits)
    assert apply_delta(lines, delta) == new
    assert len(delta) < 40


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"", b""),
        (b"", b"x" * 300),
        (b"x" * 300, b""),
        (b"ab" * 50, b"ab" * 51),
        (b"aaaa", b"aaaaa"),
        (b"a" * (1 << 24) + b"tail", b"a" * (1 << 24) + b"tail!"),
        (b"head" + b"a" * (1 << 24), b"Head" + b"a" * (1 << 24)),
    ],
    ids=["empty", "from nothing", "to nothing", "longer", "overlap", "far", "far at the end"],
)
def test_deltas_at_their_borders(old: bytes, new: bytes) -> None:
    assert apply_delta(old, make_delta(old, new)) == new


def test_an_offset_beyond_two_gib(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A pack that large is not for a test: the border is moved instead.
    repo = new_repo(tmp_path / "repo", {"a": "a\n"})
    monkeypatch.setattr(pack, "_FAR", 200)
    path = write_pack(tmp_path, laid(versions(3)))
    git(repo, "index-pack", "--index-version=2,200", "-o", str(tmp_path / "git.idx"), str(path))
    ours = path.with_suffix(".idx").read_bytes()
    assert len(ours) == (tmp_path / "git.idx").stat().st_size
