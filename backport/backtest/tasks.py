# SPDX-License-Identifier: GPL-2.0-or-later
"""The backports to do again: named in a file, or found on the branches."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from backport.errors import UsageError
from backport.gateway.repository import Repo
from backport.history.presence import origins
from series.model import Oid


class Task(Struct, frozen=True):
    """What a maintainer did: on ``branch`` he committed ``backport``, which is ``upstream`` there."""

    branch: str
    backport: Oid
    upstream: Oid


class LeftOut(Struct, frozen=True):
    """A task that cannot be done again, and why."""

    task: Task
    why: str


def read_tasks(file: Path) -> tuple[Task, ...]:
    """The tasks of a file of JSON lines with ``branch``, ``backport`` and ``upstream``."""
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--tasks {file}: {error}") from error
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            values = row["branch"], row["backport"], row["upstream"]
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"--tasks {file}, line {number}: no task ({error})",
                'a line is {"branch": NAME, "backport": ID, "upstream": ID}',
            ) from error
        if not all(isinstance(value, str) and value for value in values):
            raise UsageError(f"--tasks {file}, line {number}: the three values are texts")
        found.append(Task(values[0], Oid(values[1]), Oid(values[2])))
    return tuple(found)


def find_tasks(repo: Repo, branches: Sequence[str], upstream: str) -> tuple[Task, ...]:
    """Every commit of ``branches``, since they left ``upstream``, that names one origin."""
    found = []
    for branch in branches:
        tip, trunk = repo.branch_tip(branch), repo.branch_tip(upstream)
        fork = repo.merge_base(tip, trunk)
        if fork is None:
            raise UsageError(f"{branch} and {upstream} share no history")
        for commit in repo.log(tip, hide=(fork,)):
            named = origins(repo.message(commit))
            if len(set(named)) == 1 and len(repo.parents(commit)) == 1:
                found.append(Task(branch, commit, Oid(named[0])))
    return tuple(found)


def sampled(tasks: Sequence[Task], count: int | None, seed: int) -> tuple[Task, ...]:
    """``count`` of them, the same for the same seed, in their order."""
    if count is None or count >= len(tasks):
        return tuple(tasks)
    chosen = sorted(random.Random(seed).sample(range(len(tasks)), count))
    return tuple(tasks[number] for number in chosen)


def feasible(repo: Repo, tasks: Iterable[Task]) -> Iterator[Task | LeftOut]:
    """Each task with whole ids, or why it cannot be done again."""
    for task in tasks:
        backport, upstream = repo.find_commit(task.backport), repo.find_commit(task.upstream)
        if backport is None or upstream is None:
            lacking = task.backport if backport is None else task.upstream
            yield LeftOut(task, f"the repository has no commit {lacking[:12]}")
            continue
        counts = len(repo.parents(backport)), len(repo.parents(upstream))
        if counts != (1, 1):
            what = "backport" if counts[0] != 1 else "upstream commit"
            kind = "a merge" if max(counts) > 1 else "a root commit"
            yield LeftOut(task, f"the {what} is {kind}: no one parent to compare with")
            continue
        yield Task(task.branch, backport, upstream)
