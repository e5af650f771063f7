# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a commit says that it came from: by the branch's own convention, and so that it is found again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.backport.trees import backport, branch_with, commit, git, lines, mbox, new_repo

SOB = "Signed-off-by: Anna <anna@example.org>"
CHERRY = f"{SOB}\n(cherry picked from commit {'5' * 40})"
XEN = f"{SOB}\nmaster commit: {'5' * 40}\nmaster date: 2020-01-01 00:00:00 +0000"


def branch(tmp_path: Path, *trailers: str, by: str = "maintainer@example.org") -> Path:
    """``stable-1.0`` with a commit for each of ``trailers``; ``master`` has two fixes."""
    repo = new_repo(tmp_path / "repo", {"a.c": lines(), "b.c": lines()}, "stable-1.0")
    branch_with(
        repo,
        "master",
        "stable-1.0",
        (f"one\n\nwhy\n\n{SOB}", {"a.c": lines((5, "five"))}),
        ("two", {"b.c": lines((5, "five"))}),
    )
    for number, text in enumerate(trailers):
        add_pick(repo, number, text, by)
    return repo


def add_pick(repo: Path, number: int, trailers: str, by: str = "maintainer@example.org") -> None:
    (repo / f"n{number}").write_text("x\n")
    git(repo, "add", "-A")
    subprocess.run(
        ["git", "-C", str(repo), "commit", "-qm", f"n{number}\n\nwhy\n\n{trailers}"],
        env={**os.environ, "GIT_COMMITTER_EMAIL": by},
        check=True,
    )


def message(repo: Path, revision: str = "stable-1.0") -> str:
    return git(repo, "log", "-1", "--format=%B", revision)


def apply(repo: Path, *more: str, series: str = "master") -> str:
    done = backport(repo, "apply", "--branch", "stable-1.0", "--series", series, *more)
    assert done.exit_code == 0, done.output
    return done.output


def test_as_git_picks_with_x(tmp_path: Path) -> None:
    repo = branch(tmp_path, *[CHERRY] * 3)
    said = apply(repo, series="stable-1.0..master")
    assert "'cherry picked from'" in said
    ours = [message(repo, f"stable-1.0~{n}") for n in (1, 0)]
    git(repo, "checkout", "-q", "-b", "git", "stable-1.0~2")
    git(repo, "cherry-pick", "-x", "master~1", "master")
    assert [message(repo, f"git~{n}") for n in (1, 0)] == ours


@pytest.mark.parametrize(
    "text",
    [
        "one line",
        f"subject\n\nbody\n\n{SOB}",
        f"subject\n\n(cherry picked from commit {'6' * 40})\n\nAnd more of the body, no trailer.",
        f"subject\n\nbody\n\n{SOB}\n(cherry picked from commit {'6' * 40})",
        "subject\n\nNote: this looks like a trailer\nand this does not at all\nnor does this\nor this",
        f"subject: with a colon\n\n{SOB}",
    ],
)
def test_messages_of_every_shape_as_git(tmp_path: Path, text: str) -> None:
    repo = branch(tmp_path)
    git(repo, "checkout", "-q", "master")
    commit(repo, {"c.c": "c\n"}, text)
    git(repo, "checkout", "-q", "stable-1.0")
    apply(repo, "--record", "cherry")
    git(repo, "checkout", "-q", "-b", "git", "stable-1.0~1")
    git(repo, "cherry-pick", "-x", "master")
    assert message(repo, "git") == message(repo)


def test_xens_lines_with_the_committers_date(tmp_path: Path) -> None:
    repo = branch(tmp_path, *[XEN] * 3)
    (repo / "x").write_text("x\n")
    git(repo, "checkout", "-q", "master")
    git(repo, "add", "-A")
    dates = {
        "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z",
        "GIT_COMMITTER_DATE": "2021-02-02T03:04:05+0200",
    }
    subprocess.run(
        ["git", "-C", str(repo), "commit", "-qm", f"x\n\nwhy\n\n{SOB}"],
        env={**os.environ, **dates},
        check=True,
    )
    git(repo, "checkout", "-q", "stable-1.0")
    assert "'master commit:'" in apply(repo)
    commit_id = git(repo, "rev-parse", "master")
    assert message(repo) == (
        f"x\n\nwhy\n\n{SOB}\nmaster commit: {commit_id}\nmaster date: 2021-02-02 03:04:05 +0200\n"
    ).rstrip("\n")
    apply(repo, series="master~1")
    assert message(repo).startswith("two\n\nmaster commit: "), "no trailers: a paragraph of its own"


def test_a_commit_that_is_not_on_master_is_not_called_so(tmp_path: Path) -> None:
    repo = branch(tmp_path, *[XEN] * 3)
    branch_with(repo, "topic", "master", ("mine", {"t.c": "t\n"}))
    said = apply(repo, series="topic")
    assert "'cherry picked from'" in said
    assert f"(cherry picked from commit {git(repo, 'rev-parse', 'topic')})" in message(repo)
    assert "master commit" not in message(repo)


