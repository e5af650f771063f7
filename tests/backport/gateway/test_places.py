# SPDX-License-Identifier: GPL-2.0-or-later
"""Where people work: folders of any bytes, sparse checkouts, partial clones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backport.trees import backport, branch_with, commit, git, new_repo

APPLY = ("apply", "-b", "stable", "--series", "stable..topic")


def with_topic(folder: Path) -> Path:
    repo = new_repo(folder, {"a.c": "1\n", "d/b.c": "1\n"})
    branch_with(repo, "topic", "stable", ("one", {"a.c": "2\n"}), ("two", {"d/b.c": "3\n"}))
    return repo


@pytest.mark.parametrize("name", [b"r\xe9po", b"a b'\"c", b"a\nb"])
def test_a_folder_of_any_bytes(tmp_path: Path, name: bytes) -> None:
    repo = with_topic(tmp_path / os.fsdecode(name))
    done = backport(repo, *APPLY, "--validate", "build", "--build", "cat a.c > out")
    assert done.exit_code == 0, done.output
    done = backport(repo, "check", "--commit", "HEAD", "--build", "cat a.c > out")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("how", [("--no-cone", "a.c"), ("--cone", "--sparse-index", "none")])
def test_a_sparse_checkout(tmp_path: Path, how: tuple[str, ...]) -> None:
    repo = with_topic(tmp_path / "repo")
    git(repo, "sparse-checkout", "set", *how)
    assert not (repo / "d").exists()
    done = backport(repo, *APPLY, "--validate", "none")
    assert done.exit_code == 0, done.output
    assert (repo / "a.c").read_text() == "2\n"
    assert not (repo / "d").exists()
    assert git(repo, "status", "--porcelain") == ""


def test_a_change_in_a_sparse_checkout_is_still_one(tmp_path: Path) -> None:
    repo = with_topic(tmp_path / "repo")
    git(repo, "sparse-checkout", "set", "--no-cone", "a.c")
    (repo / "a.c").write_text("mine\n")
    done = backport(repo, *APPLY, "--validate", "none")
    assert done.exit_code == 2
    assert "with changes: a.c" in done.output


@pytest.fixture
def partial(tmp_path: Path) -> Path:
    full = with_topic(tmp_path / "full")
    git(full, "config", "uploadpack.allowFilter", "true")
    git(full, "config", "uploadpack.allowAnySHA1InWant", "true")
    found = tmp_path / "partial"
    words = ["git", "clone", "-q", "--no-local", "--filter=blob:none", full.as_uri(), str(found)]
    subprocess.run(words, check=True)
    git(found, "branch", "topic", "origin/topic")
    assert git(found, "rev-list", "--objects", "--missing=print", "topic").count("?") == 2
    return found


def test_what_a_partial_clone_lacks_is_fetched(partial: Path) -> None:
    done = backport(partial, *APPLY, "--validate", "none")
    assert done.exit_code == 0, done.output
    assert git(partial, "rev-parse", "stable^{tree}") == git(partial, "rev-parse", "topic^{tree}")


def test_what_cannot_be_fetched_is_named(partial: Path) -> None:
    (partial.parent / "full").rename(partial.parent / "gone")
    done = backport(partial, *APPLY, "--validate", "none")
    assert done.exit_code == 2, done.output
    assert "did not give it" in done.output


@pytest.mark.parametrize("locked", [True, False])
def test_a_worktree_whose_folder_is_not_there(tmp_path: Path, locked: bool) -> None:
    """Its branch is not moved, nor moved back: it would show that as the user's changes one day."""
    repo, away = with_topic(tmp_path / "repo"), tmp_path / "away"
    git(repo, "checkout", "-q", "topic")
    git(repo, "worktree", "add", "-q", str(away), "stable")
    before = git(repo, "rev-parse", "stable")
    done = backport(repo, *APPLY, "--record", "cherry", "--validate", "none")
    assert done.exit_code == 0, done.output
    if locked:
        git(repo, "worktree", "lock", str(away))
    away.rename(tmp_path / "elsewhere")
    for words in (("undo",), ("apply", "-b", "stable", "topic", "--validate", "none")):
        done = backport(repo, *words)
        assert done.exit_code == 2, done.output
        assert "is not there" in done.output and "git worktree prune" in done.output
    (tmp_path / "elsewhere").rename(away)
    assert backport(repo, "undo").exit_code == 0
    assert git(repo, "rev-parse", "stable") == before
    assert git(away, "status", "--porcelain") == ""


