# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 at a durable act of what leaves the tool, or is taken back: the same command once more ends as if
nothing had happened, and nothing half-made stands in between.

A few acts in `make test`, all of them in `make torture`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backport.killer import killed_at
from tests.backport.trees import backport, branch_with, commit, copied, git, lines, new_repo

POINTS = pytest.mark.parametrize("points", [2, pytest.param(200, marks=pytest.mark.torture)])


def make(folder: Path) -> Path:
    repo = new_repo(folder, {"a.c": lines(), "v": "version 1.0\n", ".gitignore": "made\n"})
    git(repo, "tag", "v1.0")
    git(repo, "config", "backport.versionLine", "v:version {version}")
    git(repo, "config", "backport.build", "touch made")
    branch_with(repo, "topic", "stable", ("one", {"a.c": lines((5, "five")), "n": "n\n"}))
    git(repo, "-c", "user.name=Another", "commit", "-q", "--allow-empty", "-m", "another")
    done = backport(repo, "apply", "-b", "stable", "-s", "v1.0..topic", "--validate", "none")
    assert done.exit_code == 0, done.output
    return repo


def state(repo: Path) -> str:
    """Trees of refs, subjects and what is checked out: ids hold the moment, which differs."""
    found = []
    for line in git(repo, "for-each-ref", "--format=%(refname)").split("\n"):
        if not line.startswith("refs/backport/"):
            found.append(f"{line} {git(repo, 'rev-parse', f'{line}^{{tree}}')}")
    return "\n".join((*found, git(repo, "status", "--porcelain"), git(repo, "log", "--format=%s")))


def survives(
    tmp_path: Path,
    points: int,
    words: list[str],
    again: Callable[[Path], None],
    made: Callable[[Path], Path] = make,
) -> None:
    template = made(tmp_path / "template")
    whole = copied(template, tmp_path / "whole")
    done = killed_at(0, [words[0], "--repo", str(whole), *words[1:]])
    assert done.returncode == 0, done.stderr
    acts = int(done.stdout.rsplit("acts ", 1)[1])
    assert acts > 3
    wanted = state(whole)
    step = max(1, acts // points)
    for act in range(1, acts + 1, step):
        repo = copied(template, tmp_path / f"at-{act}")
        cut = killed_at(act, [words[0], "--repo", str(repo), *words[1:]])
        assert cut.returncode == -9
        again(repo)
        assert state(repo) == wanted, f"cut at {act} of {acts}"
        shutil.rmtree(repo)


@POINTS
def test_undo(tmp_path: Path, points: int) -> None:
    def again(repo: Path) -> None:
        done = backport(repo, "undo")
        gone = "nothing to undo" in done.output
        assert done.exit_code == 0 or gone, done.output

    survives(tmp_path, points, ["undo"], again)


@POINTS
def test_release(tmp_path: Path, points: int) -> None:
    words = ["release", "1.1", "-b", "stable"]

    def again(repo: Path) -> None:
        if "backport continue" in backport(repo, "status").output:
            backport(repo, "continue")
        done = backport(repo, *words)
        there = "is not above 1.1, the version of v1.1" in done.output  # it was cut behind the tag
        assert done.exit_code == 0 or there, done.output

    survives(tmp_path, points, words, again)


@POINTS
def test_a_release_that_was_cut_is_taken_back(tmp_path: Path, points: int) -> None:
    """At no act is there a tag, or a branch with the version, that `undo` does not know."""
    words = ["release", "1.1", "-b", "stable"]
    template = make(tmp_path / "template")
    wanted = state(template)
    whole = copied(template, tmp_path / "whole")
    done = killed_at(0, [words[0], "--repo", str(whole), *words[1:]])
    acts = int(done.stdout.rsplit("acts ", 1)[1])
    last = range(acts - 8, acts + 1)  # those of the tag and of what is noted of it
    for act in sorted({*last, *range(1, acts + 1, max(1, acts // points))}):
        repo = copied(template, tmp_path / f"at-{act}")
        assert killed_at(act, [words[0], "--repo", str(repo), *words[1:]]).returncode == -9
        if "backport abort" in backport(repo, "status").output:
            backport(repo, "abort")
        if state(repo) != wanted:
            undone = backport(repo, "undo")
            assert undone.exit_code == 0, f"cut at {act} of {acts}: {undone.output}"
        assert state(repo) == wanted, f"cut at {act} of {acts}"
        shutil.rmtree(repo)


@POINTS
def test_notes(tmp_path: Path, points: int) -> None:
    words = ["check", "--range", "v1.0..stable", "--validate", "build", "--notes"]

    def again(repo: Path) -> None:
        assert backport(repo, *words).exit_code == 0

    survives(tmp_path, points, words, again)


@POINTS
def test_mend(tmp_path: Path, points: int) -> None:
    words = ["mend", "--range", "v1.0..fix", "--build", "! grep -q broken a.c", "--to", "mended"]

    def broken(folder: Path) -> Path:
        repo = make(folder)
        branch_with(
            repo,
            "fix",
            "v1.0",
            ("breaks", {"a.c": lines((5, "broken"), (9, "nine"))}),
            ("fixup! breaks", {"a.c": lines((5, "mended"), (9, "nine"))}),
        )
        return repo

    def again(repo: Path) -> None:
        done = backport(repo, *words)
        there = "that branch exists" in done.output
        assert done.exit_code == 0 or there, done.output

    survives(tmp_path, points, words, again, broken)


@pytest.mark.skipif(shutil.which("quilt") is None, reason="quilt is not installed")
@POINTS
def test_a_series_in_its_place(tmp_path: Path, points: int) -> None:
    def ready(folder: Path) -> Path:
        repo = new_repo(folder, {"a.c": lines()})
        git(repo, "tag", "v1")
        commit(repo, {"a.c": lines((5, "five"))}, "one")
        git(repo, "checkout", "-q", "-b", "up", "v1")
        commit(repo, {"a.c": "top\n" + lines()}, "two")
        git(repo, "checkout", "-q", "stable")
        backport(repo, "export", "-b", "stable", "--since", "v1", "--quilt", str(repo / "p"))
        return repo

    def held(repo: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (repo / "p").iterdir()}

    def words(repo: Path) -> list[str]:
        where = ("--series", str(repo / "p/series"), "--onto", "up", "--in-place")
        return ["refresh", "--repo", str(repo), *where]

    template = ready(tmp_path / "template")
    whole = copied(template, tmp_path / "whole")
    old = held(whole)
    done = killed_at(0, words(whole))
    assert done.returncode == 0, done.stderr
    new = held(whole)
    assert new != old
    acts = int(done.stdout.rsplit("acts ", 1)[1])
    for act in range(1, acts + 1, max(1, acts // points)):
        repo = copied(template, tmp_path / f"at-{act}")
        assert killed_at(act, words(repo)).returncode == -9
        assert held(repo) in (old, new), act
        assert backport(repo, *words(repo)[:1], *words(repo)[3:]).exit_code == 0
        assert held(repo) == new
        assert {path.name for path in repo.iterdir()} == {".git", "a.c", "p"}, act
