# SPDX-License-Identifier: GPL-2.0-or-later
"""The index of what upstream and stable branches have and state: the same answers with it and without."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backport.gateway.repository import Repo
from backport.history import recall
from backport.history.index.kept_sides import History
from backport.history.index.ledger import Ledger, index_path
from backport.history.sides import Sides, read_sides
from backport.history.statements import Statement, stated
from series.model import Oid
from tests.backport.survey.stable_repo import answer, make, on, take
from tests.backport.trees import backport, commit, git, lines, open_repo

BRANCHES = ("stable-4.10", "stable-4.11")
ASKED = (("owed", "--all", "--quick"), ("deps", ":/^asks"), ("provenance",))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """On master a fix, what amends it, what asks for 4.10, a revert and its revert; 4.11 has taken two.

    It takes git 70 processes, so it is made once; each test has a copy.
    """
    made = make(tmp_path_factory.mktemp("first") / "repo")
    fix = commit(made, {"a.c": lines((3, "fix"))}, "fix")
    commit(made, {"a.c": lines((3, "fixed"))}, f'mend\n\nFixes: {fix[:12]} ("fix")')
    commit(made, {"b.c": lines((3, "x"))}, "asks\n\nBackport: 4.10+")
    commit(made, {"b.c": lines((3, "x"), (9, "y"))}, f"more\n\nAmends: {fix}")
    git(made, "revert", "--no-edit", "HEAD")
    git(made, "revert", "--no-edit", "HEAD")
    take(made, "stable-4.10", fix)
    take(made, "stable-4.11", fix)
    take(made, "stable-4.11", "master~3")
    return made


@pytest.fixture
def repo(first: Path, tmp_path: Path) -> Path:
    return shutil.copytree(first, tmp_path / "repo", symlinks=True)


def answers(repo: Path) -> list[dict[str, Any]]:
    """What the verbs that ask the index say."""
    return [answer(repo, *words) for words in ASKED]


def tip(repo: Path, name: str) -> Oid:
    return Oid(git(repo, "rev-parse", name))


@dataclass(frozen=True)
class Truth:
    """What history says of a repository as it is now."""

    opened: Repo
    top: Oid
    sides: dict[Oid, Sides]
    statements: dict[Oid, Statement]

    def known(self) -> tuple[int, int]:
        """How many branches and commits the index answers for; each answer is what history says."""
        ledger, branches = Ledger(self.opened), 0
        for name, sides in self.sides.items():
            found = ledger.sides(name, self.top)
            if found is not None:
                assert found == sides
                assert ledger.own(name, self.top) == sides.own
                branches += 1
        statements = ledger.statements(list(self.statements))
        assert statements.items() <= self.statements.items()
        return branches, len(statements)


def truth(repo: Path) -> Truth:
    opened, top = open_repo(repo), tip(repo, "master")
    tips = [tip(repo, name) for name in BRANCHES]
    every = [Oid(one) for one in git(repo, "rev-list", "--all").split("\n")]
    return Truth(
        opened,
        top,
        {one: read_sides(opened, one, top) for one in tips},
        {one: stated(one, opened.when(one).seconds, opened.message(one)) for one in every},
    )


def known(repo: Path) -> tuple[int, int]:
    """How many branches and commits the index answers for; each answer is what history says."""
    return truth(repo).known()


def sizes(repo: Path) -> tuple[int, int]:
    """Of a repository as above: both branches, and all commits but the one that all have."""
    return len(BRANCHES), len(git(repo, "rev-list", "--all").split("\n")) - 1


def refuse(*_: object) -> None:
    raise AssertionError("history was read")


def test_the_same_answers_and_history_is_not_read(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = answers(repo)
    reasons = {claim["why"] for one in before[0]["owed"] for claim in one["claims"]}
    assert {"fixes", "amends", "asks"} <= reasons, reasons
    done = answer(repo, "index")
    assert (done["commits"], done["commits_read"]) == (sizes(repo)[1],) * 2
    assert known(repo) == sizes(repo)
    for name in ("read_sides", "stated"):
        monkeypatch.setattr(recall, name, refuse)
    assert answers(repo) == before


def test_what_both_have_is_read_where_it_is_asked_for(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of Xen that is 44,000 ids."""
    answer(repo, "index")
    opened, one, top = open_repo(repo), tip(repo, "stable-4.10"), tip(repo, "master")
    true = read_sides(opened, one, top)
    monkeypatch.setattr(History, "order", property(refuse))
    found = Ledger(opened).sides(one, top)
    assert found is not None
    assert (found.own, found.theirs, len(found.shared)) == (true.own, true.theirs, len(true.shared))
    with pytest.raises(AssertionError, match="history was read"):
        assert one in found.shared


