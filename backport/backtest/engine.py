# SPDX-License-Identifier: GPL-2.0-or-later
"""One task, done as a run would do it, with what there was at that moment."""

from __future__ import annotations

import resource
import time
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from backport.backtest.tasks import Task
from backport.gateway.commits import commit_patch
from backport.gateway.repository import Repo
from backport.gateway.tree_words import TreeWords
from backport.gateway.trees import TreeView
from backport.history.doubts import doubts
from backport.history.missing_names import (
    Setting,
    Suspect,
    declares,
    lacking_members,
    uses,
)
from backport.history.odd_calls import odd_calls
from backport.history.other_branch import AsBranch, Sibling
from backport.history.siblings import AUTO, Chosen, Siblings, Versions, find_siblings
from backport.pick.proposals import propose
from series.model import Oid

DAY = 86_400
"""Seconds."""


class Outcome(StrEnum):
    """What a task came to, against the tree that the maintainer committed."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    DOUBT = "doubt"
    """Clean, and a check doubts it."""
    CONFLICT = "conflict"


class Answer(Struct, frozen=True):
    """The engine's answer to one task."""

    outcome: Outcome
    how: str = ""
    """exact, merged, ...; the branch whose version went on; empty for a conflict."""
    doubted: Outcome | None = None
    """What a doubted result would have been."""
    doubts: tuple[str, ...] = ()
    proposal: bool | None = None
    """Of a conflict: whether the proposal was right; None where there is none."""
    finer: str = ""
    """How the proposal came about."""
    seconds: float = 0.0
    """Of one processor, with the programs that were run (`git grep`)."""


class Engine:
    """Does tasks again; keeps what branches say of each other for as long as it is open."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._versions = Versions(repo)
        self._siblings: dict[str, tuple[Sibling, ...]] = {}
        self._words = TreeWords(repo)
        """Of the branch's trees."""

    def answer(self, task: Task, least_age: int = 0) -> Answer:
        """Put the task's upstream commit onto the backport's parent.

        Newer branches' versions count where they were committed before the backport, by at least
        ``least_age`` seconds.
        """
        begun = _spent()
        answer = self._answer(task, least_age)
        return replace(answer, seconds=_spent() - begun)

    def _answer(self, task: Task, least_age: int) -> Answer:
        repo = self._repo
        onto = repo.parents(task.backport)[0]
        chosen = self._choose(task, onto, repo.when(task.backport).seconds - least_age)
        wanted = repo.tree(task.backport).id
        if not chosen.picked.clean:
            proposal = propose(repo.objects, chosen.picked)
            if proposal is None or self._doubts(chosen, onto, task.upstream, proposal.tree):
                return Answer(Outcome.CONFLICT)
            right = proposal.tree.id == wanted
            return Answer(Outcome.CONFLICT, proposal=right, finer=proposal.finer)
        how = chosen.how.branch if isinstance(chosen.how, AsBranch) else str(chosen.picked.how)
        same = chosen.picked.tree.id == wanted
        outcome = Outcome.IDENTICAL if same else Outcome.DIFFERENT
        made_from = chosen.patch.commit or task.upstream
        found = self._doubts(chosen, onto, made_from, chosen.picked.tree)
        if found:
            return Answer(Outcome.DOUBT, how, outcome, found)
        return Answer(outcome, how)

    def _choose(self, task: Task, onto: Oid, until: int) -> Chosen:
        patch = commit_patch(self._repo, task.upstream)
        known = self._siblings.get(task.branch)
        if known is None:
            looked = find_siblings(self._repo, task.branch, (AUTO,))
            known = self._siblings[task.branch] = looked.siblings
        then = tuple(replace(one, until=until) for one in known)
        siblings = Siblings(self._repo, onto, then, (patch,), versions=self._versions)
        return siblings.choose(self._repo.tree(onto), patch)

    def _doubts(self, chosen: Chosen, onto: Oid, commit: Oid, result: TreeView) -> tuple[str, ...]:
        before = self._repo.tree(self._repo.parents(commit)[0])
        where = Setting(self._repo.tree(onto), result, before, self._repo.tree(commit))

        def made(tree: Oid, names: frozenset[bytes]) -> frozenset[bytes]:
            return declares(self._repo, tree, names)

        suspect = Suspect(0, chosen.patch, where)
        run = (chosen.patch,)
        reached = lacking_members(self._repo, where.branch, (suspect,), run).get(0, ())
        said = (uses(reached, "the branch"),) if reached else ()
        calls = odd_calls(self._repo, where.branch, (suspect,), run).get(0, ())
        return (*doubts(where, chosen.patch, self._words.held, made), *said, *calls)


def _spent() -> float:
    """Seconds that a processor has spent on this process and on those it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