def test_from_another_stable_branch_the_master_commit_stays(tmp_path: Path) -> None:
    repo = branch(tmp_path, *[XEN] * 3)
    branch_with(repo, "stable-1.1", "master", (f"fix\n\nwhy\n\n{XEN}", {"t.c": "t\n"}))
    git(repo, "branch", "-f", "master", "stable-1.1")
    apply(repo, series="stable-1.1")
    assert message(repo) == f"fix\n\nwhy\n\n{XEN}"


def test_the_committers_own_way_comes_first(tmp_path: Path) -> None:
    repo = branch(tmp_path, *[XEN] * 9, by="jan@example.org")
    for number in range(20, 23):
        add_pick(repo, number, CHERRY)
    assert "'cherry picked from'" in apply(repo)


@pytest.mark.parametrize("picks", [0, 2])
def test_no_convention_no_line(tmp_path: Path, picks: int) -> None:
    repo = branch(tmp_path, *[CHERRY] * picks)
    assert "origin:" not in apply(repo)
    assert message(repo) == "two"


def test_record_none_leaves_it_out(tmp_path: Path) -> None:
    repo = branch(tmp_path, *[CHERRY] * 3)
    assert "origin:" not in apply(repo, "--record", "none")
    assert message(repo) == "two"


def test_mails_are_kept_byte_for_byte(tmp_path: Path) -> None:
    """Also those that name a commit which is there, as git format-patch writes them."""
    repo = branch(tmp_path, *[CHERRY] * 3)
    box = tmp_path / "s.mbox"
    box.write_bytes(mbox(repo, "master~1..master"))
    assert "origin:" not in apply(repo, series=str(box))
    assert message(repo) == "two"


@pytest.mark.parametrize("trailers", [CHERRY, XEN])
def test_our_own_picks_are_found_again(tmp_path: Path, trailers: str) -> None:
    """By this branch, though the pick was adapted, and by the next older one."""
    repo = branch(tmp_path, *[trailers] * 3)
    git(repo, "branch", "stable-0.9", "stable-1.0~3")
    commit(repo, {"b.c": lines((4, "vier"))}, "in the way")
    done = backport(repo, "apply", "--branch", "stable-1.0", "--series", "master")
    if done.exit_code == 3:
        folder = repo / ".git/backport/conflict"
        (folder / "b.c").write_text(lines((4, "vier"), (5, "adapted")))
        git(folder, "add", "b.c")
        assert backport(repo, "continue").exit_code == 0
    again = apply(repo)
    assert "nothing to do" in again
    git(repo, "checkout", "-q", "--detach")
    older = backport(repo, "plan", "--branch", "stable-0.9", "--series", "master")
    assert "stable-1.0 has it" in older.output, older.output


def test_a_run_that_is_continued_writes_the_same(tmp_path: Path) -> None:
    repo = branch(tmp_path, *[CHERRY] * 3)
    commit(repo, {"b.c": lines((5, "ours"))}, "in the way")
    assert backport(repo, "apply", "--branch", "stable-1.0", "--series", "master").exit_code == 3
    folder = repo / ".git/backport/conflict"
    git(folder, "checkout", "-q", "--theirs", "b.c")
    git(folder, "add", "b.c")
    assert backport(repo, "continue").exit_code == 0
    assert f"(cherry picked from commit {git(repo, 'rev-parse', 'master')})" in message(repo)


def test_mails_beside_commits_are_kept_too(tmp_path: Path) -> None:
    repo = branch(tmp_path, *[CHERRY] * 3)
    box = tmp_path / "s.mbox"
    box.write_bytes(mbox(repo, "master~2..master~1"))
    apply(repo, "--series", str(box))
    by_subject = {git(repo, "log", "-1", "--format=%s", f"stable-1.0~{n}"): n for n in (0, 1)}
    assert message(repo, f"stable-1.0~{by_subject['one']}") == f"one\n\nwhy\n\n{SOB}"
    assert "cherry picked from" in message(repo, f"stable-1.0~{by_subject['two']}")


def test_a_pick_from_another_stable_branch_is_found_again(tmp_path: Path) -> None:
    """Adapted by hand, under the name of the master's commit alone."""
    repo = branch(tmp_path, *[XEN] * 3)
    fix = f"fix\n\nwhy\n\n{SOB}\nmaster commit: {git(repo, 'rev-parse', 'master')}"
    branch_with(repo, "stable-1.1", "stable-1.0~3", (fix, {"b.c": lines((5, "five"))}))
    git(repo, "branch", "-f", "master", "stable-1.1")
    commit(repo, {"b.c": lines((4, "vier"))}, "in the way")
    assert (
        backport(repo, "apply", "--branch", "stable-1.0", "--series", "stable-1.1").exit_code == 3
    )
    folder = repo / ".git/backport/conflict"
    (folder / "b.c").write_text(lines((4, "vier"), (5, "adapted")))
    git(folder, "add", "b.c")
    assert backport(repo, "continue").exit_code == 0
    assert "cherry picked" not in message(repo)
    (repo / "b.c").write_text(lines((4, "vier"), (5, "adapted again")))
    git(repo, "commit", "-qam", "later")
    assert "nothing to do" in apply(repo, series="stable-1.1")
