# SPDX-License-Identifier: GPL-2.0-or-later
"""``undo``: the last move taken back, unless something was built on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backport.gateway.branch import BranchMove
from tests.backport.trees import backport, branch_with, commit, git, lines, new_repo, refs


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is applied is committed later than it was made: other commits come of it."""
    made = new_repo(tmp_path / "repo", {"a.c": lines(), "b.c": lines()})
    branch_with(made, "topic", "stable", ("one", {"a.c": lines((5, "five")), "new": "n\n"}))
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1516000100 +0000")
    return made


APPLY = ("apply", "--branch", "stable", "--series", "stable..topic")


def test_a_branch_that_is_checked_out_goes_back_with_its_files(repo: Path) -> None:
    before = refs(repo)
    assert backport(repo, *APPLY).exit_code == 0
    assert (repo / "new").exists()
    done = backport(repo, "undo", "--json", "-")
    assert done.exit_code == 0, done.output
    assert refs(repo) == before
    assert not (repo / "new").exists()
    assert "backport: undo" in git(repo, "reflog", "-1", "stable")
    from tests.backport.report.test_schemas import check

    check("undo", json.loads(done.stdout))
    again = backport(repo, "undo")
    assert again.exit_code == 2
    assert "nothing to undo" in again.output


def test_a_branch_that_was_made_goes(repo: Path) -> None:
    before = refs(repo)
    assert backport(repo, *APPLY, "--to", "new").exit_code == 0
    assert backport(repo, "undo", "--branch", "new").exit_code == 0
    assert refs(repo) == before


def test_moves_go_back_one_by_one(repo: Path) -> None:
    before = refs(repo)
    assert backport(repo, *APPLY).exit_code == 0
    branch_with(repo, "more", "stable~1", ("two", {"b.c": lines((5, "five"))}))
    words = ("apply", "--branch", "stable", "--series", "stable~1..more")
    assert backport(repo, *words).exit_code == 0
    git(repo, "branch", "-q", "-D", "more")
    assert backport(repo, "undo").exit_code == 0
    assert backport(repo, "undo").exit_code == 0
    assert refs(repo) == before


@pytest.mark.parametrize("what", ["commit", "branch", "tag", "dirty"])
def test_what_was_built_on_it_stays(repo: Path, what: str) -> None:
    assert backport(repo, *APPLY).exit_code == 0
    if what == "commit":
        commit(repo, {"a.c": "mine\n"}, "mine")
    elif what == "dirty":
        (repo / "a.c").write_text("mine\n")
    else:
        git(repo, what, "on-it")
    before = refs(repo)
    done = backport(repo, "undo")
    assert done.exit_code == 2
    assert refs(repo) == before
    wanted = {"commit": "where backport left it", "dirty": "with changes"}
    assert wanted.get(what, "on-it holds what stable moved to") in done.output


def test_an_undo_that_is_cut_is_finished_or_dropped(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = refs(repo)
    assert backport(repo, *APPLY).exit_code == 0
    applied = refs(repo)
    for verb, wanted in (("abort", applied), ("undo", before)):
        with monkeypatch.context() as patch:
            patch.setattr(BranchMove, "write_logs", _killed)
            patch.setattr("backport.run.move._take_back", lambda *_: None)
            with pytest.raises(KeyboardInterrupt):
                _undo(repo)
        waits = backport(repo, "continue")
        assert waits.exit_code == 2
        assert "`backport undo` finishes it" in waits.output
        done = backport(repo, verb)
        assert done.exit_code == 0, done.output
        assert refs(repo) == wanted


def _killed(_: BranchMove) -> None:
    raise KeyboardInterrupt


def _undo(repo: Path) -> None:
    from backport.run.undoing import undo
    from tests.backport.trees import open_repo

    undo(open_repo(repo))


def test_a_damaged_list_of_moves_is_named_and_stops_no_run(repo: Path) -> None:
    (repo / ".git/backport").mkdir()
    (repo / ".git/backport/moves.json").write_text("[")
    assert "is damaged" in backport(repo, "undo").output
    assert backport(repo, *APPLY).exit_code == 0
    assert backport(repo, "undo").exit_code == 0


def test_a_run_in_the_way(repo: Path) -> None:
    assert backport(repo, *APPLY).exit_code == 0
    branch_with(repo, "clash", "stable~1", ("two", {"a.c": lines((5, "other"))}))
    words = ("apply", "--branch", "stable", "--series", "stable~1..clash")
    assert backport(repo, *words).exit_code == 3
    done = backport(repo, "undo")
    assert done.exit_code == 2
    assert "stopped on a conflict" in done.output
