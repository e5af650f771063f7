# SPDX-License-Identifier: GPL-2.0-or-later
"""The index of history: what it answers is what history says, or it does not answer."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from backport.gateway.repository import Repo
from backport.history import siblings
from backport.history.index import kept_sides, kept_spans, update
from backport.history.index.ledger import Ledger, index_path
from backport.history.other_branch import Sibling
from backport.history.sides import read_sides
from backport.history.spans import read_span
from series.model import Oid
from tests.backport.survey.stable_repo import answer, make, on, take
from tests.backport.trees import backport, commit, git, lines, open_repo

ROOT = Path(__file__).parents[4]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A fix that stable-4.11 has adapted; the patch itself clashes on stable-4.10."""
    made = make(tmp_path / "repo")
    commit(made, {"a.c": lines((10, "moved on"))}, "move")
    fix = commit(made, {"a.c": lines((10, "moved on"), (11, "fix"))}, "fix")
    text = f"fix\n\n(cherry picked from commit {fix})"
    on(made, "stable-4.11", {"a.c": lines((11, "adapted"))}, text)
    return made


def tip(repo: Path, name: str) -> Oid:
    return Oid(git(repo, "rev-parse", name))


def pick(repo: Path) -> str:
    """How the fix goes onto stable-4.10; the branch stays."""
    git(repo, "branch", "-f", "try", "stable-4.10")
    words = ("plan", "--branch", "stable-4.10", "--series", "master", "--json", "-")
    found = json.loads(backport(repo, *words).stdout)["patches"][0]
    return str(found["how"] or found["state"])


def spans(repo: Path) -> dict[str, bool]:
    """By pair of branches: whether the index has what history says."""
    opened, names = open_repo(repo), ("stable-4.10", "stable-4.11", "master")
    found = {}
    for one in names:
        for other in names:
            span = Ledger(opened).span(tip(repo, one), tip(repo, other))
            if span is not None:
                found[f"{one} {other}"] = span == read_span(
                    opened, tip(repo, one), tip(repo, other)
                )
    return found


ALL = {
    "stable-4.10 stable-4.11": True,
    "stable-4.11 stable-4.10": True,
    "stable-4.10 master": True,
    "stable-4.11 master": True,
}


def test_it_says_what_history_says(repo: Path) -> None:
    before = pick(repo)
    assert before == "as stable-4.11 has it"
    assert spans(repo) == {}
    assert answer(repo, "index")["made"] == 4
    assert spans(repo) == ALL
    assert pick(repo) == before


