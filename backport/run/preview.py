# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run would do, found by doing it in memory: for ``plan``, ``graph`` and ``bisect``.

Nothing is written: new objects stay in memory (see pick/objects.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from backport.config import Settings
from backport.errors import ExitCode
from backport.gateway.repository import Repo
from backport.history.siblings import find_siblings
from backport.history.upstream import Blocker
from backport.levels import Phase, Prerequisites
from backport.pick.outcome import Picked
from backport.planning.given import Source
from backport.planning.items import Item
from backport.planning.plan import Plan, combine, make_plan, reach_of, refuse_gaps
from backport.run.assembly import assemble
from backport.run.behind import Behind, look_behind
from backport.run.conventions import convention_of, sibling_notes
from backport.run.declared import base_notes, find_missing
from backport.run.doubting import halting
from backport.run.journal import RunState
from backport.run.judging import Judge
from backport.run.request import pinned
from series.model import Oid, Patch


class Outlook(Struct, frozen=True):
    """The plan, what would come of each step, and what would stop the run."""

    plan: Plan
    state: RunState
    patches: tuple[Patch, ...]
    """In the order in which they go on, taken prerequisites included."""
    stopped: tuple[Patch, Picked] | None = None
    blockers: tuple[Blocker, ...] = ()
    undeclared: tuple[str, ...] = ()
    """What the series declares that it needs, and nobody has."""
    behind: tuple[Behind, ...] = ()
    """What would come of the patch that stops the run and of those after it, where that was asked for."""

    @property
    def exit_code(self) -> int:
        """The code with which ``apply`` would end before validation."""
        wanted = self.state.settings.prerequisites
        undeclared = self.undeclared and wanted is not Prerequisites.REPORT
        if undeclared or (self.blockers and wanted is Prerequisites.STOP):
            return int(ExitCode.PREREQUISITE)
        stops = self.stopped is not None or self.halts_at is not None
        return int(ExitCode.CONFLICT) if stops else 0

    @property
    def halts_at(self) -> int | None:
        """The step (from 0) that is doubtful, and that nothing would judge."""
        return halting(self.state)

    @property
    def items(self) -> tuple[Item, ...]:
        """What the patches are: posted, or taken from upstream."""
        return self.state.items


def foresee(
    repo: Repo,
    onto: Oid,
    sources: Sequence[Source],
    settings: Settings,
    branch: str = "",
    *,
    whole: bool = False,
    apart: bool = False,
) -> Outlook:
    """Order the sources and put them on ``onto``, in memory.

    ``whole``: also what is behind a stop.  ``apart``: for patches that are to go on without the others, as
    with ``--only`` (see `Plan.reach`).
    """
    plan, state = begin(repo, onto, sources, settings, branch)
    if apart:  # before the picks, which make the blobs
        plan = replace(plan, reach=reach_of(plan.series.patches, repo.tree(onto)))
    judge = Judge(repo, plan, state)
    done = assemble(repo, plan, state, lambda *_: None, judge)
    behind: tuple[Behind, ...] = ()
    if whole and done.stopped is not None:
        behind = look_behind(repo, done.state, judge, done.stopped, done.blockers)
    patches = tuple(plan.patch(repo, item) for item in done.state.items)
    ignore = settings.prerequisites is Prerequisites.IGNORE
    undeclared = () if ignore else find_missing(repo, onto, plan.series)
    return Outlook(plan, done.state, patches, done.stopped, done.blockers, undeclared, behind)


def begin(
    repo: Repo, onto: Oid, sources: Sequence[Source], settings: Settings, branch: str = ""
) -> tuple[Plan, RunState]:
    """The plan, and the state of a run that is about to assemble it."""
    series = combine(repo, sources, settings, repo.tree(onto))
    if not settings.partial:
        refuse_gaps(series)
    plan = make_plan(series, repo.tree(onto), settings.only)
    name = branch or settings.branch or ""
    looked = sibling_notes(repo, name, settings, series) if name else ()
    plan = replace(plan, notes=(*plan.notes, *base_notes(repo, onto, series), *looked))
    who = repo.committer()
    state = RunState(
        phase=Phase.APPLY,
        settings=pinned(repo, settings),
        branch=branch or settings.branch or onto,
        target="",
        onto=onto,
        old=None,
        committer=who,
        convention=convention_of(repo, onto, sources, settings, who),
        sources=(),
        items=plan.items,
        siblings=find_siblings(repo, name, settings.sibling).siblings,
    )
    return plan, state
