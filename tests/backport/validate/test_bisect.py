# SPDX-License-Identifier: GPL-2.0-or-later
"""Bisection: the search itself, and the command on a real compiler."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backport.validate.bisect import describe, search
from backport.verdicts import State
from tests.backport.trees import backport, branch_with, commit, git, lines, new_repo

P, F, C = State.PASSED, State.FAILED, State.CANNOT_TELL


def run(answers: list[State], known: dict[int, State] | None = None) -> object:
    return search(len(answers) - 1, lambda n: answers[n], known)


@pytest.mark.parametrize(
    ("answers", "first_bad", "last_good", "repaired_by"),
    [
        ([P, P, P, F, F], 3, 2, None),
        ([P, P, F, F, P], 2, 1, 4),
        ([P, F, P, P, P, P, P, P, P], 1, 0, 2),
        ([F, F, P], 0, None, 2),
        ([P, P, P], None, 2, None),
        ([P, P, C, F, F], 3, 1, None),
        ([P], None, 0, None),
    ],
)
def test_search(
    answers: list[State], first_bad: int | None, last_good: int | None, repaired_by: int | None
) -> None:
    found = search(len(answers) - 1, lambda n: answers[n])
    assert (found.first_bad, found.last_good, found.repaired_by) == (
        first_bad,
        last_good,
        repaired_by,
    )


def test_one_break_costs_a_logarithm() -> None:
    asked: list[int] = []

    def test(number: int) -> State:
        asked.append(number)
        return F if number >= 700 else P

    found = search(1000, test)
    assert found.first_bad == 700
    assert len(asked) <= 13
    assert len(found.untested) == 698 - len([n for n in asked if 1 <= n < 699])


def test_known_answers_cost_nothing() -> None:
    found = search(8, lambda n: pytest.fail(f"asked {n}"), {0: P, 3: P, 4: F, 8: F})
    assert (found.first_bad, found.tested) == (4, 0)


def test_what_cannot_be_told_is_said() -> None:
    found = search(4, lambda n: [P, P, C, C, F][n])
    assert found.untestable == (2, 3)
    assert found.rests_on == (4, 1), "not on the step before, which has no answer"
    assert "which could not be tested" in describe(found, ["a", "b", "c", "d"])


def test_steps_that_could_not_be_tested_are_no_good_ones() -> None:
    found = search(4, lambda n: [P, C, P, C, C][n])
    assert (found.first_bad, found.last_good, found.untestable) == (None, 2, (1, 3, 4))
    assert "no step that could be tested fails" in describe(found, ["a", "b", "c", "d"])


@pytest.mark.parametrize(("end", "said"), [(F, "the last step fails as well"), (C, "is open")])
def test_a_repair_is_denied_only_where_it_was_looked_for(end: State, said: str) -> None:
    found = search(3, lambda n: [F, P, F, end][n])
    assert said in describe(found, ["a", "b", "c"])


def test_a_repair_rests_on_what_was_tested() -> None:
    """A step before it that could not be tested may be the repair; one not tried, a repair of its own."""
    found = search(4, lambda n: [P, F, C, P, P][n])
    assert (found.repaired_by, found.repair_untestable, found.repair_untested) == (3, (2,), ())
    said = describe(found, ["a", "b", "c", "d"])
    assert "'c', or by step 2, which could not be tested" in said
    found = search(5, lambda n: [P, F, P, F, P, P][n], {0: P, 1: F, 5: P})
    assert (found.repaired_by, found.repair_untestable, found.repair_untested) == (4, (), (2,))
    assert "not tested between the two: 1 step" in describe(found, ["a", "b", "c", "d", "e"])
    found = search(5, lambda n: [P, F, P, F, P, P][n], dict(enumerate([P, F, P, F, P, P])))
    assert (found.repaired_by, found.repair_untested) == (2, ())


@given(st.lists(st.sampled_from([P, F, C]), min_size=1, max_size=40))
def test_what_is_found_is_true(answers: list[State]) -> None:
    found = search(len(answers) - 1, lambda n: answers[n])
    if found.first_bad is None:
        assert F not in [answers[n] for n in range(len(answers)) if n not in found.untested]
        assert found.untestable == tuple(n for n, one in enumerate(answers) if n and one is C)
        assert found.last_good is None or answers[found.last_good] is P
        return
    assert not found.end_fails or answers[-1] is F
    assert answers[found.first_bad] is F
    if found.last_good is not None:
        assert answers[found.last_good] is P
        assert all(answers[n] is C for n in range(found.last_good + 1, found.first_bad))
    if found.repaired_by is not None:
        assert answers[found.repaired_by] is P
        between = set(range(found.first_bad + 1, found.repaired_by))
        seen = between - set(found.repair_untested)
        assert all(answers[n] is not P for n in seen)
        last = max((n for n in seen if answers[n] is F), default=0)
        assert found.repair_untestable == tuple(sorted(n for n in seen if n > last))


GOOD = "int f(void) { return %d; }\n"
MAKE = "cc -Werror -c f.c -o f.o"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """Twelve commits; the build breaks at the 5th and is repaired at the 9th."""
    made = new_repo(tmp_path / "repo", {"f.c": GOOD % 0, ".gitignore": "*.o\n"})
    broken = "int f(void) { return undeclared_%d; }\n"
    branch_with(
        made,
        "topic",
        "stable",
        *((f"step {n}", {"f.c": (broken if 5 <= n < 9 else GOOD) % n}) for n in range(1, 13)),
    )
    return made


def test_the_command_names_the_break_the_error_and_the_repair(repo: Path) -> None:
    words = ("bisect", "--range", "stable..topic", "--build", MAKE, "--validate", "build")
    done = backport(repo, *words)
    assert done.exit_code == 1, done.output
    assert re.search(r"step 5 of 12, [0-9a-f]{12} 'step 5', is the first that fails", done.output)
    assert "undeclared_5" in done.output
    assert re.search(r"repaired by step 9 of 12, [0-9a-f]{12} 'step 9'", done.output)
    again = backport(repo, *words, "--json", "-")
    found = json.loads(again.stdout)
    assert (found["first_bad"], found["repaired_by"], found["tested"]) == (5, 9, 0)
    assert found["commit"] == git(repo, "rev-parse", "topic~7")
    assert found["dependents"] == [6, 7, 8, 9, 10, 11, 12], "all edit one line"


@pytest.mark.parametrize("source", [("--range", "stable..mixed"), ("--series", "stable..mixed")])
def test_bisect_names_what_needs_the_patch_that_breaks_it(
    tmp_path: Path, source: tuple[str, str]
) -> None:
    made = new_repo(tmp_path / "repo", {"a": lines(), "b": lines()})
    branch_with(
        made,
        "mixed",
        "stable",
        ("one", {"a": lines((5, "five"))}),
        ("bad", {"b": lines((5, "bad"))}),
        ("apart", {"a": lines((5, "FIVE"))}),
        ("upon it", {"b": lines((5, "worse"))}),
        ("upon that", {"b": lines((5, "worse\nstill"))}),
    )
    words = ("bisect", "--branch", "stable", *source, "--command")
    done = backport(made, *words, "! grep -qE 'bad|worse' b")
    assert re.search(r"step 2 of 5, [0-9a-f]{12} 'bad', is the first that fails", done.output)
    assert "they need it:\n  4 upon it\n  5 upon that\n" in done.output
    alone = backport(made, *words, "! grep -q still b")
    assert "no later patch needs it" in alone.output


def test_a_merge_is_one_step_of_a_line(tmp_path: Path) -> None:
    """The side's commits have not what the other side made: to test them in between says nothing."""
    made = new_repo(tmp_path / "repo", {"a": "0\n", "b": "0\n"})
    branch_with(made, "side", "stable", ("side 1", {"b": "1\n"}), ("side 2", {"b": "2\n"}))
    git(made, "checkout", "-q", "-b", "topic")
    commit(made, {"a": "1\n"}, "ours")
    git(made, "merge", "-q", "--no-edit", "side")
    commit(made, {"a": "2\n"}, "after")
    words = ("bisect", "--range", "stable..topic", "--command", "! grep -q 2 b")
    done = backport(made, *words)
    assert re.search(r"step 2 of 3, [0-9a-f]{12} \"Merge branch 'side' into topic\"", done.output)
    assert re.search(r"`--range [0-9a-f]{12}\^1\.\.[0-9a-f]{12}\^2` bisects", done.output)
    with_side = backport(made, *words[:2], "topic~1^1..topic~1^2", *words[3:], "--json", "-")
    assert json.loads(with_side.stdout)["commit"] == git(made, "rev-parse", "side")