def test_a_pick_asks_it(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(repo, "index")

    def refuse(*_: object) -> None:
        raise AssertionError("history was read")

    monkeypatch.setattr(siblings, "read_span", refuse)
    assert pick(repo) == "as stable-4.11 has it"
    on(repo, "stable-4.10", {"b.c": lines((3, "x"))}, "the branch moves on")
    with pytest.raises(AssertionError, match="history was read"):
        siblings.Versions(open_repo(repo), Ledger(open_repo(repo))).find(
            Sibling("stable-4.11", tip(repo, "stable-4.11")),
            tip(repo, "stable-4.10"),
            "5" * 12,
        )


def test_an_update_reads_what_is_new_and_drops_what_is_old(repo: Path) -> None:
    answer(repo, "index")
    assert answer(repo, "index") | {"seconds": 0, "bytes": 0} == {
        "format": 1,
        "kept": 4,
        "made": 0,
        "dropped": 0,
        "commits": 3,
        "commits_read": 0,
        "rebuilt": "",
        "seconds": 0,
        "bytes": 0,
    }
    on(repo, "stable-4.10", {"b.c": lines((3, "x"))}, "moves on")
    assert spans(repo) == {key: True for key in ALL if "stable-4.10" not in key}
    updated = answer(repo, "index")
    assert (updated["kept"], updated["made"], updated["dropped"]) == (1, 3, 3)
    assert spans(repo) == ALL


def test_upstream_that_moves_on_costs_no_history(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(repo, "index")
    commit(repo, {"c.c": "1\n"}, "upstream moves on")

    def refuse(*_: object) -> None:
        raise AssertionError("history was read")

    monkeypatch.setattr(kept_spans, "read_entries", refuse)
    monkeypatch.setattr(Repo, "merge_base", refuse)
    assert answer(repo, "index")["made"] == 2
    monkeypatch.undo()
    assert spans(repo) == ALL
    git(repo, "merge", "-q", "--no-edit", "-s", "ours", "stable-4.10")
    answer(repo, "index")
    assert spans(repo) == ALL


def test_a_branch_that_moves_on_costs_what_has_come_to_it(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(repo, "index")
    on(repo, "stable-4.10", {"b.c": lines((3, "x"))}, "the branch moves on")

    def refuse(*_: object) -> None:
        raise AssertionError("history was read")

    monkeypatch.setattr(kept_spans, "read_entries", refuse)
    monkeypatch.setattr(kept_sides, "read_sides", refuse)
    monkeypatch.setattr(Repo, "merge_base", refuse)
    assert answer(repo, "index")["made"] == 3
    monkeypatch.undo()
    assert spans(repo) == ALL


@pytest.mark.parametrize(
    ("ahead", "behind"),
    [("stable-4.11", "stable-4.10"), ("stable-4.11", "master"), ("master", "stable-4.10")],
)
def test_a_branch_that_moves_on_to_what_another_has(repo: Path, ahead: str, behind: str) -> None:
    """In a line, and still the two have another merge base than before."""
    git(repo, "checkout", "-q", ahead)
    git(repo, "reset", "-q", "--hard", behind)
    for text in ("1\n", "2\n"):
        commit(repo, {"d.c": text}, "first here")
    git(repo, "checkout", "-q", "master")
    answer(repo, "index")
    git(repo, "checkout", "-q", behind)
    git(repo, "merge", "-q", "--ff-only", f"{ahead}~1")
    commit(repo, {"e.c": "1\n"}, "and then more")
    git(repo, "checkout", "-q", "master")
    answer(repo, "index")
    assert spans(repo).items() >= ALL.items()
    opened, top = open_repo(repo), tip(repo, "master")
    for name in ("stable-4.10", "stable-4.11"):
        found = Ledger(opened).sides(tip(repo, name), top)
        assert found == read_sides(opened, tip(repo, name), top)


def test_a_branch_that_is_rewritten_is_read_anew(repo: Path) -> None:
    answer(repo, "index")
    git(repo, "checkout", "-q", "stable-4.11")
    git(repo, "reset", "-q", "--hard", "HEAD~1")
    git(repo, "checkout", "-q", "master")
    assert pick(repo) == "prerequisite"
    answer(repo, "index")
    assert spans(repo).items() >= ALL.items()
    assert pick(repo) == "prerequisite"


def test_a_version_that_was_taken_back_does_not_count(repo: Path) -> None:
    git(repo, "checkout", "-q", "stable-4.11")
    git(repo, "revert", "--no-edit", "HEAD")
    git(repo, "checkout", "-q", "master")
    assert pick(repo) == "prerequisite"
    answer(repo, "index")
    assert pick(repo) == "prerequisite"
    git(repo, "checkout", "-q", "stable-4.11")
    git(repo, "revert", "--no-edit", "HEAD")
    git(repo, "checkout", "-q", "master")
    answer(repo, "index")
    assert pick(repo) == "as stable-4.11 has it"


def damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "no database":
        path.write_bytes(b"x" * 5000)
    elif how == "another version":
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("pragma user_version = 99")
    elif how == "a blob":
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(
                "update span set plain = substr(plain, 1, length(plain) - 3) || 'xyz'"
            )
    else:
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("drop table span")


@pytest.mark.parametrize(
    "how", ["cut", "empty", "no database", "another version", "a blob", "a table"]
)
def test_a_damaged_one_is_no_answer_and_is_built_anew(repo: Path, how: str) -> None:
    answer(repo, "index")
    damage(index_path(open_repo(repo)), how)
    assert pick(repo) == "as stable-4.11 has it"
    assert not any(value is False for value in spans(repo).values())
    if how != "a blob":
        assert spans(repo) == {}
    done = answer(repo, "index")
    if how != "empty":
        assert done["rebuilt"]
    assert spans(repo) == ALL


def test_every_byte_that_is_lost_is_noticed(repo: Path) -> None:
    """Whatever byte of the file changes: an answer is right, or there is none."""
    answer(repo, "index")
    path = index_path(open_repo(repo))
    data = path.read_bytes()
    for at in range(0, len(data), 613):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        assert all(spans(repo).values()), at


def test_another_process_is_waited_for_and_then_named(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(repo, "index")
    monkeypatch.setattr(update, "_PATIENCE", 0.1)
    path = index_path(open_repo(repo))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin exclusive")
        refused = backport(repo, "index")
        assert refused.exit_code == 2
        assert "another process is writing" in refused.output
        assert pick(repo) == "as stable-4.11 has it", "a reader goes without"
        other.execute("rollback")
    assert backport(repo, "index").exit_code == 0


def test_two_at_once_end_in_one_whole_index(repo: Path) -> None:
    words = [sys.executable, "-m", "backport", "index", "--repo", str(repo)]
    both = [subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    assert spans(repo) == ALL


def test_one_that_is_killed_leaves_what_was_there(repo: Path) -> None:
    answer(repo, "index")
    on(repo, "stable-4.10", {"b.c": lines((3, "x"))}, "moves on")
    before = spans(repo)
    code = (
        "import os, sys, time\n"
        "from backport.history.index import kept_spans\n"
        "real = kept_spans.read_entry\n"
        "def slow(*given):\n"
        "    open(sys.argv[2], 'w').close()\n"
        "    time.sleep(30)\n"
        "    return real(*given)\n"
        "kept_spans.read_entry = slow\n"
        "from backport.cli import app\n"
        "app(['index', '--repo', sys.argv[1]])\n"
    )
    mark = repo / ".git/begun"
    process = subprocess.Popen([sys.executable, "-c", code, str(repo), str(mark)], cwd=ROOT)
    give_up = time.monotonic() + 60
    while not mark.exists() and time.monotonic() < give_up:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert spans(repo) == before
    answer(repo, "index")
    assert spans(repo) == ALL


def test_the_edge_of_a_shallow_clone(repo: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    words = ("--depth", "2", "--no-single-branch", f"file://{repo}", str(clone))
    subprocess.run(["git", "clone", "-q", *words], check=True)
    for name in ("stable-4.10", "stable-4.11"):
        git(clone, "branch", name, f"origin/{name}")
    answer(clone, "index", "--upstream", "master")
    git(clone, "fetch", "-q", "--unshallow")
    assert spans(clone) == {}, "history is longer now"
    assert "shallow" in answer(clone, "index", "--upstream", "master")["rebuilt"]
    assert all(spans(clone).values())


def test_no_shared_history_and_a_merge_that_crosses(repo: Path) -> None:
    island = git(repo, "commit-tree", "-m", "island", git(repo, "write-tree"))
    git(repo, "branch", "stable-4.12", island)
    stable = git(repo, "rev-parse", "stable-4.10")
    on(repo, "stable-4.10", {"b.c": lines((3, "x"))}, "x")
    git(repo, "checkout", "-q", "stable-4.10")
    git(repo, "merge", "-q", "--no-edit", "-s", "ours", "stable-4.11")
    git(repo, "checkout", "-q", "stable-4.11")
    git(repo, "merge", "-q", "--no-edit", "-s", "ours", stable)
    git(repo, "checkout", "-q", "master")
    answer(repo, "index")
    found = spans(repo)
    assert found == ALL
    opened = open_repo(repo)
    span = Ledger(opened).span(tip(repo, "stable-4.12"), tip(repo, "stable-4.11"))
    assert span is not None and span.hidden is None and len(span.entries) == 1


def test_it_is_removed(repo: Path) -> None:
    answer(repo, "index")
    assert answer(repo, "index", "--drop") == {"format": 1, "dropped": True}
    assert not index_path(open_repo(repo)).exists()
    assert answer(repo, "index", "--drop")["dropped"] is False


def test_where_there_is_nothing_to_keep(tmp_path: Path) -> None:
    from tests.backport.trees import new_repo

    bare: Any = answer(new_repo(tmp_path / "r", {"a": "1\n"}), "index")
    assert (bare["made"], bare["kept"]) == (0, 0)


def test_a_full_disk_is_named(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = repo / ".git/backport"
    folder.mkdir(exist_ok=True)
    (folder / "index.sqlite").mkdir()
    done = backport(repo, "index")
    assert done.exit_code == 2
    assert "cannot be written" in done.output


def test_what_was_taken_is_not_a_blocker_with_it_either(repo: Path) -> None:
    prep = commit(repo, {"b.c": lines((10, "prep"))}, "prep")
    commit(repo, {"b.c": lines((10, "prep"), (11, "more"))}, "more")
    on(repo, "stable-4.10", {"b.c": lines((10, "own"))}, "in the way")
    words = ("deps", "master")
    without = answer(repo, *words)
    answer(repo, "index")
    assert answer(repo, *words) == without
    assert [need["commit"] for need in without["patches"][0]["needs"]] == [prep]
    take(repo, "stable-4.11", prep)
