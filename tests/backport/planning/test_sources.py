# SPDX-License-Identifier: GPL-2.0-or-later
"""What people name with --series: folders, Maildirs, quilt series with all that is in them."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path

import pytest

from tests.backport.trees import backport, git, lines, mbox, two_files


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """``stable``, and ``topic`` with three patches that build on each other."""
    return two_files(
        tmp_path / "repo",
        ("a: five", {"a.c": lines((5, "five"))}),
        ("a: 55", {"a.c": lines((5, "55"))}),
        ("b: five", {"b.c": lines((5, "five"))}),
    )


@pytest.fixture
def patches(repo: Path) -> list[bytes]:
    return [mbox(repo, f"topic~{3 - n}..topic~{2 - n}") + b"\n" for n in range(3)]


def bare(patch: bytes) -> bytes:
    """The diff alone, as diff -u writes it."""
    kept = patch[patch.index(b"--- a/") : patch.rindex(b"-- \n")]
    return b"".join(x for x in kept.splitlines(keepends=True) if not x.startswith(b"index "))


def subjects(repo: Path, *words: str) -> list[str]:
    done = backport(repo, "apply", "--branch", "stable", *words)
    assert done.exit_code == 0, done.output
    return git(repo, "log", "--reverse", "--format=%s", "stable@{1}..stable").split("\n")


ALL = ["a: five", "a: 55", "b: five"]


def test_names_without_a_suffix(repo: Path, patches: list[bytes], tmp_path: Path) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    for name, data in zip(("0001-a", "0002-b.patch", "0003-c.mbx"), patches, strict=True):
        (folder / name).write_bytes(data)
    (folder / "README").write_text("words\n")
    (folder / "0001-a~").write_bytes(patches[0])
    (folder / "0002-b.patch.orig").write_bytes(patches[0])
    done = backport(repo, "plan", "--branch", "stable", "--series", str(folder))
    assert "no patch, left aside: 0001-a~, 0002-b.patch.orig, README" in " ".join(
        done.output.split()
    )
    assert subjects(repo, "--series", str(folder)) == ALL


def test_a_maildir(repo: Path, patches: list[bytes], tmp_path: Path) -> None:
    for box in ("cur", "new", "tmp"):
        (tmp_path / "md" / box).mkdir(parents=True)
    for number, (box, data) in enumerate(zip(("cur", "new", "cur"), patches, strict=True)):
        (tmp_path / "md" / box / f"165000000{number}.M1P2.host:2,S").write_bytes(data)
    assert subjects(repo, "--series", str(tmp_path / "md")) == ALL


def test_a_compressed_patch_in_a_series(repo: Path, patches: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "a.patch").write_bytes(patches[0])
    (tmp_path / "b.patch.gz").write_bytes(gzip.compress(patches[1]))
    (tmp_path / "c.patch").write_bytes(patches[2])
    (tmp_path / "series").write_text("a.patch\nb.patch.gz\nc.patch\n")
    assert subjects(repo, "--series", str(tmp_path / "series")) == ALL


@pytest.mark.parametrize("inside", [True, False])
def test_a_series_may_name_patches_of_its_own_repository(
    repo: Path, patches: list[bytes], tmp_path: Path, inside: bool
) -> None:
    stack = tmp_path / "stack"
    (stack / "stable").mkdir(parents=True)
    (stack / "master").mkdir()
    if inside:
        subprocess.run(["git", "init", "-q", str(stack)], check=True)
    (stack / "master/one.patch").write_bytes(patches[0])
    (stack / "stable/two.patch").write_bytes(patches[1])
    (stack / "stable/series").write_text("  ../master/one.patch\n\ttwo.patch\n")
    words = ("--series", str(stack / "stable"))
    if inside:
        assert subjects(repo, *words) == ALL[:2]
        return
    done = backport(repo, "apply", "--branch", "stable", *words)
    assert done.exit_code == 2
    assert "../master/one.patch leads out of" in " ".join(done.output.split())


def test_guards_of_a_series_conf(repo: Path, patches: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "p.suse").mkdir()
    for name, data in zip(("one", "two", "three"), patches, strict=True):
        (tmp_path / "p.suse" / name).write_bytes(data)
    (tmp_path / "series.conf").write_text(
        "# sorted\n\tp.suse/one\n+kabi\tp.suse/two\n\tp.suse/three # bsc#1\n-no\tp.suse/gone\n"
    )
    words = ("--series", str(tmp_path / "series.conf"))
    done = backport(repo, "apply", "--branch", "stable", *words)
    assert done.exit_code == 2
    assert "series.conf:3: 'p.suse/two' has the guard +kabi" in " ".join(done.output.split())
    assert subjects(repo, *words, "--guard", "kabi", "--guard", "no") == ALL


def test_plain_diffs_need_an_author_and_go_by_name(
    repo: Path, patches: list[bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    for number, data in enumerate(patches, 1):
        (folder / f"{number:03}-step.patch").write_bytes(bare(data))
    words = ("--series", str(folder))
    done = backport(repo, "apply", "--branch", "stable", *words)
    assert done.exit_code == 2
    assert "001-step.patch: names no author" in done.output
    named = ("--author", "Ed Itor <ed@example.org>")
    assert subjects(repo, *words, *named) == ["001-step", "002-step", "003-step"]
    authors = git(repo, "log", "-3", "--format=%an <%ae>", "stable").split("\n")
    assert set(authors) == {"Ed Itor <ed@example.org>"}
    assert git(repo, "show", "stable:a.c") == git(repo, "show", "topic:a.c")


@pytest.mark.parametrize("author", ["Ed Itor", "ed@example.org", "<ed@example.org>", " "])
def test_an_author_is_a_name_and_an_address(repo: Path, author: str) -> None:
    done = backport(
        repo, "apply", "--branch", "stable", "--series", "stable..topic", "--author", author
    )
    assert done.exit_code == 2, done.output
    assert "is not an author" in done.output


def test_unsigned_quilt_patches_are_the_maintainers(
    repo: Path, patches: list[bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "debian/patches"
    folder.mkdir(parents=True)
    (folder / "fix.patch").write_bytes(b"Fix it.\n\n" + bare(patches[0]))
    (folder / "named.patch").write_bytes(patches[2])
    (folder / "series").write_text("fix.patch\nnamed.patch -p1\n")
    (tmp_path / "debian/control").write_text("Source: x\nMaintainer: M T <m@t.org>\n\nPackage: x\n")
    before = git(repo, "log", "-1", "--format=%cI", "stable")
    done = backport(
        repo,
        "apply",
        "--branch",
        "stable",
        "--series",
        str(folder),
        "--json",
        "-",
        "--record",
        "name",
    )
    assert done.exit_code == 0, done.output
    notes = json.loads(done.stdout)["notes"]
    assert "1 patch names no author: signed as the Maintainer in debian/control" in notes
    log = git(repo, "log", "--reverse", "--format=%an|%aI|%B", "stable@{1}..stable").split("\n")
    assert log[0] == f"M T|{before}|Fix it."
    assert "Patch-name: fix.patch" in log
    assert any(line.startswith("A Maintainer|") for line in log)


def test_signed_off_once(repo: Path) -> None:
    words = ("--series", "topic~3..topic~2", "--signoff")
    subjects(repo, *words)
    message = git(repo, "log", "-1", "--format=%B", "stable")
    assert message.rstrip().endswith("\n\nSigned-off-by: A Maintainer <maintainer@example.org>")


def test_what_a_folder_holds_and_cannot_be_read_is_said(
    repo: Path, patches: list[bytes], tmp_path: Path
) -> None:
    def said(folder: Path) -> str:
        done = backport(repo, "apply", "--branch", "stable", "--series", str(folder))
        assert done.exit_code == 2, done.output
        return " ".join(done.output.split())

    for name in ("link", "deep", "dpatch"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.patch").write_bytes(patches[0])
    (tmp_path / "link/2.patch").symlink_to("nowhere")
    assert "2.patch is a link to nothing" in said(tmp_path / "link")
    (tmp_path / "deep/more").mkdir()
    (tmp_path / "deep/more/2.patch").write_bytes(patches[1])
    assert "it has folders, too (more/)" in said(tmp_path / "deep")
    (tmp_path / "dpatch/00list").write_text("1\n")
    assert "00list is not read" in said(tmp_path / "dpatch")
