# SPDX-License-Identifier: GPL-2.0-or-later
"""``undo`` after a run onto several branches: all of them go back, or none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backport.errors import BranchMoved
from backport.gateway.repository import Repo
from backport.run import undoing
from backport.run.journal import Journal
from backport.run.last_moves import RefMove
from tests.backport.trees import backport, commit, git, lines, new_repo, refs

NAMES = ("stable-4.10", "stable-4.11", "stable-4.12")
MANY = ("apply", "--branches", "stable-4.*", "--validate", "none", "master")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """Three stable branches with a commit of their own, the middle one checked out; a fix on master."""
    made = new_repo(tmp_path / "repo", {"a.c": lines(), "b.c": lines()}, "master")
    for name in NAMES:
        git(made, "checkout", "-q", "-b", name, "master")
        commit(made, {"own": name}, "own")
    git(made, "checkout", "-q", "master")
    commit(made, {"b.c": lines((3, "drei")), "new": "n\n"}, "clean")
    git(made, "checkout", "-q", NAMES[1])
    return made


@pytest.mark.parametrize("words", [(), ("--atomic",), ("--to", "wip/{branch}")])
def test_all_go_back_with_the_files_of_worktrees(
    repo: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    other = tmp_path / "other"
    git(repo, "worktree", "add", "-q", str(other), NAMES[2])
    before = refs(repo)
    assert backport(repo, *MANY, *words).exit_code == 0
    assert refs(repo) != before
    done = backport(repo, "undo", "--json", "-")
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["undone"]) == len(NAMES)
    assert refs(repo) == before
    for folder in (repo, other):
        assert not (folder / "new").exists()
        assert git(folder, "status", "--porcelain") == ""
    again = backport(repo, "undo")
    assert again.exit_code == 2
    assert "nothing to undo" in again.output


def test_also_of_a_run_that_was_stopped_and_carried_on(repo: Path) -> None:
    git(repo, "checkout", "-q", NAMES[0])
    commit(repo, {"b.c": lines((3, "three"))}, "clashes")
    before = refs(repo)
    assert backport(repo, *MANY).exit_code == 3
    waits = backport(repo, "undo")
    assert waits.exit_code == 2
    assert "not over" in waits.output
    assert backport(repo, "skip").exit_code == 0
    assert refs(repo) != before
    assert backport(repo, "undo").exit_code == 0
    assert refs(repo) == before


@pytest.mark.parametrize("atomic", [True, False])
def test_one_by_its_name_and_the_rest_after_it(repo: Path, atomic: bool) -> None:
    before, old = refs(repo), _tips(repo)
    assert backport(repo, *MANY, *(["--atomic"] if atomic else [])).exit_code == 0
    moved = _tips(repo)
    done = backport(repo, "undo", "--branch", NAMES[1])
    assert done.exit_code == 0, done.output
    assert _tips(repo) == [moved[0], old[1], moved[2]]
    assert "no move of" in backport(repo, "undo", "--branch", NAMES[1]).output
    assert backport(repo, "undo").exit_code == 0
    assert refs(repo) == before


def _tips(repo: Path) -> list[str]:
    return git(repo, "rev-parse", *NAMES).splitlines()


def test_none_goes_back_where_one_has_moved_since(repo: Path) -> None:
    assert backport(repo, *MANY).exit_code == 0
    commit(repo, {"a.c": "mine\n"}, "mine")
    before = refs(repo)
    done = backport(repo, "undo")
    assert done.exit_code == 2
    assert f"{NAMES[1]} is at" in done.output
    assert refs(repo) == before
    assert backport(repo, "undo", "--branch", NAMES[0]).exit_code == 0, "the others alone can go"


@pytest.mark.parametrize("words", [(), ("--to", "wip/{branch}")])
def test_what_has_gone_back_is_put_forth_where_the_last_one_cannot(
    repo: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert backport(repo, *MANY, *words).exit_code == 0
    before = refs(repo)
    with monkeypatch.context() as patch:
        _fail_at(patch, 3, BranchMoved("somebody else was faster"))
        done = backport(repo, "undo")
    assert done.exit_code == 2
    assert "somebody else was faster" in done.output
    assert refs(repo) == before
    assert git(repo, "status", "--porcelain") == ""
    assert "no run in progress" in backport(repo, "status").output
    assert backport(repo, "undo").exit_code == 0


def test_what_cannot_be_put_forth_waits_for_abort(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert backport(repo, *MANY).exit_code == 0
    before = refs(repo)
    with monkeypatch.context() as patch:
        _fail_at(patch, 2, OSError(28, "No space left on device"), onwards=True)
        done = backport(repo, "undo")
    assert done.exit_code == 2, done.output
    assert "`backport undo`, or `backport abort`" in done.output
    assert refs(repo) != before
    for verb in ("continue", "apply", "skip"):
        words = MANY if verb == "apply" else (verb,)
        refused = backport(repo, *words)
        assert refused.exit_code == 2
        assert "`backport undo` finishes it, `backport abort` takes it back" in refused.output
    shown = backport(repo, "status", "--json", "-")
    assert json.loads(shown.stdout)["phase"] == "undo"
    from tests.backport.report.test_schemas import check

    check("status", json.loads(shown.stdout))
    assert backport(repo, "abort").exit_code == 0
    assert refs(repo) == before


def _fail_at(
    patch: pytest.MonkeyPatch, at: int, error: Exception, *, onwards: bool = False
) -> None:
    """Have the ``at``-th ref that goes back or forth fail, and with ``onwards`` each behind it."""
    real, calls = undoing._set, iter(range(1, 99))

    def failing(repo: Repo, journal: Journal, ref: RefMove, reason: str) -> None:
        number = next(calls)
        if number == at or (onwards and number > at):
            raise error
        real(repo, journal, ref, reason)

    patch.setattr(undoing, "_set", failing)


def test_a_branch_that_is_gone_already_is_not_said_to_be_removed(repo: Path) -> None:
    before = refs(repo)
    assert backport(repo, *MANY, "--to", "wip/{branch}").exit_code == 0
    git(repo, "branch", "-q", "-D", "wip/stable-4.11")
    done = backport(repo, "undo")
    assert done.exit_code == 0, done.output
    assert "wip/stable-4.11 was gone already" in done.output
    assert done.output.count("is removed again") == len(NAMES) - 1
    assert refs(repo) == before


def test_json_tells_what_was_back_already(repo: Path) -> None:
    old = git(repo, "rev-parse", NAMES[0])
    assert backport(repo, *MANY).exit_code == 0
    git(repo, "branch", "-f", NAMES[0], old)
    document = json.loads(backport(repo, "undo", "--json", "-").stdout)
    assert [one["ref"] for one in document["already"]] == [f"refs/heads/{NAMES[0]}"]
    assert len(document["undone"]) == len(NAMES) - 1
