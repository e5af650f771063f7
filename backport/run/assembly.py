# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches into commits, one on the other, in the object database only."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

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
from series.model import Oid, Patch

if TYPE_CHECKING:
    from backport.history.upstream import Blocker
    from backport.pick.proposals import Proposal

_MOST_TAKEN = 40
"""Prerequisites taken from upstream in one run; past that the branch is the wrong one."""

OnStep = Callable[[int, int, Patch, Step], None]


@dataclass(frozen=True, slots=True)
class Assembly:
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

    Prerequisites go before their patch in upstream's order.  Where an older one is found later, those that
    were taken before it are applied again on top of it, so a step is reported only when it is final.
    """
    judge = judge or Judge(repo, plan, state)
    first, told = len(state.steps), _Told(on_step, len(state.steps))
    while len(state.steps) < len(state.items):
        item = state.items[len(state.steps)]
        judged = judge.judge(repo.tree(state.tip), item)
        patch, step, picked = judged.patch, judged.step, judged.picked
        if step is not None:
            if step.state is StepState.APPLIED and picked is not None:
                commit = commit_tree(repo, state, patch, picked.tree.id, item)
                step = replace(step, commit=commit)
            state = with_step(state, step)
            told.take(state, patch, step)
            continue
        assert picked is not None
        blockers = find_blocking(repo, state, patch, picked)
        new = tuple(Taken(blocker.commit) for blocker in blockers if blocker.sure)
        too_many = len(_taken(state)) + len(new) > _MOST_TAKEN
        if state.settings.prerequisites is not Prerequisites.TAKE or not new or too_many:
            proposal = judge.proposal(repo.tree(state.tip), state, len(state.steps), picked)
            if proposal is not None and is_accepted(state):
                step = proposed_step(item, proposal)
                commit = commit_tree(repo, state, patch, proposal.tree.id, item)
                state = with_step(state, replace(step, commit=commit))
                told.take(state, patch, step)
                continue
            told.rest(state)
            state = examined(repo, plan, state, judge.siblings, first)
            stop = stopped_at(item, patch, picked, blockers)
            state = replace(state, phase=Phase.STOPPED, clash=stop)
            return Assembly(state, (patch, picked), blockers, proposal)
        state = _with_taken(repo, state, new)
        told.rewind(len(state.steps))
        first = min(first, len(state.steps))
    told.rest(state)
    return Assembly(examined(repo, plan, state, judge.siblings, first))


def _with_taken(repo: Repo, state: RunState, new: tuple[Taken, ...]) -> RunState:
    """The state with ``new`` before the item that waits for them, in upstream's order with what was taken
    for it before; steps behind the first that moves are undone.

    What the user has resolved or skipped stays as it is, and what was taken before it, too.
    """
    at = start = len(state.steps)
    while (
        start and isinstance(state.items[start - 1], Taken) and not state.steps[start - 1].by_hand
    ):
        start -= 1
    before = state.items[start:at]
    assert state.settings.upstream is not None
    wanted = dict.fromkeys((*before, *new))
    ranks = _upstream_order(repo, state.settings.upstream, wanted)
    group = sorted(wanted, key=lambda item: ranks.get(item, 0))
    same = next((n for n, item in enumerate(before) if group[n] != item), len(before))
    items = (*state.items[:start], *group, *state.items[at:])
    return replace(state, items=items, steps=state.steps[: start + same])


def _upstream_order(repo: Repo, upstream: str, items: Collection[Item]) -> dict[Item, int]:
    """The places of commits of ``upstream`` in its history, oldest first; of one alone none is looked for."""
    if len(items) < 2:
        return {}
    left = {item.commit: item for item in items if isinstance(item, Taken)}
    ranks: dict[Item, int] = {}
    for commit in repo.log(repo.branch_tip(upstream)):
        if commit in left:
            ranks[left.pop(commit)] = -len(ranks)
        if not left:
            break
    return ranks


class _Told:
    """Tells the steps of an assembly: those of what was taken with the patch that they were taken for."""

    def __init__(self, on_step: OnStep, done: int) -> None:
        self._on_step = on_step
        self._done = done
        self._waiting: list[tuple[Patch, Step]] = []

    def take(self, state: RunState, patch: Patch, step: Step) -> None:
        """Take note of the newest step of ``state``."""
        self._waiting.append((patch, step))
        if not isinstance(step.item, Taken):
            self.rest(state)

    def rest(self, state: RunState) -> None:
        """Tell what waits."""
        for patch, step in self._waiting:
            self._done += 1
            self._on_step(self._done, len(state.items), patch, step)
        self._waiting.clear()

    def rewind(self, count: int) -> None:
        """Forget the steps past the first ``count``."""
        del self._waiting[max(0, count - self._done) :]
        self._done = min(self._done, count)


def refuse_missing(patch: Patch, blockers: tuple[Blocker, ...], state: RunState) -> None:
    """Raise `MissingPrerequisite` with ``--prerequisites stop``, and where too many have been taken."""
    taken = len(_taken(state))
    wanted = state.settings.prerequisites
    if wanted is not Prerequisites.STOP and not (
        wanted is Prerequisites.TAKE and taken + len(blockers) > _MOST_TAKEN
    ):
        return
    lines = "".join(f"\n  {blocker.explain()}" for blocker in blockers)
    upstream = state.settings.upstream
    over = f"; {taken} have been taken already, which looks like the wrong branch" if taken else ""
    raise MissingPrerequisite(
        f"{patch.name} {patch.subject.decode('utf-8', 'replace')!r} needs what is neither in the"
        f" series nor on {state.branch.removeprefix('refs/heads/')}, and {upstream} has{over}:{lines}",
        "--prerequisites take picks them from there, each before the patch that needs it;"
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
    return find_blockers(repo, upstream, state.onto, patch, picked.clashes, _taken(state))


def _taken(state: RunState) -> frozenset[Oid]:
    """The prerequisites that the run has taken from upstream."""
    return frozenset(item.commit for item in state.items if isinstance(item, Taken))
