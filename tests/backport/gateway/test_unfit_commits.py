# SPDX-License-Identifier: GPL-2.0-or-later
"""Commits of a range that git itself would not make again, and what is kept of those that are odd."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backport.trees import Files, backport, commit, git, lines, new_repo, refs

SANE = "A <a@b> 1516000000 +0000"
START: Files = {"f": lines()}


def odd_commit(repo: Path, author: str = SANE, message: str = "f: five\n", tree: str = "") -> str:
    """A commit on ``stable``, in the repository alone, with whatever is given."""
    base = git(repo, "rev-parse", "stable")
    if not tree:
        blob = git(repo, "hash-object", "-w", "--stdin", stdin=lines((5, "five")).encode())
        tree = git(repo, "mktree", stdin=f"100644 blob {blob}\tf\n".encode())
    head = f"tree {tree}\nparent {base}\nauthor {author}\ncommitter {SANE}\n\n{message}"
    words = ("hash-object", "-w", "-t", "commit", "--literally", "--stdin")
    return git(repo, *words, stdin=head.encode())


@pytest.mark.parametrize(
    ("author", "message", "said"),
    [
        (" <> 1516000000 +0000", "x\n", "names no author"),
        ("A <a@b>", "x\n", "has the author 'A <a@b>', which git does not accept"),
        ("A <<a@b>> 1516000000 +0000", "x\n", "which git does not accept"),
        ("A <a@b> -5 +0000", "x\n", "which git does not accept"),
        ("A <a@b> 01516000000 +0000", "x\n", "which git does not accept"),
        ("A <a@b> 1516000000 +100", "x\n", "which git does not accept"),
        (SANE, "", "has no message"),
        (SANE, "\n \n", "has no message"),
        (SANE, "x\0y\n", "holds a NUL byte"),
    ],
)
def test_refused_with_nothing_left_behind(
    tmp_path: Path, author: str, message: str, said: str
) -> None:
    repo = new_repo(tmp_path / "repo", START)
    before = refs(repo)
    odd = odd_commit(repo, author, message)
    done = backport(repo, "apply", "--branch", "stable", "--series", f"stable..{odd}")
    assert done.exit_code == 2, done.output
    assert odd in done.output and said in " ".join(done.output.split())
    assert refs(repo) == before
    assert "no run in progress" in backport(repo, "status").output


@pytest.mark.parametrize("zone", ["-0000", "+9959", "-0030", "+1400"])
def test_a_zone_is_kept_as_it_is_written(tmp_path: Path, zone: str) -> None:
    repo = new_repo(tmp_path / "repo", START)
    odd = odd_commit(repo, f"A <a@b> 1516000000 {zone}")
    commit(repo, {"g": "x\n"}, "g: it")
    done = backport(repo, "apply", "--branch", "stable", "--series", f"stable~1..{odd}")
    assert done.exit_code == 0, done.output
    assert f"author A <a@b> 1516000000 {zone}\n" in git(repo, "cat-file", "commit", "stable")
    git(repo, "fsck", "--strict", "--no-dangling", "stable")


@pytest.mark.parametrize(
    "entry",
    ["100644 blob {id}\tnew", "040000 tree {id}\tnew", "40000 blob {own}\tnew"],
    ids=["no such file", "no such folder", "a file for a folder"],
)
def test_an_object_that_cannot_be_read_is_named(tmp_path: Path, entry: str) -> None:
    repo = new_repo(tmp_path / "repo", START)
    own = git(repo, "rev-parse", "stable:f")
    mode, _, rest = entry.format(id="1" * 40, own=own).partition(" ")
    oid, name = rest.split(" ")[1].split("\t")
    raw = b"100644 f\0" + bytes.fromhex(own)
    raw += f"{mode.lstrip('0')} {name}\0".encode() + bytes.fromhex(oid)
    words = ("hash-object", "-w", "-t", "tree", "--literally", "--stdin")
    odd = odd_commit(repo, tree=git(repo, *words, stdin=raw))
    done = backport(repo, "apply", "--branch", "stable", "--series", f"stable..{odd}")
    assert done.exit_code == 2, done.output
    said = " ".join(done.output.split())
    assert "cannot be read" in said and "git fsck" in said
    assert "no run in progress" in backport(repo, "status").output


def test_mend_refuses_them_too(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", START)
    odd = odd_commit(repo, "A <a@b>")
    done = backport(repo, "mend", "--range", f"stable..{odd}", "--build", "true")
    assert done.exit_code == 2, done.output
    assert "which git does not accept" in " ".join(done.output.split())


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("what", ["topic", "stable"])
def test_a_commit_that_git_replaces_is_refused(tmp_path: Path, what: str, packed: bool) -> None:
    """git reads the other one, and libgit2 does not: neither is taken in silence."""
    repo = new_repo(tmp_path / "repo", START)
    own = odd_commit(repo, message="f: five\n")
    other = odd_commit(repo, message="f: another five\n")
    git(repo, "branch", "topic", own)
    replaced = git(repo, "rev-parse", what)
    git(repo, "replace", replaced, other)
    if packed:
        git(repo, "pack-refs", "--all")
    words = (
        "apply",
        "--branch",
        "stable",
        "--series",
        f"{git(repo, 'rev-parse', 'stable')}..{own}",
    )
    done = backport(repo, *words)
    assert done.exit_code == 2, done.output
    assert f"in the place of {replaced[:12]}" in " ".join(done.output.split())
    git(repo, "config", "core.useReplaceRefs", "no" if packed else "false")
    assert backport(repo, *words).exit_code == 0
