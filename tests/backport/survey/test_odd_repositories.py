# SPDX-License-Identifier: GPL-2.0-or-later
"""Partial and shallow clones, merges that cross, abbreviated ids: a right answer, or an error in words."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pygit2
import pytest

from tests.backport.survey.stable_repo import answer, make, on, take
from tests.backport.trees import backport, commit, git, lines, refs

ASKED = (("owed",), ("deps", "master~1"), ("provenance", "--branch", "stable-4.11"))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fix and what it stands on, which stable-4.11 has; what mends it; a commit that is 4.10's alone."""
    made = make(tmp_path_factory.mktemp("first") / "repo")
    prep = commit(made, {"a.c": lines((10, "prep"))}, "prep")
    fix = commit(made, {"a.c": lines((10, "prep"), (11, "fix"))}, "fix")
    commit(made, {"b.c": lines((3, "other"))}, f"other\n\nFixes: {fix[:12]}")
    take(made, "stable-4.11", prep)
    take(made, "stable-4.11", fix)
    on(made, "stable-4.10", {"c.c": "1\n"}, "own")
    git(made, "config", "uploadpack.allowFilter", "true")
    git(made, "config", "uploadpack.allowAnySHA1InWant", "true")
    return made


@pytest.fixture
def repo(first: Path, tmp_path: Path) -> Path:
    return shutil.copytree(first, tmp_path / "repo", symlinks=True)


def cloned(repo: Path, *words: str) -> Path:
    """A clone with the stable branches of the repository and its settings; nothing is checked out."""
    clone = repo.with_name("clone")
    subprocess.run(
        ["git", "clone", "-q", "--no-checkout", *words, repo.as_uri(), str(clone)], check=True
    )
    for name in ("stable-4.10", "stable-4.11"):
        git(clone, "branch", name, f"origin/{name}")
    git(clone, "config", "backport.upstream", "master")
    git(clone, "config", "backport.branch", "stable-4.10")
    return clone


def answers(repo: Path) -> list[dict[str, Any]]:
    return [answer(repo, *words) for words in ASKED]


@pytest.mark.parametrize("leaves_out", ["blob:none", "tree:0"])
def test_a_partial_clone_says_the_same(repo: Path, leaves_out: str) -> None:
    clone = cloned(repo, f"--filter={leaves_out}")
    answer(clone, "index")
    assert answers(clone) == answers(repo)


def test_a_partial_clone_whose_remote_is_gone_says_so(repo: Path) -> None:
    clone = cloned(repo, "--filter=blob:none")
    repo.rename(repo.with_name("gone"))
    before = git(clone, "for-each-ref")
    answer(clone, "index")
    fates = {one["subject"]: one["outlook"] for one in answer(clone, "owed")["owed"]}
    assert fates.keys() == {"prep", "fix", "other"}
    for outlook in fates.values():
        assert outlook["fate"] == "not judged"
        assert "the remote of this partial clone did not give it" in outlook["how"]
    both = ("--branch", "stable-4.10", "--branch", "stable-4.11")
    for words in (*ASKED[1:], ("apply", *both, "master")):
        done = backport(clone, *words)
        assert done.exit_code == 2, (words, done.output)
        assert "is not here" in done.output and "`git fetch` says why" in done.output
    assert git(clone, "for-each-ref") == before


def test_deps_in_a_shallow_clone(repo: Path) -> None:
    """Of two lines from ``base`` the longer is cut: its last commit there looks as if it wrote every line."""
    git(repo, "checkout", "-q", "-b", "side", "master~3")
    for number in range(4):
        commit(repo, {"a.c": lines((10, f"{number}"))}, f"side {number}")
    git(repo, "checkout", "-q", "-b", "main", "master~3")
    commit(repo, {"b.c": lines((10, "needed"))}, "needed")
    git(repo, "merge", "-q", "--no-edit", "side")
    git(repo, "branch", "-D", "side")
    commit(repo, {"b.c": lines((10, "needed"), (11, "fix"))}, "fix b")
    commit(repo, {"a.c": lines((10, "3"), (11, "fix"))}, "fix a")
    clone = cloned(repo, "--depth", "5", "--no-single-branch", "--branch", "main")
    words = ("--branch", "stable-4.10", "--upstream", "main")
    (patch,) = answer(clone, "deps", "main~1", *words)["patches"]
    assert [need["subject"] for need in patch["needs"]] == ["needed"]
    assert "this is a shallow clone" in patch["note"]
    done = backport(clone, "deps", "main", *words)
    assert done.exit_code == 2 and "--unshallow" in done.output, done.output


def test_merges_that_cross_and_octopuses(repo: Path) -> None:
    """stable-4.11 and master have merged each other, and master three lines at once."""
    stable = git(repo, "rev-parse", "stable-4.11")
    git(repo, "checkout", "-q", "stable-4.11")
    git(repo, "merge", "-q", "--no-edit", "-s", "ours", "master~1")
    later = commit(repo, {"c.c": "2\n"}, "later")
    for name in ("x", "y"):
        git(repo, "checkout", "-q", "-b", name, "master")
        commit(repo, {f"{name}.c": "1\n"}, name)
    git(repo, "checkout", "-q", "master")
    git(repo, "merge", "-q", "--no-edit", "-s", "octopus", "x", "y")
    git(repo, "merge", "-q", "--no-edit", "-s", "ours", stable)
    commit(repo, {"b.c": lines((3, "other"), (4, "last"))}, "last")
    asked = (("deps", "master", "--branch", "stable-4.11"), *ASKED[2:])
    before = [answer(repo, *words) for words in asked]
    (needed,), traced = before[0]["patches"], before[1]["commits"]
    assert [need["subject"] for need in needed["needs"]] == ["other"]
    # What the two have merged of each other is no difference any more.
    assert [(one["commit"], one["whence"]) for one in traced if one["whence"] != "a merge"] == [
        (later, "nowhere upstream")
    ]
    answer(repo, "index")
    assert [answer(repo, *words) for words in asked] == before
    done = backport(repo, "deps", "master~1")
    assert done.exit_code == 2 and "is a merge" in done.output


def ambiguous(repo: Path) -> str:
    """Five digits with which two commits begin, one of them after some 1,300 tries."""
    native = pygit2.Repository(str(repo))
    head, who = native.head.target, pygit2.Signature("A", "a@example.org", 1516000000, 0)
    tree, seen = native[head].peel(pygit2.Commit).tree_id, set[str]()
    for number in range(100_000):
        short = str(native.create_commit(None, who, who, f"{number}", tree, [head]))[:5]
        if short in seen:
            return short
        seen.add(short)
    raise AssertionError("no two commits begin with the same digits")


def test_an_ambiguous_id_is_called_so(repo: Path) -> None:
    short, before = ambiguous(repo), refs(repo)
    both = ("--branch", "stable-4.10", "--branch", "stable-4.11")
    for words in (
        ("deps", short),
        ("owed", "--ignore", short, "--because", "x"),
        ("owed", "--branch", short),
        ("provenance", "--since", short),
        ("index", "--upstream", short),
        ("apply", *both, short),
        ("apply", *both, "--series", f"{short}..master"),
    ):
        done = backport(repo, *words)
        assert done.exit_code == 2, (words, done.output)
        assert f"'{short}' is ambiguous" in done.output, (words, done.output)
    assert refs(repo) == before
