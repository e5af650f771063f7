# SPDX-License-Identifier: GPL-2.0-or-later
"""Answers that the index keeps: asked for again they cost no look at a tree, and are those of that tree."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from backport.history.index import kept_answers
from backport.survey import answers
from backport.survey.carriage import Carriage
from backport.survey.holding import Holdings
from backport.survey.outlooks import Judge
from tests.backport.survey.stable_repo import answer, make, on, take
from tests.backport.trees import commit, git, lines

LOOKS: tuple[tuple[type, str], ...] = (
    (Holdings, "_read"),
    (Carriage, "_read_share"),
    (Judge, "view_of"),
)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """stable-4.10 has one commit whole and one adapted, lacks their fixes, and one that stable-4.11 has."""
    made = make(tmp_path / "repo")
    whole = commit(made, {"a.c": lines((3, "whole"))}, "whole")
    take(made, "stable-4.10", whole)
    take(made, "stable-4.11", whole)
    part = commit(made, {"a.c": lines((3, "whole"), (9, "part")), "b.c": lines((9, "p"))}, "part")
    message = f"part\n\n(cherry picked from commit {part})"
    on(made, "stable-4.10", {"a.c": lines((3, "whole"), (9, "part"))}, message)
    more = commit(made, {"b.c": lines((9, "p"), (20, "more"))}, "more")
    take(made, "stable-4.11", more, "-X", "theirs")
    done = {"a.c": lines((3, "whole, mended"), (9, "part"))}
    commit(made, done, f"mend\n\nFixes: {whole}")
    clashing = {"a.c": lines((3, "whole, mended"), (9, "part"), (4, "beside"))}
    commit(made, clashing, f"clash\n\nFixes: {whole}")
    return made


def counted_looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    for owner, name in LOOKS:
        monkeypatch.setattr(owner, name, _noting(getattr(owner, name), name, seen))
    return seen


def _noting(own: Callable[..., Any], name: str, seen: list[str]) -> Callable[..., Any]:
    def noted(*given: Any, **more: Any) -> Any:
        seen.append(name)
        return own(*given, **more)

    return noted


def database(repo: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(repo / ".git/backport/index.sqlite", isolation_level=None))


def test_what_was_answered_is_not_looked_at_again(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = counted_looks(monkeypatch)
    truth = answer(repo, "owed")
    assert {*seen} == {name for _, name in LOOKS}
    answer(repo, "owed")
    assert seen[: len(seen) // 2] == seen[len(seen) // 2 :]  # without an index nothing is kept
    answer(repo, "index")
    assert answer(repo, "owed") == truth
    seen.clear()
    assert answer(repo, "owed") == truth
    assert seen == []


def test_what_changes_elsewhere_leaves_what_the_branch_has_of_each(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(repo, "index")
    answer(repo, "owed")
    on(repo, "stable-4.10", {"c.c": "new\n"}, "a file of its own")
    seen = counted_looks(monkeypatch)
    answer(repo, "owed")
    assert "_read" not in seen
    assert "view_of" in seen


def test_an_answer_is_that_of_the_tree_as_it_is(repo: Path) -> None:
    answer(repo, "index")
    answer(repo, "owed")
    on(repo, "stable-4.10", {"a.c": lines((9, "part"))}, "something else")
    kept = answer(repo, "owed")
    answer(repo, "index", "--drop")
    assert answer(repo, "owed") == kept
    assert "whole" in {row["subject"] for row in kept["owed"]}


def test_a_newer_branch_that_has_adapted_it_since_is_asked(repo: Path) -> None:
    answer(repo, "index")
    before = answer(repo, "owed")
    message = f"clash\n\n(cherry picked from commit {git(repo, 'rev-parse', 'master')})"
    on(repo, "stable-4.11", {"a.c": lines((3, "whole"), (4, "beside"))}, message)
    kept = answer(repo, "owed")
    (old,) = (row for row in before["owed"] if row["subject"] == "clash")
    (new,) = (row for row in kept["owed"] if row["subject"] == "clash")
    assert old != new and "stable-4.11" in str(new)
    answer(repo, "index", "--drop")
    assert answer(repo, "owed") == kept


def test_other_code_gives_its_own_answers(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(repo, "index")
    answer(repo, "owed")
    monkeypatch.setattr(answers, "tool_version", lambda package: f"another {package}")
    seen = counted_looks(monkeypatch)
    answer(repo, "owed")
    assert {*seen} == {name for _, name in LOOKS}


def test_a_damaged_answer_is_none(repo: Path) -> None:
    answer(repo, "index")
    truth = answer(repo, "owed")
    with database(repo) as connection:
        changed = connection.execute("update answer set text = replace(text, 'goes on', 'there')")
        assert changed.rowcount > 0
        connection.execute("update answer set text = replace(text, 'all of it', 'nothing of it')")
    assert answer(repo, "owed") == truth


def test_while_another_process_writes_nothing_is_kept(repo: Path) -> None:
    answer(repo, "index")
    truth = answer(repo, "owed", "--quick")
    with database(repo) as connection:
        connection.execute("begin immediate")
        assert answer(repo, "owed", "--quick") == truth
        answer(repo, "owed")
        connection.execute("rollback")
        assert connection.execute("select count(*) from answer").fetchone() == (0,)


def test_the_oldest_go(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(repo, "index")
    answer(repo, "owed")
    monkeypatch.setattr(kept_answers, "MOST_ANSWERS", 3)
    on(repo, "stable-4.10", {"c.c": "new\n"}, "a file of its own")
    now = answer(repo, "owed")
    with database(repo) as connection:
        assert connection.execute("select count(*) from answer").fetchone() == (3,)
    assert now == answer(repo, "owed")