def test_a_range_stands_on_its_own_parent(tmp_path: Path) -> None:
    """The branch was mended after the topic left it; the topic breaks nothing."""
    made = new_repo(tmp_path / "repo", {"a": "bad\n"})
    branch_with(made, "topic", "stable", ("one", {"b": "1\n"}))
    commit(made, {"a": "good\n"}, "mended")
    words = ("--range", "stable..topic", "--command", "! grep -q bad a", "--json", "-")
    done = backport(made, "bisect", *words)
    assert json.loads(done.stdout)["first_bad"] == 0, done.output


def test_a_series_is_bisected_in_memory(repo: Path) -> None:
    words = (
        "--branch",
        "stable",
        "--series",
        "stable..topic",
        "--command",
        "grep -qv 'return 7' f.c",
    )
    done = backport(repo, "bisect", *words, "--json", "-")
    assert done.exit_code == 0, done.output
    found = backport(repo, "bisect", *words[:-1], "! grep -E 'return (1[012])' f.c", "--json", "-")
    assert found.exit_code == 1, found.output
    assert json.loads(found.stdout)["first_bad"] == 10


def test_inside_git_bisect_run(repo: Path) -> None:
    git(repo, "checkout", "-q", "topic~5")
    git(repo, "bisect", "start", "topic~5", "stable")
    check = [sys.executable, "-m", "backport", "check", "--commit", "HEAD"]
    words = [*check, "--validate", "build", "--build", MAKE]
    done = subprocess.run(
        ["git", "bisect", "run", *words], cwd=repo, capture_output=True, text=True, check=False
    )
    assert f"{git(repo, 'rev-parse', 'topic~7')} is the first bad commit" in done.stdout, (
        done.stderr
    )


