# SPDX-License-Identifier: GPL-2.0-or-later
"""What is taken from upstream for a patch goes before it in upstream's order, found at once or bit by bit,
and only if it carries the patch."""

from __future__ import annotations

from pathlib import Path

import pytest

from backport.config import Settings
from backport.levels import Phase, Record
from backport.planning.items import Posted, Taken
from backport.run import taking
from backport.run.journal import RunState
from backport.run.steps import Reason, Step, StepState
from backport.run.taking import with_taken
from backport.survey.digging import Digger, Evidence
from series.model import Oid
from tests.backport.trees import (
    Files,
    backport,
    branch_with,
    commit,
    git,
    lines,
    new_repo,
    open_repo,
)

A = lines((10, "older"), (25, "call it"))
B = lines((10, "newer"))
STORIES: dict[str, tuple[Files, ...]] = {
    # Each file of the patch waits for one, the first file for the older.
    "at once": (
        {"a.c": A},
        {"b.c": B},
        {
            "a.c": lines((10, "older"), (11, "used"), (25, "call it")),
            "b.c": lines((10, "newer"), (11, "used")),
        },
    ),
    # A line of the older one stands elsewhere, too, and tells nothing before the newer one has changed that.
    "bit by bit": (
        {"a.c": lines((5, "line 5\ncall it"), (25, "call it"))},
        {"a.c": lines((5, "line 5\ncall it"), (25, "call that"))},
        {"a.c": lines((5, "line 5\ncall it"), (6, "used"), (24, "used"), (25, "call that"))},
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_in_the_order_of_upstream(tmp_path: Path, story: str) -> None:
    repo = new_repo(tmp_path / "repo", {"a.c": lines((25, "call it")), "b.c": lines()})
    steps = STORIES[story]
    names = [*(f"{n}: what is needed" for n in range(1, len(steps))), "use it"]
    branch_with(repo, "master", "stable", *zip(names, steps, strict=True))
    words = ("--series", "master~1..master", "--upstream", "master", "--prerequisites", "take")
    done = backport(repo, "apply", "--branch", "stable", *words)
    assert done.exit_code == 0, done.output
    assert git(repo, "log", "--reverse", "--format=%s", "master~3..stable").split("\n") == names
    assert git(repo, "rev-parse", "stable^{tree}") == git(repo, "rev-parse", "master^{tree}")
    told = [x.split()[1] for x in done.output.splitlines() if x.startswith("  ok ")]
    assert told == ["1/3", "2/3", "3/3"]


WORDS = ("--series", "master~1..master", "--upstream", "master", "--prerequisites")


@pytest.fixture
def torn(tmp_path: Path) -> Path:
    """`use it` waits for two commits, and the newer does not go on by itself."""
    twice = {5: "line 5\ntwice"}
    both = {**twice, 15: "line 15\ntwo"}
    uses = lines(*{**both, 6: "used", 16: "used"}.items())
    repo = new_repo(tmp_path / "repo", {"a.c": lines(), "z.c": lines()})
    newer: Files = {"a.c": lines(*both.items()), "z.c": lines((5, "theirs"))}
    steps = (("older", {"a.c": lines(*twice.items())}), ("newer", newer), ("use it", {"a.c": uses}))
    branch_with(repo, "master", "stable", *steps)
    commit(repo, {"z.c": lines((5, "ours"))}, "ours")
    return repo


def test_nothing_stays_of_what_does_not_carry_the_patch(torn: Path) -> None:
    done = backport(torn, "apply", "--branch", "stable", *WORDS, "take")
    assert done.exit_code == 3, done.output
    said = " ".join(done.output.split())
    assert "patch 1 of 1" in said and "'use it', does not apply" in said
    assert (
        "'older' writes 'twice' in a.c adapt without it: the patch does not go on with it" in said
    )
    assert "'newer' writes 'two'" in said
    assert "in a.c adapt without it: it does not go on by itself: conflicts" in said
    assert "--prerequisites take` picks" not in said
    again = backport(torn, "continue", "--prerequisites", "take")
    assert (
        again.exit_code == 2 and "nothing that the patch waits for is to be taken" in again.output
    )
    tip = git(torn, "rev-parse", "stable")
    assert backport(torn, "skip").exit_code == 0
    assert git(torn, "rev-parse", "stable") == tip


def test_a_conflict_says_what_to_do_about_each_commit(torn: Path) -> None:
    """Also where nobody has asked to take any; and `status` says it again."""
    done = backport(torn, "apply", "--branch", "stable", *WORDS, "report")
    assert done.exit_code == 3, done.output
    for said in (done.output, backport(torn, "status").output):
        assert "take: it goes on by itself and needs nothing else" in said
        assert "adapt without it: it does not go on by itself: conflicts" in said
    assert "--prerequisites take` picks" in " ".join(done.output.split())


def test_history_is_dug_only_for_what_goes_on_by_itself(
    torn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conflict that is only reported must not cost a `git blame` for each commit that it names."""
    asked: list[Oid] = []

    def of_commit(_self: Digger, commit: Oid) -> dict[Oid, tuple[Evidence, ...]]:
        asked.append(commit)
        return {}

    monkeypatch.setattr(Digger, "of_commit", of_commit)
    done = backport(torn, "apply", "--branch", "stable", *WORDS, "report")
    assert done.exit_code == 3, done.output
    assert asked == [git(torn, "rev-parse", "master~2")]


def test_no_more_are_taken_for_a_patch_than_a_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "MOST_FOR_ONE", 1)
    repo = new_repo(tmp_path / "repo", {"a.c": lines((25, "call it")), "b.c": lines()})
    names = ("one", "two", "use it")
    branch_with(repo, "master", "stable", *zip(names, STORIES["at once"], strict=True))
    done = backport(repo, "apply", "--branch", "stable", *WORDS, "take")
    assert done.exit_code == 3, done.output
    said = " ".join(done.output.split())
    assert said.count("but that makes 2 commits for one patch, and at most 1 are taken") == 2


def test_what_the_user_has_decided_stays(tmp_path: Path) -> None:
    """Also where an older commit of upstream is found behind it."""
    repo = new_repo(tmp_path / "repo", {"a.c": lines()})
    older, newer = (Taken(Oid(commit(repo, {"a.c": lines((n, "x"))}, "x"))) for n in (5, 9))
    resolved = Step(newer, StepState.RESOLVED, Reason("by hand"), newer.commit)
    settings = Settings(upstream="master")
    state = RunState(
        phase=Phase.APPLY,
        settings=settings,
        branch="stable",
        target="stable",
        onto=older.commit,
        old=None,
        committer=open_repo(repo).committer(),
        convention=Record.NONE,
        sources=(),
        items=(newer, Posted(0)),
        steps=(resolved,),
    )
    found = with_taken(open_repo(repo), state, (older,))
    assert found.items == (newer, older, Posted(0)) and found.steps == (resolved,)


def test_what_the_run_has_brought_is_not_lacking(tmp_path: Path) -> None:
    """What is taken uses a name that an earlier patch of the run brings: git does not see that yet."""
    repo = new_repo(tmp_path / "repo", {"a.c": lines(), "h.h": "int other(void);\n"})
    helper = "int other(void);\nint helper_x(void);\n"
    uses = {10: "    helper_x();"}
    steps = (
        ("helper", {"h.h": helper}),
        ("prep", {"a.c": lines(*uses.items())}),
        ("use it", {"a.c": lines(*{**uses, 11: "used"}.items())}),
    )
    branch_with(repo, "master", "stable", *steps)
    words = ("--upstream", "master", "--prerequisites", "take", "master~2", "master")
    done = backport(repo, "apply", "--branch", "stable", *words)
    assert done.exit_code == 0, done.output
    assert git(repo, "log", "--format=%s", "-3", "stable").split("\n") == [
        "use it",
        "prep",
        "helper",
    ]
