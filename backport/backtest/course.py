# SPDX-License-Identifier: GPL-2.0-or-later
"""All tasks, on all processors, beside git's own merge."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path

from msgspec import Struct

from backport.backtest.engine import DAY, Answer, Engine, Outcome
from backport.backtest.tasks import LeftOut, Task
from backport.environment import Environment
from backport.errors import MissingObject
from backport.gateway.git_merge import GitMerge
from backport.gateway.repository import Repo, open_repo
from backport.store.files import temporary_folder

_PORTION = 64
"""Tasks of one branch that one process does in turn: neighbours' trees are alike."""

_OID = re.compile(r"[0-9a-f]{40}")


class Row(Struct, frozen=True):
    """One task: what the engine made of it, what it would have with old versions only, and git."""

    task: Task
    answer: Answer
    old: Answer
    """With versions at least a day old."""
    git: Outcome


def run(
    repo: Repo, tasks: Sequence[Task], jobs: int, done: Callable[[int], None] = lambda count: None
) -> tuple[Row | LeftOut, ...]:
    """Do every task; rows in the order of ``tasks``.  ``done`` hears how many are done."""
    where = (str(repo.git_dir), dict(repo.environment.variables))
    portions = list(_portions(tasks))
    processes = min(jobs or os.cpu_count() or 1, max(len(portions), 1))
    rows: list[Row | LeftOut] = []
    if processes == 1:
        with _Worker(*where) as worker:
            for portion in portions:
                rows += worker.rows(portion)
                done(len(rows))
    else:
        context = get_context("spawn")
        with ProcessPoolExecutor(processes, context, _begin, where) as pool:
            for found in pool.map(_rows, portions):
                rows += found
                done(len(rows))
    return tuple(rows)


def _portions(tasks: Sequence[Task]) -> Iterator[tuple[Task, ...]]:
    for _, group in groupby(tasks, lambda task: task.branch):
        same = tuple(group)
        for at in range(0, len(same), _PORTION):
            yield same[at : at + _PORTION]


class _Worker:
    """The engine and git's merge in one process."""

    def __init__(self, git_dir: str, variables: dict[str, str]) -> None:
        self._stack = ExitStack()
        folder = self._stack.enter_context(temporary_folder())
        self._repo = open_repo(Path(git_dir), Environment.copied(variables))
        self._engine = Engine(self._repo)
        self._git = GitMerge(self._repo, folder)

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def rows(self, tasks: Sequence[Task]) -> list[Row | LeftOut]:
        return [self._row(task) for task in tasks]

    def _row(self, task: Task) -> Row | LeftOut:
        engine = self._engine
        try:
            new, old = engine.answer(task), engine.answer(task, least_age=DAY)
            return Row(task, new, old, self._merged(task))
        except (KeyError, MissingObject) as error:  # the former is libgit2's word for it
            named = _OID.search(str(error))
            what = f"the object {named[0][:12]}" if named else "an object"
            return LeftOut(task, f"the repository lacks {what}")

    def _merged(self, task: Task) -> Outcome:
        onto, parent = self._repo.parents(task.backport)[0], self._repo.parents(task.upstream)[0]
        trees = (self._repo.tree(commit).id for commit in (parent, onto, task.upstream))
        found = self._git.tree(*trees)
        if found is None:
            return Outcome.CONFLICT
        same = found == self._repo.tree(task.backport).id
        return Outcome.IDENTICAL if same else Outcome.DIFFERENT


_worker: _Worker | None = None
"""Of a process of the pool."""


def _begin(git_dir: str, variables: dict[str, str]) -> None:
    global _worker
    _worker = _Worker(git_dir, variables)


def _rows(tasks: Sequence[Task]) -> list[Row | LeftOut]:
    assert _worker is not None
    return _worker.rows(tasks)
