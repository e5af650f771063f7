# SPDX-License-Identifier: GPL-2.0-or-later
"""What is doubtful of the steps of a run: all of them went on, and some may be wrong for the branch.

The steps are examined together, when all are on: the branch is searched once, and what another patch
of the run brings counts as there.  A patch that was made on the very tree that it goes on is not examined:
nothing can be missing there.

What the user decides takes away what a patch would have brought: those before it are examined once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from backport.config import level_of
from backport.gateway.commits import commit_changes
from backport.gateway.repository import Repo
from backport.gateway.trees import TreeView
from backport.history.other_branch import AsBranch
from backport.history.siblings import Siblings
from backport.levels import Level
from backport.planning.plan import Plan
from backport.run.declared import doubts_of_missing
from backport.run.journal import RunState
from backport.run.steps import Step, StepState
from series.model import Oid, Patch

if TYPE_CHECKING:  # what looks at names is loaded where there is something to look at
    from backport.history.missing_names import Suspect

ACCEPT = "doubt"
"""The word by which ``--accept`` takes them."""


def examined(repo: Repo, plan: Plan, state: RunState, siblings: Siblings, first: int) -> RunState:
    """The state with the doubts of each step from ``first`` on, which stand among its notes, too; where
    the user has left a patch out or resolved it, of those before it as well."""
    steps = list(state.steps)
    again = any(step.by_hand for step in steps)
    looked = _suspects(repo, plan, state, siblings)
    suspects = tuple(suspect for suspect in looked if again or suspect.number >= first)
    missing = doubts_of_missing(repo, state, plan.series)
    # Once the user has answered them they stand among the notes of the step that they stopped at.
    answered = any(set(missing) <= set(step.notes) for step in steps[:first])
    for number, step in enumerate(steps[first:], first) if missing and not answered else ():
        if step.state is StepState.APPLIED:
            steps[number] = _doubted(step, missing)
            break
    if suspects:
        from backport.history.doubts import doubted

        short, run = state.branch.removeprefix("refs/heads/"), _bringing(repo, plan, state)
        for number, found in doubted(repo, repo.tree(state.onto), suspects, run, short).items():
            step = steps[number]
            # A resolution is the user's own decision: the doubt is a note there, and stops nothing.
            steps[number] = _noted(step, found) if step.by_hand else _doubted(step, found)
    return replace(state, steps=tuple(steps))


def _noted(step: Step, found: tuple[str, ...]) -> Step:
    new = tuple(doubt for doubt in found if doubt not in step.notes)
    return replace(step, notes=(*step.notes, *new))


def _doubted(step: Step, found: tuple[str, ...]) -> Step:
    new = tuple(doubt for doubt in found if doubt not in step.doubts)
    return replace(step, notes=(*step.notes, *new), doubts=(*step.doubts, *new))


def doubts_of(
    repo: Repo,
    plan: Plan,
    state: RunState,
    siblings: Siblings,
    number: int,
    before: TreeView,
    result: TreeView,
) -> tuple[str, ...]:
    """What is doubtful of ``result``, which item ``number`` (from 0) of the run would make of ``before``."""
    from backport.history.doubts import doubted, put_on
    from backport.history.missing_names import Suspect

    patch = plan.patch(repo, state.items[number])
    where = put_on(repo, siblings, patch, before, result)
    if where is None:
        return ()
    suspect = Suspect(number, patch, where)
    run = _bringing(repo, plan, state)
    return doubted(repo, repo.tree(state.onto), (suspect,), run, "the branch").get(number, ())


def halting(state: RunState) -> int | None:
    """The first step (from 0) that the run may not go beyond: it is doubtful, and nothing judges it."""
    if _is_judged(state):
        return None
    last = _decided(state)
    return next((n for n, step in enumerate(state.steps) if step.doubts and n > last), None)


def unsettled(state: RunState) -> tuple[int, ...]:
    """The steps (from 0) before a decision of the user's that are doubtful only since then: to go back to
    them would undo what he has decided."""
    if _is_judged(state):
        return ()
    last = _decided(state)
    return tuple(n for n, step in enumerate(state.steps[: last + 1]) if step.doubts)


def open_doubts(state: RunState) -> tuple[str, ...]:
    """What a run that waits is doubtful of: the result that it stopped on, or, when all patches are on, the
    `unsettled` steps, each doubt with the number of its step."""
    if state.clash is not None:
        return state.clash.doubts
    if len(state.steps) < len(state.items):
        return ()
    total = len(state.items)
    return tuple(
        f"{number + 1}/{total} {doubt}"
        for number in unsettled(state)
        for doubt in state.steps[number].doubts
    )


def _is_judged(state: RunState) -> bool:
    return level_of(state.settings)[0] is not Level.NONE or ACCEPT in state.settings.accept


def _decided(state: RunState) -> int:
    """The last step (from 0) that the user has decided; -1 where there is none."""
    return max((n for n, step in enumerate(state.steps) if step.by_hand), default=-1)


def _bringing(repo: Repo, plan: Plan, state: RunState) -> list[Patch]:
    """The patches of the run, each in its place, with what the user has made of them."""
    patches = [plan.patch(repo, item) for item in state.items]
    tip = state.onto
    for number, step in enumerate(state.steps):
        before, tip = tip, step.commit or tip
        if step.by_hand:
            made = commit_changes(repo, repo.tree(before).id, repo.tree(tip).id)
            patches[number] = replace(patches[number], changes=made)
    return patches


def _suspects(repo: Repo, plan: Plan, state: RunState, siblings: Siblings) -> Iterator[Suspect]:
    tip = state.onto
    at_home = _made_at_home(repo, plan, state)
    for number, step in enumerate(state.steps):
        before, tip = tip, step.commit or tip
        if number not in at_home and step.commit is not None:
            found = _suspect(repo, plan, siblings, number, step, before)
            if found is not None:
                yield found


def _made_at_home(repo: Repo, plan: Plan, state: RunState) -> frozenset[int]:
    """The steps (from 0) of patches that were made on the branch's very tree, or on that and other patches
    of the run: nothing can be missing there that the run does not bring, in whichever order."""
    commits: dict[Oid, int] = {}
    for number, step in enumerate(state.steps):
        known = repo.known_commit(plan.patch(repo, step.item))
        if known is not None and not step.by_hand:
            commits[known] = number
    for number in range(len(state.steps), len(state.items)):
        known = repo.known_commit(plan.patch(repo, state.items[number]))
        if known is not None:
            commits[known] = number
    home, roots = repo.tree(state.onto).id, dict[Oid, Oid | None]()
    for commit in commits:
        line: list[Oid] = []
        at: Oid | None = commit
        while at in commits and at not in roots:
            line.append(at)
            parents = repo.parents(at)
            at = parents[0] if len(parents) == 1 else None
        root = roots.get(at, at) if at is not None else None
        roots |= dict.fromkeys(line, root)
    trees = {root: repo.tree(root).id for root in set(roots.values()) if root is not None}
    return frozenset(
        number
        for commit, number in commits.items()
        if (root := roots[commit]) is not None and trees[root] == home
    )


def _suspect(
    repo: Repo, plan: Plan, siblings: Siblings, number: int, step: Step, before: Oid
) -> Suspect | None:
    patch = plan.patch(repo, step.item)
    if isinstance(step.how, AsBranch):
        version = siblings.version_on(step.how.branch, patch, str(step.item))
        patch = version.patch if version is not None else patch
    assert step.commit is not None
    if not repo.made_elsewhere(patch, repo.tree(before)):
        return None
    from backport.history.doubts import put_on
    from backport.history.missing_names import Suspect

    where = put_on(repo, siblings, patch, repo.tree(before), repo.tree(step.commit))
    return Suspect(number, patch, where) if where is not None else None
