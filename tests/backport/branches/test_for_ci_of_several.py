# SPDX-License-Identifier: GPL-2.0-or-later
"""JUnit, SARIF and annotations of one command onto several branches: all of them in each document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

from backport.export.annotations import to_github, to_gitlab
from backport.export.run_record import Fortune, RunRecord, StepRecord, Trouble
from backport.verdicts import State
from tests.backport.branches.test_several import (
    BUILD,
    MANY,
    NAMES,
    broken,
    left,
    repo,
    resolve,
    tips,
)
from tests.backport.export.test_for_ci import cases, valid_sarif
from tests.backport.trees import backport, git

__all__ = ["repo"]


def documents(repo: Path, *words: str, code: int) -> tuple[Xml.Element, list[dict[str, Any]]]:
    """The suites, and the runs of the SARIF log."""
    junit, sarif = repo.parent / "j.xml", repo.parent / "s.sarif"
    done = backport(repo, *words, "--junit", str(junit), "--sarif", str(sarif))
    assert done.exit_code == code, done.output
    return Xml.parse(junit).getroot(), valid_sarif(json.loads(sarif.read_text()))["runs"]


def kinds(suites: Xml.Element) -> dict[str, list[tuple[str, str]]]:
    """By suite: each case with what it is."""
    return {
        str(suite.get("name")).removeprefix("backport apply "): [case[1:] for case in cases(suite)]
        for suite in suites
    }


def codes(runs: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """The branches, each with how many results."""
    return [(run["automationDetails"]["id"].split("/")[2], len(run["results"])) for run in runs]


def test_one_that_fails_is_red_and_the_others_green(repo: Path) -> None:
    broken(repo)
    suites, runs = documents(repo, *MANY[:3], *BUILD, "master", code=1)
    good, bad = (
        [("apply", "passed"), ("build", "passed")],
        [("apply", "passed"), ("build", "failure")],
    )
    assert kinds(suites) == {NAMES[2]: good, NAMES[1]: bad, NAMES[0]: good}
    assert codes(runs) == [(NAMES[2], 0), (NAMES[1], 1), (NAMES[0], 0)]


def test_one_that_stops_and_those_that_wait_for_it_and_then_all(repo: Path) -> None:
    suites, runs = documents(repo, *MANY, "master~1", "master", code=3)
    waits = [("apply", "skipped")]
    stopped = [("apply", "failure"), ("apply", "skipped")]
    assert kinds(suites) == {NAMES[2]: stopped, NAMES[1]: waits, NAMES[0]: waits}
    assert codes(runs) == [(NAMES[2], 1), (NAMES[1], 0), (NAMES[0], 0)]
    notified = [run["invocations"][0]["toolExecutionNotifications"] for run in runs]
    assert ["waits" in one[0]["message"]["text"] for one in notified] == [False, True, True]
    resolve(repo, NAMES[2])
    suites, _ = documents(repo, "continue", code=0)
    assert kinds(suites) == dict.fromkeys(NAMES[::-1], [("apply", "passed")] * 2)
    assert left(repo) == []


def test_what_an_earlier_command_came_to_is_not_forgotten(repo: Path) -> None:
    """4.11 has failed and 4.12 has moved when the conflict of 4.10 is resolved."""
    broken(repo)
    git(repo, "checkout", "-q", NAMES[0])
    (repo / "b.c").write_text("other\n")
    git(repo, "commit", "-aqm", "in the way")
    git(repo, "checkout", "-q", "master")
    documents(repo, *MANY[:3], *BUILD, "master", code=3)
    where = repo / ".git/backport/branches" / NAMES[0] / "conflict"
    (where / "b.c").write_text("other, drei\n")
    git(where, "add", "b.c")
    suites, runs = documents(repo, "continue", code=1)
    found = kinds(suites)
    assert list(found) == list(NAMES[::-1])
    assert found[NAMES[2]] == [("apply", "passed")]
    assert found[NAMES[1]] == [("apply", "error")]
    assert found[NAMES[0]] == [("apply", "passed"), ("build", "passed")]
    exits = [run["invocations"][0]["exitCode"] for run in runs]
    assert exits == [0, 1, 0]


def test_proven_and_not_moved_is_no_success(repo: Path) -> None:
    """With --atomic all steps pass, and then the lock of one branch is somebody else's."""
    before = tips(repo)
    (repo / f".git/refs/heads/{NAMES[0]}.lock").write_text("")
    suites, _ = documents(repo, *MANY, "--atomic", "master", code=2)
    found = kinds(suites)
    assert tips(repo) == before
    assert found[NAMES[0]] == [("apply", "passed"), ("apply", "error")]


def test_a_command_that_cannot_begin_says_so(repo: Path) -> None:
    documents(repo, *MANY, "master~1", code=3)
    suites, runs = documents(repo, *MANY, "master", code=2)
    assert kinds(suites) == {"several branches": [("apply", "error")]}
    assert len(runs) == 1


def test_the_same_trouble_on_two_branches_is_two_entries() -> None:
    """GitLab shows one of several with the same fingerprint."""
    trouble = Trouble(None, State.FAILED, "conflict", "both sides changed it")
    step = StepRecord(1, "fix", Fortune.STOPPED, troubles=(trouble,))
    records = [RunRecord("apply", name, (step,)) for name in NAMES[:2]]
    found = json.loads(to_gitlab(records))
    assert len({one["fingerprint"] for one in found}) == 2
    assert [one["description"].split(":")[0] for one in found] == list(NAMES[:2])
    lines = to_github(records).splitlines()
    assert [NAMES[at] in line for at, line in enumerate(lines)] == [True, True]
    alone = json.loads(to_gitlab(records[:1]))
    assert alone[0]["description"].startswith("step 1 fix")
