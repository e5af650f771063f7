# SPDX-License-Identifier: GPL-2.0-or-later
"""How often the direct blockers name the commit that a backport needed.

    python -m tests.bench.enabling --repo DIR --upstream staging BRANCH...

Real cases: two neighbouring commits of a stable branch, each with one origin on upstream, that change a file
in common.  The origin of the second is put alone onto the branch as it was before the first.  Where it does
not go on there, and does once the first is on, the first one's origin is the enabling commit.  It has to be
among the direct blockers (see survey/digging), which look in upstream's history alone: no message of the
branch says so.  Where it goes on neither way, but fewer of its files clash with the first, that is one of
several enabling commits.  Where as many clash, nothing is known.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from pathlib import Path

from backport.backtest.tasks import LeftOut, Task, feasible, find_tasks
from backport.commands.here import open_repo
from backport.gateway.commits import commit_patch
from backport.gateway.repository import Repo
from backport.history.recall import statements_of
from backport.history.sides import read_sides
from backport.pick.patch import pick_patch
from backport.survey.carriage import Carriage
from backport.survey.digging import Digger
from backport.survey.lineage import Lineage
from series.model import Oid, Patch, shown


class Case(Enum):
    """What came of a pair."""

    ALONE = "goes on without it"
    ENABLED = "goes on with it alone"
    HELPED = "clashes in fewer files with it"
    NEITHER = "clashes as much either way"


@dataclass(frozen=True, slots=True)
class Found:
    """A pair, what came of it, and the direct blockers of the second."""

    first: Task
    second: Task
    case: Case
    blockers: tuple[Oid, ...] = ()

    @property
    def is_named(self) -> bool:
        """Whether the first is among them."""
        return self.first.upstream in self.blockers


def neighbours(repo: Repo, branch: str, upstream: str) -> Iterator[tuple[Task, Task]]:
    """The pairs of a branch that change a file in common, the oldest first."""
    usable = feasible(repo, find_tasks(repo, (branch,), upstream))
    tasks = [one for one in usable if not isinstance(one, LeftOut)]
    reached = frozenset(repo.log(repo.branch_tip(upstream)))
    for second, first in pairwise(tasks):
        in_line = repo.parents(second.backport) == (first.backport,)
        if not in_line or not {first.upstream, second.upstream} <= reached:
            continue
        if _paths(commit_patch(repo, first.upstream)) & _paths(commit_patch(repo, second.upstream)):
            yield first, second


def look(repo: Repo, first: Task, second: Task, top: Oid, order: Sequence[Oid]) -> Found:
    """Put the second alone onto the branch, without and with the first."""
    patch = commit_patch(repo, second.upstream)
    before = repo.parents(first.backport)[0]
    without, along = _clashing(repo, before, patch), _clashing(repo, first.backport, patch)
    if not without:
        return Found(first, second, Case.ALONE)
    case = Case.HELPED if along < without else Case.NEITHER
    case = case if along else Case.ENABLED
    sides = read_sides(repo, before, top, order)
    own, theirs = statements_of(repo, sides.own), statements_of(repo, sides.theirs)
    lineage = Lineage(first.branch, before, "upstream", top, own, theirs, sides.shared)
    digger = Digger(repo, lineage, Carriage(repo, lineage))
    return Found(first, second, case, tuple(digger.of_commit(second.upstream)))


def _clashing(repo: Repo, onto: Oid, patch: Patch) -> frozenset[bytes]:
    picked = pick_patch(repo.objects, repo.tree(onto), patch, lambda: repo.made_on(patch))
    return frozenset(clash.path for clash in picked.clashes)


def _paths(patch: Patch) -> frozenset[bytes]:
    both = ((one.old_path, one.new_path) for one in patch.changes)
    return frozenset(path for pair in both for path in pair if path is not None)


def main() -> None:
    """Measure and print: each miss, then the sums."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.enabling", description=__doc__)
    parser.add_argument("--repo", type=Path, required=True)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("branches", nargs="+")
    given = parser.parse_args()
    repo = open_repo(given.repo)
    top = repo.branch_tip(given.upstream)
    order = tuple(repo.log(top))
    every: list[Found] = []
    for branch in given.branches:
        found = [look(repo, *x, top, order) for x in neighbours(repo, branch, given.upstream)]
        for one in found:
            if one.case is not Case.ALONE and not one.is_named:
                print(
                    f"  {one.case.value}: {_named(repo, one.second)} needs {_named(repo, one.first)}"
                )
        _say(branch, found)
        every += found
    if len(given.branches) > 1:
        _say("all", every)


def _named(repo: Repo, task: Task) -> str:
    subject = shown(repo.message(task.upstream).split(b"\n", 1)[0])
    return f"{task.upstream[:12]} ({task.backport[:12]}) {subject!r}"


def _say(branch: str, found: Sequence[Found]) -> None:
    words = [f"{len(found)} pairs"]
    for case in Case:
        some = [one for one in found if one.case is case]
        words.append(f"{case.value} {len(some)}")
        if case is not Case.ALONE:
            words[-1] += f", named {sum(one.is_named for one in some)}"
    counts = sorted(len(one.blockers) for one in found if one.case is Case.ENABLED)
    if counts:
        words.append(f"blockers {counts[len(counts) // 2]} in the median, {counts[-1]} at most")
    print(f"{branch}: {'; '.join(words)}", flush=True)


if __name__ == "__main__":
    main()