@pytest.mark.parametrize("what", ["upstream", "branch", "both"])
def test_an_update_reads_what_is_new_alone(repo: Path, what: str) -> None:
    answer(repo, "index")
    if what != "branch":
        new = commit(repo, {"c.c": "1\n"}, "new")
        commit(repo, {"c.c": "2\n"}, f"newer\n\nFixes: {new[:12]}")
    if what != "upstream":
        on(repo, "stable-4.10", {"d.c": "1\n"}, "own")
    before = answers(repo)
    done = answer(repo, "index")
    assert done["commits_read"] == {"upstream": 2, "branch": 1, "both": 3}[what]
    assert done["rebuilt"] == ""
    assert known(repo) == sizes(repo)
    assert answers(repo) == before


@pytest.mark.parametrize("what", ["rewritten", "a merge", "has it already", "fast-forward"])
def test_upstream_moves_otherwise_than_by_a_line(repo: Path, what: str) -> None:
    answer(repo, "index")
    if what == "rewritten":
        git(repo, "reset", "-q", "--hard", "HEAD~2")
        commit(repo, {"c.c": "1\n"}, "instead")
    elif what == "a merge":
        git(repo, "checkout", "-q", "-b", "side", "master~3")
        commit(repo, {"c.c": "1\n"}, "side")
        git(repo, "checkout", "-q", "master")
        git(repo, "merge", "-q", "--no-edit", "side")
    elif what == "has it already":
        git(repo, "checkout", "-q", "stable-4.10")
        git(repo, "merge", "-q", "--no-edit", "-s", "ours", "master")
        git(repo, "checkout", "-q", "master")
        answer(repo, "index")
        git(repo, "merge", "-q", "--no-edit", "stable-4.10")  # the tip of the branch is upstream's
    else:
        git(repo, "checkout", "-q", "stable-4.10")
        git(repo, "reset", "-q", "--hard", "master")
        commit(repo, {"c.c": "1\n"}, "first on the branch")
        git(repo, "checkout", "-q", "master")
        answer(repo, "index")
        git(repo, "merge", "-q", "--ff-only", "stable-4.10")
        commit(repo, {"c.c": "2\n"}, "then on upstream")
    before = answers(repo)
    answer(repo, "index")
    branches, _ = known(repo)
    assert branches == len(BRANCHES) - (tip(repo, "master") == tip(repo, "stable-4.10"))
    assert answers(repo) == before


def change(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for one in statements:
            connection.execute(one)


@pytest.mark.parametrize(
    "statement",
    [
        "update history set ids = substr(ids, 21) || substr(ids, 1, 20)",
        "update history set sum = sum + 1",
        "update sides set own = x''",
        "update sides set lacked = (select lacked from sides s where s.tip != sides.tip)",
        "update statement set data = replace(data, 'fix', 'fox')",
        "update statement set id = substr(id, 2) || substr(id, 1, 1)",
        "delete from statement",
        "delete from sides",
        "drop table statement",
        "drop table history",
        "pragma user_version = 3",
        "pragma user_version = 5",
    ],
)
def test_what_is_damaged_is_not_believed_and_made_anew(repo: Path, statement: str) -> None:
    before = answers(repo)
    answer(repo, "index")
    change(index_path(open_repo(repo)), statement)
    known(repo)
    assert answers(repo) == before
    answer(repo, "index")
    assert known(repo) == sizes(repo)


def test_every_part_of_the_file_that_is_lost_is_noticed(repo: Path) -> None:
    answer(repo, "index")
    true = truth(repo)
    path = index_path(true.opened)
    data = path.read_bytes()
    for at in range(0, len(data), 1021):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        true.known()
        path.write_bytes(data[:at])
        true.known()


def test_without_an_upstream_there_is_none(repo: Path) -> None:
    answer(repo, "index")
    git(repo, "config", "--unset", "backport.upstream")
    assert answer(repo, "index")["commits"] == 0
    assert known(repo) == (0, 0)


def test_it_says_how_much_there_is(repo: Path) -> None:
    said = backport(repo, "index").output
    assert f"{sizes(repo)[1]} commits of 2 branches and upstream" in said


def test_an_order_that_crosses_is_the_same_in_both(repo: Path) -> None:
    """A branch and upstream that have merged each other: no single merge base."""
    stable = git(repo, "rev-parse", "stable-4.11")
    git(repo, "checkout", "-q", "stable-4.11")
    git(repo, "merge", "-q", "--no-edit", "-s", "ours", "master")
    git(repo, "checkout", "-q", "master")
    git(repo, "merge", "-q", "--no-edit", "-s", "ours", stable)
    commit(repo, {"e.c": "1\n"}, "on top")
    before = answers(repo)
    answer(repo, "index")
    assert known(repo)[0] == len(BRANCHES)
    assert answers(repo) == before


def test_a_repository_is_asked_at_its_edge(repo: Path) -> None:
    """What a graft changes is no answer any more."""
    answer(repo, "index")
    opened: Repo = open_repo(repo)
    (opened.common_dir / "shallow").write_text(f"{tip(repo, 'master~2')}\n")
    assert Ledger(open_repo(repo)).sides(tip(repo, "stable-4.10"), tip(repo, "master")) is None