def test_a_tip_that_cannot_be_tested_is_not_called_good(repo: Path) -> None:
    skip = "! grep -q 'return 12' f.c || exit 125"
    done = backport(repo, "bisect", "--range", "topic~4..topic", "--command", skip)
    assert done.exit_code == 125, done.output
    assert "not testable: 4" in done.output


@pytest.mark.parametrize(
    "words", [("bisect", "--range", "stable..topic"), ("check", "--commit", "topic")]
)
def test_where_nothing_is_to_be_proven_nothing_can_be_told(
    repo: Path, words: tuple[str, ...]
) -> None:
    git(repo, "checkout", "-q", "topic")
    git(repo, "config", "backport.validate", "none")
    done = backport(repo, *words)
    assert done.exit_code == 125, done.output
    assert "nothing was proven: --validate none" in done.output


def test_a_missing_compiler_is_not_a_bad_patch(repo: Path) -> None:
    words = ("--range", "stable..topic", "--build", "no-such-compiler f.c", "--validate", "build")
    done = backport(repo, "bisect", *words)
    assert done.exit_code == 125, done.output
    assert "cannot be run" in done.output


def test_a_compiler_that_make_cannot_find_is_no_verdict(repo: Path) -> None:
    git(repo, "checkout", "-q", "topic")
    commit(repo, {"Makefile": "f.o: f.c\n\tno-such-cc -c f.c -o f.o\n"}, "make")
    before = git(repo, "rev-parse", "stable")
    words = ("--branch", "stable", "--series", "topic~1..topic", "--build", "make")
    done = backport(repo, "apply", *words, "--validate", "build")
    assert done.exit_code == 125, done.output
    assert "no-such-cc" in done.output
    assert git(repo, "rev-parse", "stable") == before
    assert "no run in progress" in backport(repo, "status").output


def test_a_build_that_never_ends(repo: Path) -> None:
    git(repo, "config", "backport.buildTimeout", "1")
    done = backport(
        repo, "check", "--commit", "topic", "--validate", "build", "--build", "sleep 60"
    )
    assert done.exit_code == 125, done.output
    assert "killed after 1 s" in done.output
