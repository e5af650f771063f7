# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches into commits, one on the other, in the object database only."""

from __future__ import annotations

from collections.abc import Callable
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
    """Put every item of ``state.items`` that has no step yet on the tip."""
    judge = judge or Judge(repo, plan, state)
    first = len(state.steps)
    while len(state.steps) < len(state.items):
        item = state.items[len(state.steps)]
        judged = judge.judge(repo.tree(state.tip), item)
        patch, step, picked = judged.patch, judged.step, judged.picked
        if step is not None:
            if step.state is StepState.APPLIED and picked is not None:
                commit = commit_tree(repo, state, patch, picked.tree.id, item)
                step = replace(step, commit=commit)
            state = with_step(state, step)
            on_step(len(state.steps), len(state.items), patch, step)
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
                on_step(len(state.steps), len(state.items), patch, step)
                continue
            state = examined(repo, plan, state, judge.siblings, first)
            stop = stopped_at(item, patch, picked, blockers)
            state = replace(state, phase=Phase.STOPPED, clash=stop)
            return Assembly(state, (patch, picked), blockers, proposal)
        at = len(state.steps)
        state = replace(state, items=(*state.items[:at], *new, *state.items[at:]))
    return Assembly(examined(repo, plan, state, judge.siblings, first))


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
