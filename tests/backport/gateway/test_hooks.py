# SPDX-License-Identifier: GPL-2.0-or-later
"""The hooks, run by git itself: before a commit message is taken, and before a push."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from backport.environment import Environment
from backport.gateway.repository import open_repo
from backport.run.pushed import pushed_ranges
from tests.backport.trees import backport, branch_with, environment, git, new_repo


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """On a branch that tracks ``stable``; ``apart`` is on no upstream."""
    folder = new_repo(tmp_path / "r", {"f": "1\n"})
    branch_with(folder, "master", "stable", ("x86: a real fix", {"f": "2\n"}))
    branch_with(folder, "apart", "stable", ("never sent", {"f": "3\n"}))
    git(folder, "checkout", "-q", "-b", "topic", "stable")
    git(folder, "config", "backport.upstream", "master")
    (folder / "g").write_text("1\n")
    git(folder, "add", "g")
    return folder


def run(repo: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "-C", str(repo), *words],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def named(repo: Path, revision: str) -> str:
    return git(repo, "rev-parse", "--short=12", revision).strip()


@pytest.mark.parametrize(
    ("trailer", "said", "hooked"),
    [
        ('Fixes: {master} ("x86: a real fix")', "", True),
        ("(cherry picked from commit {whole})", "", False),
        ('Fixes: {master} ("x86: a real\n fix.")', "", False),
        ("no id at all", "", False),
        ("(cherry picked from commit 0123456789abcdef)", "no such commit here", False),
        (
            "(cherry picked from commit 0123456789abcdef)\n(cherry picked from commit {whole})",
            "",
            False,
        ),
        ('Fixes: {master} ("x86: another fix")', "its subject is 'x86: a real fix'", True),
        ('Fixes: 0123456789ab ("x86: a real fix")', "no such commit here", False),
        ('Fixes: {apart} ("never sent")', "not on master", False),
        ("(cherry picked from commit {apart})", "not on master", False),
        ("master commit: {apart}", "not on master", False),
        ("# Fixes: 0123456789ab", "", True),
    ],
)
def test_a_message_is_taken_or_not(repo: Path, trailer: str, said: str, hooked: bool) -> None:
    """As the verb says it, and, of each kind once, as the hook has git do it."""
    ids = {"master": named(repo, "master"), "apart": named(repo, "apart")}
    text = trailer.format(**ids, whole=git(repo, "rev-parse", "master").strip())
    message = repo.parent / "message"
    message.write_text(f"subject\n\nWhy.\n\n{text}\nSigned-off-by: A <a@example.org>\n")
    asked = backport(repo, "check", "--message", str(message))
    assert (asked.exit_code != 0) == bool(said), asked.output
    assert said in asked.output
    if not hooked:
        return
    assert backport(repo, "hook", "install", "--commit-msg").exit_code == 0
    assert not (repo / ".git/hooks/pre-commit").exists()
    before = git(repo, "rev-parse", "HEAD")
    done = run(repo, "commit", "-q", "--cleanup=strip", "-F", str(message))
    assert (done.returncode != 0) == bool(said), done.stdout + done.stderr
    assert said in done.stdout + done.stderr
    assert (git(repo, "rev-parse", "HEAD") == before) == bool(said)


def test_a_fix_of_a_stable_branch_names_that_branch(repo: Path) -> None:
    """It is on a branch of the remote, though not on upstream; what nobody else has is named."""
    message = repo.parent / "message"
    message.write_text(f'subject\n\nFixes: {named(repo, "apart")} ("never sent")\n')
    words = ("check", "--message", str(message))
    git(repo, "update-ref", "refs/remotes/origin/stable-2", "master")
    assert backport(repo, *words).exit_code == 1
    git(repo, "update-ref", "refs/remotes/origin/stable-2", "apart")
    assert backport(repo, *words).exit_code == 0


def test_where_there_is_no_remote_the_branch_itself_counts(repo: Path) -> None:
    git(repo, "checkout", "-q", "apart")
    message = repo.parent / "message"
    message.write_text(f'subject\n\nFixes: {named(repo, "apart")} ("never sent")\n')
    assert backport(repo, "check", "--message", str(message)).exit_code == 0


def test_without_an_upstream_that_is_said(repo: Path) -> None:
    git(repo, "config", "--unset", "backport.upstream")
    message = repo.parent / "message"
    message.write_text(f'subject\n\nFixes: {named(repo, "apart")} ("never sent")\n')
    done = backport(repo, "check", "--message", str(message))
    assert done.exit_code == 0
    assert "not looked for on upstream" in done.output
    git(repo, "branch", "-q", "-u", "stable", "topic")
    assert "not on @{upstream}" in backport(repo, "check", "--message", str(message)).output


def test_a_push_is_checked_commit_by_commit(repo: Path, tmp_path: Path) -> None:
    git(repo, "commit", "-qm", "good")
    git(repo, "config", "backport.build", "! grep -q bad g")
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "remote")], check=True)
    git(repo, "remote", "add", "origin", str(tmp_path / "remote"))
    git(repo, "push", "-q", "origin", "stable")
    assert backport(repo, "hook", "install", "--pre-push").exit_code == 0
    good = run(repo, "push", "-q", "origin", "topic")
    assert good.returncode == 0, good.stderr
    assert "1 of 1 commit checked" in good.stdout + good.stderr
    for text in ("bad\n", "mended\n"):
        (repo / "g").write_text(text)
        git(repo, "commit", "-qam", text.strip())
    refused = run(repo, "push", "origin", "topic")
    assert refused.returncode != 0
    assert "1 of 2 commits checked: 1 failed" in refused.stdout + refused.stderr
    assert git(repo, "rev-parse", "origin/topic") == git(repo, "rev-parse", "topic~2")
    assert run(repo, "push", "-q", "origin", ":topic").returncode == 0


def test_a_push_without_a_build_command_says_that_nothing_was_proven(
    repo: Path, tmp_path: Path
) -> None:
    git(repo, "commit", "-qm", "good")
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "remote")], check=True)
    git(repo, "remote", "add", "origin", str(tmp_path / "remote"))
    git(repo, "push", "-q", "origin", "stable")
    assert backport(repo, "hook", "install", "--pre-push").exit_code == 0
    done = run(repo, "push", "-q", "origin", "topic")
    assert done.returncode == 0
    assert "1 commit: nothing was proven: no build command" in done.stdout + done.stderr


def test_the_first_push_to_a_remote(repo: Path, tmp_path: Path) -> None:
    """Nothing is known of the remote: another one, or upstream, shows what is new, or that it was not looked
    at is said."""
    git(repo, "commit", "-qm", "new")
    git(repo, "config", "--unset", "backport.upstream")
    assert backport(repo, "hook", "install", "--pre-push").exit_code == 0
    fork = str(tmp_path / "fork")
    subprocess.run(["git", "init", "-q", "--bare", fork], check=True)
    done = run(repo, "push", "-q", fork, "topic")
    assert done.returncode == 0
    assert "topic: nothing was checked" in done.stdout + done.stderr

    base, tip = (git(repo, "rev-parse", name).strip() for name in ("stable", "topic"))
    line = f"refs/heads/topic {tip} refs/heads/two {'0' * 40}"

    def new(upstream: str | None) -> list[str | None]:
        found = open_repo(repo, Environment.copied(environment()))
        return [one.commits for one in pushed_ranges(found, fork, upstream, (line,))]

    one = f"{base}..{tip}"
    assert (new(None), new("stable"), new("topic")) == ([None], [one], [None])
    git(repo, "update-ref", "refs/remotes/origin/stable", "stable")
    assert new(None) == [one]
    git(repo, "update-ref", "refs/remotes/origin/topic", "topic")
    assert new(None) == []


def test_a_hook_that_was_there_gets_what_is_pushed(repo: Path, tmp_path: Path) -> None:
    hook = repo / ".git/hooks/pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ncat > {tmp_path}/seen\n")
    hook.chmod(0o755)
    words = ("hook", "install", "--pre-push", "--commit-msg")
    refused = backport(repo, *words)
    assert refused.exit_code == 2
    assert not (repo / ".git/hooks/commit-msg").exists()
    assert backport(repo, *words, "-f").exit_code == 0
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "remote")], check=True)
    git(repo, "remote", "add", "origin", str(tmp_path / "remote"))
    assert run(repo, "push", "-q", "origin", "stable").returncode == 0
    assert "refs/heads/stable" in (tmp_path / "seen").read_text()
    assert backport(repo, "hook", "uninstall").exit_code == 0
    assert "seen" in hook.read_text()
    assert not (repo / ".git/hooks/commit-msg").exists()
