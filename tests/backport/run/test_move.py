# SPDX-License-Identifier: GPL-2.0-or-later
"""The last act of a run, where others have been at work: nothing of theirs is lost, nor what was made."""

from __future__ import annotations

import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from backport.errors import ExitCode
from backport.gateway.branch import BranchMove
from tests.backport.trees import backport, branch_with, commit, git, lines, new_repo


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """``stable`` with two files, ``topic`` two commits ahead of it."""
    repo = new_repo(tmp_path / "repo", {"a.c": lines(), "b.c": lines(), "c/d.c": lines()})
    branch_with(
        repo,
        "topic",
        "stable",
        ("one", {"a.c": lines((5, "five"))}),
        ("two", {"b.c": lines((5, "five")), "new.c": "int n;\n", "c/d.c": None}),
    )
    return repo


APPLY = ("apply", "--branch", "stable", "--series", "stable..topic")


def moved(repo: Path, branch: str = "stable") -> bool:
    same = git(repo, "rev-parse", f"{branch}^{{tree}}") == git(repo, "rev-parse", "topic^{tree}")
    return same and git(repo, "status", "--porcelain") == ""


def test_a_copied_tree_whose_files_have_other_times(repo: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(repo, copy)
    for path in copy.rglob("*.c"):
        path.touch()
    done = backport(copy, *APPLY)
    assert done.exit_code == 0, done.output
    assert moved(copy)


def test_a_rebase_that_began_while_a_run_waits_is_seen(repo: Path) -> None:
    commit(repo, {"README": "x\n"}, "last")
    journal = repo / ".git/backport/run/state.json"
    seen = {}

    def rebase(*_: object) -> None:
        seen["waits"] = journal.exists()
        git(repo, "-c", "sequence.editor=sed -i 1s/pick/edit/", "rebase", "-q", "-i", "stable~1")

    before = git(repo, "rev-parse", "stable")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backport.run.phases.refuse_failed", rebase)
        done = backport(repo, *APPLY, "--validate", "build", "--build", "cat * >all")
    assert (done.exit_code, seen) == (2, {"waits": True}), done.output
    assert "stable is being rebased" in done.output
    assert git(repo, "rev-parse", "stable") == before


@pytest.mark.parametrize("linked", [False, True])
def test_a_branch_that_is_being_rebased_is_left_alone(
    repo: Path, tmp_path: Path, *, linked: bool
) -> None:
    """The rebase's end would fail, and its abort take the branch back over what was made."""
    commit(repo, {"README": "x\n"}, "last")
    before = git(repo, "rev-parse", "stable")
    where = repo
    if linked:
        where = tmp_path / "linked"
        git(repo, "checkout", "-q", "topic")
        git(repo, "worktree", "add", "-q", str(where), "stable")
    git(where, "-c", "sequence.editor=sed -i 1s/pick/edit/", "rebase", "-q", "-i", "stable~1")
    done = backport(repo, *APPLY)
    assert done.exit_code == 2, done.output
    assert "stable is being rebased" in done.output
    assert git(repo, "rev-parse", "stable") == before
    git(where, "rebase", "--abort")
    assert backport(repo, *APPLY).exit_code == 0


def test_a_symbolic_ref_stays_one(repo: Path) -> None:
    git(repo, "branch", "-m", "real")
    git(repo, "symbolic-ref", "refs/heads/stable", "refs/heads/real")
    done = backport(repo, *APPLY)
    assert done.exit_code == 0, done.output
    assert "stable is a symbolic ref: real moves" in done.output
    assert git(repo, "symbolic-ref", "refs/heads/stable") == "refs/heads/real"
    assert moved(repo, "real")


@pytest.mark.parametrize("what", ["moved", "deleted"])
def test_a_branch_that_is_elsewhere_when_all_is_proven(repo: Path, what: str) -> None:
    git(repo, "checkout", "-q", "topic")
    how = "-f stable topic~1" if what == "moved" else "-D stable"
    build = f"git -C {repo} branch -q {how} || :"
    git(repo, "config", "backport.sandbox", "off")
    done = backport(repo, *APPLY, "--build", build, "--validate", "build")
    assert done.exit_code == 2, done.output
    assert f"stable has {'moved' if what == 'moved' else 'been deleted'} since" in done.output
    kept = git(repo, "for-each-ref", "--format=%(refname)", "refs/backport/kept")
    assert kept in done.output.replace("\n    ", " ")
    assert git(repo, "rev-parse", f"{kept}^{{tree}}") == git(repo, "rev-parse", "topic^{tree}")
    git(repo, "gc", "-q", "--prune=now")
    git(repo, "cat-file", "-e", kept)


def test_a_branch_that_moved_while_the_run_waited(repo: Path) -> None:
    git(repo, "checkout", "-q", "-b", "side", "stable")
    clash = commit(repo, {"a.c": lines((5, "other"))}, "clash")
    git(repo, "checkout", "-q", "stable")
    git(repo, "reset", "-q", "--hard", "side")
    stopped = backport(repo, "apply", "--branch", "stable", "--series", "side~1..topic")
    assert stopped.exit_code == 3, stopped.output
    git(repo, "commit", "-q", "--allow-empty", "-m", "mine")
    mine = git(repo, "rev-parse", "stable")
    done = backport(repo, "continue")
    assert done.exit_code == 2, done.output
    assert f"stable has moved since this run began at {clash[:12]}" in done.output
    assert git(repo, "rev-parse", "stable") == mine
    git(repo, "update-ref", "refs/heads/stable", clash)
    assert backport(repo, "abort").exit_code == 0


@pytest.mark.parametrize("ignored", [False, True])
def test_a_file_in_the_way_is_named_before_anything_is_built(repo: Path, ignored: bool) -> None:
    (repo / "new.c").write_text("mine\n")
    if ignored:
        (repo / ".git/info/exclude").write_text("new.c\n")
    built = repo.parent / "built"
    git(repo, "config", "backport.sandbox", "off")
    words = (*APPLY, "--validate", "build", "--build", f"touch {built}")
    done = backport(repo, *words)
    assert done.exit_code == 2, done.output
    assert "is in the way" in done.output and "new.c" in done.output
    assert not built.exists()
    assert (repo / "new.c").read_text() == "mine\n"
    (repo / "new.c").unlink()
    assert backport(repo, "continue").exit_code == 0
    assert moved(repo)


@pytest.mark.parametrize("name", ["mine.o", "mine", "deep/er/mine.o"])
def test_what_nobody_committed_in_a_folder_that_goes_is_in_the_way(
    tmp_path: Path, name: str
) -> None:
    """A file takes the folder's place, and git drops with a folder what it ignores there."""
    repo = new_repo(tmp_path / "repo", {"d/x": "x\n", ".gitignore": "*.o\n"})
    branch_with(repo, "topic", "stable", ("d is a file", {"d/x": None, "d": "file\n"}))
    mine = repo / "d" / name
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine\n")
    done = backport(repo, "apply", "--branch", "stable", "--series", "stable..topic")
    assert done.exit_code == 2, done.output
    assert "is in the way" in done.output and f"d/{name}" in done.output
    assert mine.read_text() == "mine\n"
    mine.unlink()
    assert backport(repo, "continue").exit_code == 0
    assert (repo / "d").read_text() == "file\n"


def test_the_index_of_another_git_is_left_alone(repo: Path) -> None:
    lock = repo / ".git/index.lock"
    lock.touch()
    before = git(repo, "rev-parse", "stable")
    done = backport(repo, *APPLY)
    assert done.exit_code == 2, done.output
    assert "is locked by another git" in done.output and lock.exists()
    assert git(repo, "rev-parse", "stable") == before
    assert not (repo / ".git/refs/heads/stable.lock").exists()
    lock.unlink()
    assert git(repo, "status", "--porcelain") == ""
    assert backport(repo, "continue").exit_code == 0
    assert moved(repo)


def test_what_the_user_did_to_a_cut_run_stays(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are moved, the ref is not; then the user edits one of them."""

    def cut(_: BranchMove) -> None:
        raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr(BranchMove, "commit", cut)
        patch.setattr("backport.run.move._take_back", lambda *_: None)
        backport(repo, *APPLY)
    assert (repo / "new.c").exists()
    (repo / "a.c").write_text("mine\n")
    refused = backport(repo, "abort")
    assert refused.exit_code == 2, refused.output
    assert "a.c" in refused.output
    assert (repo / "a.c").read_text() == "mine\n"
    git(repo, "show", "topic:a.c")
    (repo / "a.c").write_text(lines((5, "five")))
    assert backport(repo, "abort").exit_code == 0
    assert git(repo, "status", "--porcelain") == ""
    assert not (repo / "new.c").exists()


def test_gc_in_a_loop_beside_runs(repo: Path) -> None:
    over = threading.Event()

    def collect() -> None:
        while not over.is_set():
            words = ("git", "-C", str(repo), "gc", "-q", "--prune=now")
            subprocess.run(words, capture_output=True, check=False)

    loop = threading.Thread(target=collect)
    loop.start()
    try:
        for number in range(6):
            done = backport(repo, *APPLY, "--to", f"made{number}")
            assert done.exit_code == 0, done.output
    finally:
        over.set()
        loop.join()
    git(repo, "fsck", "--strict")
    assert git(repo, "rev-parse", "made5^{tree}") == git(repo, "rev-parse", "topic^{tree}")
    assert list((repo / ".git/objects/pack").glob("*.keep")) == []


def test_a_second_run_in_another_worktree_is_refused_with_the_branch_named(repo: Path) -> None:
    from backport.run.journal import Journal

    git(repo, "worktree", "add", "-q", str(repo.parent / "other"), "topic")
    with Journal(repo / ".git/backport").locked():
        done = backport(repo.parent / "other", "apply", "-b", "topic", "-s", "topic~1..topic")
    assert done.exit_code == 2
    assert "another backport is running in this repository" in done.output


def test_a_report_that_cannot_be_written_says_that_the_branch_has_moved(repo: Path) -> None:
    done = backport(repo, *APPLY, "--json", "/dev/full")
    assert done.exit_code == ExitCode.UNREPORTED, done.output
    now = git(repo, "rev-parse", "stable")
    assert "/dev/full: No space left on device" in done.output
    assert f"stable has moved to {now[:12]}" in done.output
    assert moved(repo)
