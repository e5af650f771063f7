# SPDX-License-Identifier: GPL-2.0-or-later
"""A command onto several branches, killed at each durable act: every branch ends as if nothing had happened,
or as it was, and nothing is left."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backport.durable.machine import Ended, Fault, Machine
from tests.backport.durable.seen import Seen, difference, seen
from tests.backport.trees import branch_with, commit, git, lines, mbox, new_repo

NAMES = ("stable-4.10", "stable-4.11", "stable-4.12")
KEPT = ("lock", "moves.json")
"""What the beginnings of names are that outlive every run."""
FAULTS = ((Fault.KILL, False), (Fault.HALF, False), (Fault.ENOSPC, False), (Fault.ENOSPC, True))


class Several:
    """Three branches, the middle one checked out; a mailbox that goes onto all of them."""

    def __init__(self, folder: Path) -> None:
        self.machine = Machine(folder / "machine")
        self.folder = folder
        made = new_repo(folder / "template", {"a.c": lines(), "b.c": lines()}, NAMES[1])
        git(made, "branch", NAMES[2])
        git(made, "checkout", "-q", "-b", NAMES[0])
        commit(made, {"c.c": lines()}, "of 4.10")
        git(made, "checkout", "-q", NAMES[1])
        branch_with(
            made,
            "topic",
            NAMES[1],
            ("one", {"a.c": lines((5, "five"))}),
            ("two", {"b.c": lines((7, "seven"))}),
        )
        (made / ".git/series.mbox").write_bytes(mbox(made, f"{NAMES[1]}..topic"))
        git(made, "config", "gc.auto", "0")
        self.repo = folder / "repo"
        self.state = self.repo / ".git/backport/branches.json"
        self.fresh()
        self.old = self.tips()

    def fresh(self) -> None:
        """The repository as it was before."""
        shutil.rmtree(self.repo, ignore_errors=True)
        shutil.copytree(self.folder / "template", self.repo, symlinks=True)
        git(self.repo, "update-index", "-q", "--refresh")

    def tips(self) -> dict[str, str]:
        """Where the branches stand."""
        return {name: git(self.repo, "rev-parse", name) for name in NAMES}

    def apply(
        self,
        *words: str,
        at: int = 0,
        fault: Fault = Fault.KILL,
        sticky: bool = False,
        log: bool = False,
    ) -> Ended:
        """The command."""
        self.fresh()
        box = str(self.repo / ".git/series.mbox")
        given = ("apply", "--branches", "stable-4.*", "--series", box, "--validate", "none", *words)
        return self.machine.run(self.repo, *given, at=at, fault=fault, sticky=sticky, log=log)

    def left(self) -> list[str]:
        """What of runs is still there."""
        state = self.repo / ".git/backport"
        files = [
            str(path.relative_to(state))
            for path in state.rglob("*")
            if not path.name.startswith(KEPT)
        ]
        return [*files, *git(self.repo, "for-each-ref", "refs/backport").splitlines()]


@pytest.fixture
def several(tmp_path: Path) -> Iterator[Several]:
    found = Several(tmp_path)
    yield found
    found.machine.close()


@pytest.mark.parametrize(
    ("verb", "atomic", "step"),
    [
        ("continue", False, 149),
        ("abort", True, 149),
        *(
            pytest.param(verb, atomic, 1, marks=pytest.mark.torture)
            for verb in ("continue", "abort")
            for atomic in (False, True)
        ),
    ],
)
def test_cut_anywhere(several: Several, verb: str, atomic: bool, step: int) -> None:
    words = ("--atomic",) if atomic else ()
    whole = several.apply(*words)
    assert whole.code == 0, whole.said
    wanted, end = several.tips(), seen(several.repo)
    many = 0
    for at in range(3, whole.calls + 1, step):
        fault, sticky = FAULTS[many % len(FAULTS)]
        many += 1
        cut = several.apply(*words, at=at, fault=fault, sticky=sticky)
        case = (at, fault, sticky, cut.said)
        assert cut.code < 128, case
        if not several.state.exists():
            # Before the first act, or behind the last: all of them moved, and the list of them is gone.
            assert several.tips() in (several.old, wanted), case
            assert cut.code or several.tips() == wanted, case
            continue
        again = several.machine.run(several.repo, verb)
        assert again.code == 0, (case, again.said)
        assert several.left() == [], case
        now = several.tips()
        if verb == "continue":
            assert now == wanted, (case, again.said)
            assert difference(*map(without_logs, (end, seen(several.repo)))) == "", (
                case,
                again.said,
            )
            continue
        if atomic:
            assert now in (several.old, wanted), (case, again.said)
        for name in NAMES:
            assert now[name] in (several.old[name], wanted[name]), case
            said = f"{name}: had moved, and stays at {wanted[name][:12]}" in again.said
            assert said == (now[name] == wanted[name]), (case, again.said)
        assert git(several.repo, "status", "--porcelain") == "", case
    assert many > 2


def test_what_could_not_be_cleared_away_is_by_the_next_command(several: Several) -> None:
    """The ref that held the commits of a branch that has moved, and all of that branch's run."""
    several.apply(log=True)
    kinds = several.machine.kinds()
    at = len(kinds) - kinds[::-1].index("unlink branches/stable-N.N.backport.lock")
    done = several.apply(at=at, fault=Fault.ENOSPC)
    assert done.code == 0, done.said
    assert "could not be removed" in done.said
    assert several.left() != []
    several.machine.run(several.repo, "continue")
    assert several.left() == []


@pytest.mark.parametrize(
    "call", ["open backport/moves.json.N.lock", "unlink backport/branches.json"]
)
def test_a_full_disk_does_not_fail_what_has_moved(several: Several, call: str) -> None:
    """All branches have, together: a note says what could not be written, and the exit code is 0."""
    several.apply("--atomic", log=True)
    wanted, kinds = several.tips(), several.machine.kinds()
    done = several.apply("--atomic", at=kinds.index(call) + 1, fault=Fault.ENOSPC, sticky=True)
    assert several.tips() == wanted
    assert done.code == 0, done.said
    assert "`backport continue` does that" in " ".join(done.said.split())
    again = several.machine.run(several.repo, "continue")
    assert again.code == 0, again.said
    assert several.left() == []
    assert several.tips() == wanted
    git(several.repo, "branch", "-q", "-D", "topic")
    undone = several.machine.run(several.repo, "undo")
    assert undone.code == 0, undone.said
    assert several.tips() == several.old


def without_logs(found: Seen) -> Seen:
    """A branch that moved with others and was put back says so in its reflog."""
    return {key: value for key, value in found.items() if not key.startswith("git logs/")}


@pytest.mark.torture
def test_the_end_of_each_branch_is_noted_before_its_journal_goes(several: Several) -> None:
    """What the roster says of a branch that has moved is what the branch is."""
    whole = several.apply()
    seen_moved = 0
    for at in range(5, whole.calls + 1, 131):
        several.apply(at=at)
        if not several.state.exists():
            continue
        for part in json.loads(several.state.read_text())["parts"]:
            tip = several.tips()[part["branch"]]
            if part["result"] is not None:
                seen_moved += 1
                assert tip == part["result"]["new"]
            elif tip != several.old[part["branch"]]:
                journal = several.repo / ".git/backport/branches" / part["part"] / "run/state.json"
                assert journal.exists()
    assert seen_moved