def test_what_sends_git_elsewhere_is_named(tmp_path: Path) -> None:
    repo = with_topic(tmp_path / "repo")
    git(repo, "branch", "stable-1.0", "stable")  # of which newer ones are looked for
    done = subprocess.run(
        [sys.executable, "-P", "-m", "backport", "plan", "-b", "stable-1.0", "topic"],
        cwd=repo,
        env={**os.environ, "GIT_OBJECT_DIRECTORY": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "`unset GIT_OBJECT_DIRECTORY`" in done.stderr


def test_where_a_shallow_clone_ends_is_no_root(tmp_path: Path) -> None:
    full = with_topic(tmp_path / "full")
    found = tmp_path / "shallow"
    words = ["git", "clone", "-q", "--depth", "1", "-b", "topic", full.as_uri(), str(found)]
    subprocess.run(words, check=True)
    git(found, "fetch", "-q", "--depth", "1", "origin", "stable:stable")
    for series in ("topic", "stable..topic"):
        for verb in ("apply", "plan"):
            done = backport(found, verb, "-b", "stable", "--series", series)
            assert done.exit_code == 2, done.output
            assert "this clone is shallow" in done.output and "--unshallow" in done.output
    git(found, "fetch", "-q", "--unshallow")
    assert backport(found, "apply", "-b", "stable", "--series", "topic~1").exit_code == 0


@pytest.mark.parametrize(
    "closed",
    [
        (1,),
        (0, 1, 2),
        *(pytest.param(one, marks=pytest.mark.torture) for one in ((0,), (2,), (0, 1))),
    ],
    ids=str,
)
def test_standard_files_that_are_closed(tmp_path: Path, closed: tuple[int, ...]) -> None:
    """As git does it goes on, and no file of the run takes their numbers."""
    repo = with_topic(tmp_path / "repo")
    words = [sys.executable, "-m", "backport", *APPLY, "--validate", "build", "--build", "cat a.c"]
    shell = " ".join(f"{number}{'<' if number == 0 else '>'}&-" for number in closed)
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {shell}', "sh", *words], cwd=repo, capture_output=True, check=False
    )
    assert done.returncode == 0, done
    assert git(repo, "show", "stable:a.c") == "2"
    assert git(repo, "fsck") == ""


def test_a_read_only_repository(tmp_path: Path) -> None:
    repo = with_topic(tmp_path / "repo")
    inside = (
        'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && cd "$0" &&'
        f" {{ {sys.executable} -m backport {' '.join(APPLY)}; echo $?;"
        f" {sys.executable} -m backport plan {' '.join(APPLY[1:])} >/dev/null; echo $?; }}"
    )
    words = ["unshare", "--map-root-user", "-m", "sh", "-c", inside, str(repo)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        # Root would write through file modes; a container may allow no mount of its own.
        pytest.skip("this system allows no mount namespace of one's own")
    assert done.stdout.split() == ["2", "0"], done
    assert "Read-only file system" in done.stderr and "nothing was changed" in done.stderr


def test_a_file_of_the_series_that_the_repository_lacks_is_named(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "repo", {"f": "one\n"})
    git(repo, "checkout", "-q", "-b", "topic")
    commit(repo, {"f": "two\n"}, "two")
    lost = git(repo, "rev-parse", "HEAD:f")
    git(repo, "checkout", "-q", "stable")
    (repo / ".git/objects" / lost[:2] / lost[2:]).unlink()
    done = backport(repo, "apply", "--branch", "stable", "--series", "topic~1..topic")
    assert done.exit_code == 2
    assert lost in done.output
    assert "git fsck" in done.output
    assert "disk" not in done.output
