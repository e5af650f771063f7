# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches into commits, one on the other, in the object database only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from backport.errors import MissingPrerequisite
from backport.gateway.identity import Signature
from backport.gateway.repository import Repo
from backport.levels import Phase, Prerequisites, Record
from backport.pick.outcome import Picked
from backport.planning.items import Item, Taken
from backport.planning.plan import Plan
from backport.run.doubting import examined
from backport.run.encoding import encoded
from backport.run.journal import RunState, with_step
from backport.run.judging import Judge
from backport.run.origin_lines import recorded, signed_off
from backport.run.proposing import is_accepted, proposed_step
from backport.run.steps import Step, StepState
from backport.run.stop import stopped_at
from backport.run.taking import Taker, Waiting, chosen, taken, with_taken
from series.model import Oid, Patch

if TYPE_CHECKING:
    from backport.history.upstream import Blocker
    from backport.pick.proposals import Proposal
    from backport.survey.advice import Advised

OnStep = Callable[[int, int, Patch, Step], None]


class Assembly(Struct, frozen=True):
    """How far it came: the state with its steps, and what it stopped on.

    With ``blockers`` upstream has what the patch waits for, and it may not be taken unasked.
    """

    state: RunState
    stopped: tuple[Patch, Picked] | None = None
    blockers: tuple[Blocker, ...] = ()
    proposal: Proposal | None = None
    """How what it stopped on could be resolved."""


def assemble(
    repo: Repo, plan: Plan, state: RunState, on_step: OnStep, judge: Judge | None = None
) -> Assembly:
    """Put every item of ``state.items`` that has no step yet on the tip.

    Prerequisites go before their patch in upstream's order, and only if it goes on then (see taking).  Where
    an older one is found later, those that were taken before it are applied again on top of it, so a step is
    reported only when it is final.
    """
    judge = judge or Judge(repo, plan, state)
    taker = Taker(repo, plan)
    first, reports = len(state.steps), _Reports(on_step, len(state.steps))
    waiting: Waiting | None = None
    while len(state.steps) < len(state.items):
        item = state.items[len(state.steps)]
        judged = judge.judge(repo.tree(state.tip), item)
        patch, step, picked = judged.patch, judged.step, judged.picked
        if step is not None:
            if step.state is StepState.APPLIED and picked is not None:
                commit = commit_tree(repo, state, patch, picked.tree.id, item)
                step = replace(step, commit=commit)
            state = with_step(state, step)
            reports.add(state, patch, step)
            if waiting is not None and item == waiting.item:
                waiting = None
            continue
        assert picked is not None
        blockers, advised, new = _lacked(repo, taker, state, patch, picked)
        if waiting is None:
            waiting = Waiting(state, item, patch, picked, blockers, advised)
        if new and item == waiting.item:
            state = with_taken(repo, state, new)
            reports.drop_past(len(state.steps))
            first = min(first, len(state.steps))
            continue
        tried = tuple(taken(state) - taken(waiting.state))
        if tried:
            # What was taken does not carry it: it is as if nothing had been.
            waiting = replace(waiting, advised=waiting.disproven(tried))
            reports.drop_past(len(waiting.state.steps))
        state, item, patch, picked = waiting.state, waiting.item, waiting.patch, waiting.picked
        proposal = judge.proposal(repo.tree(state.tip), state, len(state.steps), picked)
        if proposal is not None and is_accepted(state):
            step = proposed_step(item, proposal)
            commit = commit_tree(repo, state, patch, proposal.tree.id, item)
            state = with_step(state, replace(step, commit=commit))
            reports.add(state, patch, step)
            waiting = None
            continue
        reports.finish(state)
        state = examined(repo, plan, state, judge.siblings, first)
        stop = stopped_at(item, patch, picked, waiting.blockers, waiting.advised)
        state = replace(state, phase=Phase.STOPPED, clash=stop)
        return Assembly(state, (patch, picked), waiting.blockers, proposal)
    reports.finish(state)
    return Assembly(examined(repo, plan, state, judge.siblings, first))


