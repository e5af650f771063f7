# SPDX-License-Identifier: GPL-2.0-or-later
"""Build commands that are wrong, loud, or do not let go."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from backport.builds.compiler_errors import compiler_errors
from backport.builds.kept_worktree import KeptWorktree
from backport.builds.sandbox import unusable
from backport.environment import Environment
from backport.gateway.repository import open_repo
from tests.backport.trees import backport, commit, git, new_repo, refs


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return new_repo(tmp_path / "repo", {"a.c": "int a;\n"})


def check(repo: Path, build: str) -> tuple[int, str]:
    done = backport(repo, "check", "--commit", "HEAD", "--validate", "build", "--build", build)
    return done.exit_code, done.output


@pytest.mark.parametrize("command", ["no-such-command", "./a.c", "/nowhere/make -j8"])
def test_a_command_that_cannot_be_run_is_no_verdict(repo: Path, command: str) -> None:
    before = refs(repo)
    code, said = check(repo, command)
    assert code == 125
    assert f"the build command cannot be run: {command!r}" in said
    assert "git config backport.build" in said
    assert refs(repo) == before


def test_of_ten_thousand_errors_the_first_are_told(repo: Path) -> None:
    script = (
        "i=0; while [ $i -lt 10000 ]; do i=$((i+1)); echo a.c:$i:1: error: number $i; done; exit 1"
    )
    code, said = check(repo, script)
    assert code == 1
    assert "a.c:1:1: error: number 1\n" in said
    assert len(said) < 10_000


def test_an_error_is_told_with_the_source_under_it() -> None:
    log = "cc a.c\na.c:1:5: error: bad\n    1 | int bad\n      |     ^~~\nmake: *** [a.o] Error 1\n"
    assert compiler_errors(log) == ("a.c:1:5: error: bad", "    1 | int bad", "      |     ^~~")


def test_bytes_that_are_no_text_are_no_trouble(repo: Path) -> None:
    code, said = check(
        repo, r"printf 'a.c:1: error: \377\000\033[31m\033]0;title\007red\n'; exit 1"
    )
    assert code == 1
    assert "a.c:1: error: \N{REPLACEMENT CHARACTER}red\n" in said


def test_a_daemon_of_a_sandboxed_build_ends_with_it(repo: Path, tmp_path: Path) -> None:
    if unusable():
        pytest.skip("no sandbox here")
    folder = repo / ".git/backport/build"
    beat = "while :; do date +%N > beat; touch begun; sleep 0.05; done"
    await_it = "n=0; until test -e begun || test $n = 600; do sleep 0.05; n=$((n+1)); done"
    code, said = check(repo, f"setsid sh -c '{beat}' > /dev/null 2>&1 & {await_it}; test -e begun")
    assert code == 0, said
    seen = (folder / "beat").read_bytes()
    time.sleep(0.5)
    assert (folder / "beat").read_bytes() == seen


def test_a_build_that_removes_its_own_worktree_hurts_nobody(repo: Path) -> None:
    before = refs(repo)
    code, _ = check(repo, "rm -rf .git * .[a-z]*; true")
    assert code == 0
    assert refs(repo) == before
    assert check(repo, "test -e a.c")[0] == 0
    git(repo, "fsck", "--strict")


def test_what_another_makefile_may_not_make_is_removed_through_no_link(
    repo: Path, tmp_path: Path
) -> None:
    commit(repo, {"Makefile": "all:\n"}, "make")
    opened = open_repo(repo, Environment.copied({}))
    old, new = opened.commit("HEAD~1"), opened.commit("HEAD")
    worktree = KeptWorktree(opened)
    worktree.check_out(old)
    worktree.renew(old)
    for folder in (tmp_path / "away", worktree.folder / "obj"):
        folder.mkdir()
        (folder / "core.o").touch()
    (worktree.folder / "led").symlink_to(tmp_path / "away")
    worktree.drop_unmade(old, new, ["led/core.o", "obj/core.o", "Makefile/core.o", "none"])
    assert (tmp_path / "away/core.o").exists()
    assert not (worktree.folder / "obj/core.o").exists()
