# SPDX-License-Identifier: GPL-2.0-or-later
"""What git is asked by way of GitPython, in which environment, and with which configuration."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from backport.environment import Environment
from backport.errors import GitFailed, NotARepository, UsageError
from backport.gateway import repository
from backport.gateway.worktrees import worktrees
from tests.backport.trees import commit, git, new_repo, open_repo

STRAYS = {
    "GIT_DIR": "{other}/.git",
    "GIT_WORK_TREE": "{other}",
    "GIT_INDEX_FILE": "{other}/.git/index",
    "GIT_COMMON_DIR": "{other}/.git",
    "GIT_OBJECT_DIRECTORY": "{other}/.git/objects",
    "GIT_NAMESPACE": "elsewhere",
    "GIT_PREFIX": "deeper/",
}
"""What a hook of another repository leaves behind."""


def test_a_hook_of_another_repository_does_not_redirect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = new_repo(tmp_path / "ours", {"a.c": "int ours;\n"}, "stable")
    other = new_repo(tmp_path / "other", {"b.c": "int other;\n"}, "foreign")
    git(ours, "config", "backport.upstream", "ours")
    git(other, "config", "backport.upstream", "other")
    git(ours, "branch", "second")
    head = git(ours, "rev-parse", "HEAD")
    for name, value in STRAYS.items():
        monkeypatch.setenv(name, value.format(other=other))
    before = dict(os.environ)
    opened = open_repo(ours)
    assert set(opened.environment.strays) == set(STRAYS)
    assert opened.git("rev-parse", "HEAD") == head
    assert opened.git("ls-files") == "a.c"
    assert opened.branches() == ("second", "stable")
    assert opened.settings() == {"upstream": ("ours",)}
    assert opened.git.words(
        opened.tree(opened.commit("HEAD")).id, frozenset({b"ours", b"other"})
    ) == {b"ours"}
    assert [tree.branch for tree in worktrees(opened)] == ["refs/heads/stable"]
    assert dict(os.environ) == before


def test_opening_a_repository_changes_no_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_repo(tmp_path / "r", {"a": "1\n"})
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.delenv("GIT_PYTHON_REFRESH", raising=False)
    before = dict(os.environ)
    opened = open_repo(folder)
    opened.committer()
    assert opened.git.porcelain.git_dir == str(folder / ".git")
    assert dict(os.environ) == before


def test_the_environment_is_the_one_that_was_given(tmp_path: Path) -> None:
    folder = new_repo(tmp_path / "r", {"a": "1\n"})
    given = {
        **os.environ,
        "GIT_COMMITTER_NAME": "Someone Given",
        "GIT_COMMITTER_DATE": "1516000000 +0100",
    }
    opened = repository.open_repo(folder, Environment.copied(given))
    assert opened.committer().raw() == b"Someone Given <maintainer@example.org> 1516000000 +0100"
    assert opened.git("var", "GIT_COMMITTER_IDENT").startswith("Someone Given")


def test_configuration_is_read_as_git_reads_it(tmp_path: Path) -> None:
    """Includes, conditional ones, a worktree's own, and what ``git -c`` says: none is left out."""
    folder = new_repo(tmp_path / "r", {"a": "1\n"})
    (tmp_path / "one").write_text("[backport]\n\tbuild = included\n\tseries = a\n")
    (tmp_path / "two").write_text("[backport]\n\tprofile = conditional\n")
    git(folder, "config", "include.path", str(tmp_path / "one"))
    git(folder, "config", f"includeIf.gitdir:{folder}/.path", str(tmp_path / "two"))
    git(folder, "config", "--add", "backport.series", "b\nc")
    git(folder, "config", "extensions.worktreeConfig", "true")
    git(folder, "config", "--worktree", "backport.jobs", "3")
    with (folder / ".git/config").open("a") as file:
        file.write("[backport]\n\tPartial\n")
    spoken = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "backport.upstream"}
    spoken["GIT_CONFIG_VALUE_0"] = "spoken"
    opened = repository.open_repo(folder, Environment.copied({**os.environ, **spoken}))
    assert opened.settings() == {
        "build": ("included",),
        "series": ("a", "b\nc"),
        "profile": ("conditional",),
        "jobs": ("3",),
        "partial": ("true",),
        "upstream": ("spoken",),
    }


@pytest.mark.parametrize(("keys", "name"), [(("user",), "U"), (("user", "committer"), "C")])
def test_the_committer_is_who_git_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: tuple[str, ...], name: str
) -> None:
    folder = new_repo(tmp_path / "r", {"a": "1\n"})
    for key in keys:
        git(folder, "config", f"{key}.name", key[0].upper())
    monkeypatch.delenv("GIT_COMMITTER_NAME")
    opened = open_repo(folder)
    assert opened.committer().who.name.decode() == name
    assert opened.git("var", "GIT_COMMITTER_IDENT").startswith(f"{name} <")


def test_nobody_is_no_committer(tmp_path: Path) -> None:
    folder = new_repo(tmp_path / "r", {"a": "1\n"})
    given = {k: v for k, v in os.environ.items() if not k.startswith("GIT_COMMITTER_")}
    opened = repository.open_repo(folder, Environment.copied(given))
    with pytest.raises(UsageError, match=r"user\.name is not set"):
        opened.committer()


def test_branches_packed_loose_and_remote(tmp_path: Path) -> None:
    origin = new_repo(tmp_path / "origin", {"a": "1\n"})
    git(origin, "branch", "next/4.11")
    git(tmp_path, "clone", "-q", str(origin), str(tmp_path / "clone"))
    clone = tmp_path / "clone"
    git(clone, "branch", "packed")
    git(clone, "pack-refs", "--all")
    git(clone, "branch", "loose")
    opened = open_repo(clone)
    assert sorted(opened.branches()) == ["loose", "packed", "stable"]
    assert {"origin/stable", "origin/next/4.11"} <= set(opened.branches(remote=True))


def test_what_git_says_is_an_error_of_the_user(tmp_path: Path) -> None:
    opened = open_repo(new_repo(tmp_path / "r", {"a": "1\n"}))
    with pytest.raises(GitFailed, match=r"git rev-parse failed: .*nothing-there"):
        opened.git("rev-parse", "nothing-there^{commit}")
    with pytest.raises(GitFailed, match=r"git update-index failed: .+"):
        opened.git.feed(b"not an entry\0", "update-index", "-z", "--index-info")
    with pytest.raises(NotARepository):
        open_repo(tmp_path)


def test_asking_git_stores_nothing(tmp_path: Path) -> None:
    folder = new_repo(tmp_path / "r", {"a": "1\n"})
    opened = open_repo(folder)
    blob = opened.objects.write_blob(b"in memory\n")
    opened.git("log", "-1")
    opened.git.words(opened.tree(opened.commit("HEAD")).id, frozenset({b"a"}))
    there = subprocess.run(["git", "-C", str(folder), "cat-file", "-e", blob], check=False)
    assert there.returncode, "a question has written an object"


def test_commits_after_opening_are_seen(tmp_path: Path) -> None:
    folder = new_repo(tmp_path / "r", {"a": "1\n"})
    opened = open_repo(folder)
    made = commit(folder, {"a": "2\n"}, "later")
    assert opened.commit("stable") == made
