# SPDX-License-Identifier: GPL-2.0-or-later
"""How a conflict could be resolved: laid out for the user to look at, or taken where he has said so.

Right in some four of five cases, so it is never taken for proven: by ``--accept proposals`` it goes on only
if the step then builds and passes all that it is validated by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backport.config import level_of
from backport.errors import CannotTest
from backport.gateway.repository import Repo
from backport.gateway.trees import TreeView
from backport.history.siblings import Siblings
from backport.levels import Level
from backport.pick.outcome import Clash, How, Picked
from backport.planning.items import Item
from backport.planning.plan import Plan
from backport.run.doubting import doubts_of
from backport.run.journal import RunState
from backport.run.steps import Step, StepState
from backport.verdicts import State, StepVerdict
from series.model import shown

if TYPE_CHECKING:
    from backport.pick.proposals import Proposal

ACCEPT = "proposals"
"""The word by which ``--accept`` takes them."""
_MOST_SHOWN = 40


def proposed(
    repo: Repo,
    plan: Plan,
    state: RunState,
    siblings: Siblings,
    number: int,
    before: TreeView,
    picked: Picked,
) -> Proposal | None:
    """The resolution of ``picked``, on which item ``number`` (from 0) stops on the tree ``before``; None
    where there is none, or a check doubts it."""
    from backport.pick.proposals import propose

    found = propose(repo.objects, picked)
    if found is None or doubts_of(repo, plan, state, siblings, number, before, found.tree):
        return None
    return found


def is_accepted(state: RunState) -> bool:
    """Whether the user takes proposals, and each step is built."""
    return ACCEPT in state.settings.accept and level_of(state.settings)[0] is not Level.NONE


def proposed_step(item: Item, proposal: Proposal) -> Step:
    """The step of a proposal that is taken, without its commit."""
    notes = tuple(
        f"{shown(path)}: a conflict, merged as {proposal.finer}" for path in proposal.texts
    )
    return Step(item, StepState.APPLIED, How.PROPOSED, None, notes)


def refuse_unproven(state: RunState, verdicts: Sequence[StepVerdict]) -> None:
    """Raise `CannotTest` where a step that went on by a proposal has not passed, whatever is accepted."""
    passed = {verdict.commit for verdict in verdicts if verdict.state is State.PASSED}
    for number, step in enumerate(state.steps, 1):
        if step.how is How.PROPOSED and step.commit not in passed:
            raise CannotTest(
                f"step {number} of {len(state.items)} went on by a proposal, and is not proven; no branch"
                " was moved",
                "`backport abort`, then apply without --accept proposals and resolve the conflict by hand",
            )


def as_diff(repo: Repo, clash: Clash, text: bytes) -> tuple[str, ...]:
    """What the proposal makes of the branch's file, for a screen."""
    from backport.gateway.text_diff import unified

    assert clash.ours is not None
    diff = _lines(unified(repo.objects.blob(clash.ours), text, context=2).removesuffix(b"\n"))
    more = [f"... {len(diff) - _MOST_SHOWN} more lines"] if len(diff) > _MOST_SHOWN else []
    return tuple(diff[:_MOST_SHOWN] + more)


def _lines(data: bytes) -> list[str]:
    return [shown(line) for line in data.split(b"\n")]