def _lacked(
    repo: Repo, taker: Taker, state: RunState, patch: Patch, picked: Picked
) -> tuple[tuple[Blocker, ...], tuple[Advised, ...], tuple[Taken, ...]]:
    """What a patch waits for; where it may be taken, the advice on each, and what is to be taken."""
    blockers = find_blocking(repo, state, patch, picked)
    if state.settings.prerequisites is not Prerequisites.TAKE:
        return blockers, (), ()
    advised = taker.advise(state, blockers)
    return blockers, advised, chosen(blockers, advised)


class _Reports:
    """Reports the steps of an assembly: those of what was taken with the patch that they were taken for."""

    def __init__(self, on_step: OnStep, done: int) -> None:
        self._on_step = on_step
        self._done = done
        self._waiting: list[tuple[Patch, Step]] = []

    def add(self, state: RunState, patch: Patch, step: Step) -> None:
        """Take note of the newest step of ``state``."""
        self._waiting.append((patch, step))
        if not isinstance(step.item, Taken):
            self.finish(state)

    def finish(self, state: RunState) -> None:
        """Report what waits."""
        for patch, step in self._waiting:
            self._done += 1
            self._on_step(self._done, len(state.items), patch, step)
        self._waiting.clear()

    def drop_past(self, count: int) -> None:
        """Forget the steps past the first ``count``."""
        del self._waiting[max(0, count - self._done) :]
        self._done = min(self._done, count)


def refuse_missing(patch: Patch, blockers: tuple[Blocker, ...], state: RunState) -> None:
    """Raise `MissingPrerequisite` with ``--prerequisites stop``."""
    if state.settings.prerequisites is not Prerequisites.STOP:
        return
    lines = "".join(f"\n  {blocker.explain()}" for blocker in blockers)
    upstream = state.settings.upstream
    raise MissingPrerequisite(
        f"{patch.name} {patch.subject.decode('utf-8', 'replace')!r} needs what is neither in the"
        f" series nor on {state.branch.removeprefix('refs/heads/')}, and {upstream} has:{lines}",
        "--prerequisites take picks those that go on by themselves, before the patch, if it goes on then;"
        " report stops as on a conflict, to be resolved by hand",
    )


def commit_tree(repo: Repo, state: RunState, patch: Patch, tree: Oid, item: Item) -> Oid:
    """Write the commit of a patch on the tip of the run."""
    # Without a date of its own a patch has its branch's: the same input gives the same objects.
    author = Signature(patch.author, patch.date or repo.when(state.onto))
    record = state.settings.record
    if record is Record.AUTO:
        # Of a mail that names a commit the message stays as it is.
        record = state.convention if patch.parent is not None else Record.NONE
    if isinstance(item, Taken) and record in (Record.NONE, Record.NAME):
        record = Record.CHERRY  # a commit that the user did not post must say where it is from
    known = repo.known_commit(patch) if patch.commit is not None else None
    message = recorded(patch, record, repo.when(known) if known is not None else None)
    if state.settings.signoff:
        message = signed_off(message, state.committer.who)
    committer, header = state.committer, patch.encoding
    if header is None:
        wanted = state.settings.commit_encoding
        message, author, committer, header = encoded(message, author, committer, wanted)
    return repo.write_commit(tree, state.tip, author, committer, message, header)


def find_blocking(repo: Repo, state: RunState, patch: Patch, picked: Picked) -> tuple[Blocker, ...]:
    """What upstream has and ``patch``, which does not go on, waits for."""
    settings = state.settings
    if settings.upstream is None or settings.prerequisites is Prerequisites.IGNORE:
        return ()
    from backport.history.upstream import find_blockers

    upstream = repo.branch_tip(settings.upstream)
    return find_blockers(repo, upstream, state.onto, patch, picked.clashes, taken(state))
