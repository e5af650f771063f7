# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches into commits, one on the other, in the object database only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from backport.errors import MissingPrerequisite, Unaccounted
from backport.gateway.identity import Signature
from backport.gateway.repository import Repo
from backport.history.missing_names import Suspect, explain, find_lacking
from backport.history.presence import Present
from backport.history.siblings import AsBranch, Chosen, Siblings
from backport.levels import Allow, Phase, Prerequisites, Record
from backport.pick.allowance import Allowance
from backport.pick.outcome import How, Picked
from backport.planning.items import Item, Taken
from backport.planning.plan import Plan
from backport.run.journal import RunState, Stop, with_step
from backport.run.origin_lines import recorded, signed_off
from backport.run.steps import Reason, Step, StepState
from series.model import Oid, Patch, shown

if TYPE_CHECKING:
    from backport.history.upstream import Blocker

_MOST_NAMED = 6
_MOST_TAKEN = 40
"""Prerequisites taken from upstream in one run; past that the branch is the wrong one."""

OnStep = Callable[[int, int, Patch, Step], None]


@dataclass(frozen=True, slots=True)
class Assembly:
    """How far it came: the state with its steps, and what it stopped on.

    With ``blockers`` the stop is no conflict to resolve: upstream has what the patch waits for, and
    it may not be taken unasked.
    """

    state: RunState
    stopped: tuple[Patch, Picked] | None = None
    blockers: tuple[Blocker, ...] = ()
    noticed: tuple[int, ...] = ()
    """Steps (from 0) whose last note came up when all of them were on."""


def assemble(repo: Repo, plan: Plan, state: RunState, on_step: OnStep) -> Assembly:
    """Put every item of ``state.items`` that has no step yet on the tip."""
    present = Present(repo, state.onto, _fork(repo, state))
    allowance = Allowance(state.settings.fuzz, Allow.BINARY_STUB in state.settings.allow)
    siblings = Siblings(repo, state.onto, state.siblings, plan.series.patches, allowance)
    while len(state.steps) < len(state.items):
        item = state.items[len(state.steps)]
        patch = plan.patch(repo, item)
        claim = present.find(patch)
        if claim is not None and claim.sure:
            state = _record(
                state, Step(item, StepState.ALREADY, Reason(claim.why), None), patch, on_step
            )
            continue
        chosen = siblings.choose(repo.tree(state.tip), patch)
        picked = chosen.picked
        if picked.clean:
            step = _commit(repo, state, item, patch, chosen)
            if claim is not None and step.state is StepState.APPLIED:
                step = replace(step, notes=(claim.doubt, *step.notes))
            state = _record(state, step, patch, on_step)
            continue
        if claim is not None:
            state = _record(
                state, Step(item, StepState.ALREADY, Reason(claim.why), None), patch, on_step
            )
            continue
        blockers = (
            ()
            if state.settings.prerequisites is Prerequisites.IGNORE
            else _blockers(repo, state, patch, picked)
        )
        if not blockers:
            clashes = tuple((shown(clash.path), clash.reason) for clash in picked.clashes)
            stop = Stop(item, clashes)
            return Assembly(replace(state, phase=Phase.STOPPED, clash=stop), (patch, picked))
        taken = len(_taken(state))
        if (
            state.settings.prerequisites is not Prerequisites.TAKE
            or taken + len(blockers) > _MOST_TAKEN
        ):
            return Assembly(state, (patch, picked), blockers)
        at = len(state.steps)
        new = tuple(Taken(blocker.commit) for blocker in blockers)
        state = replace(state, items=(*state.items[:at], *new, *state.items[at:]))
    return _checked(repo, plan, state, siblings)


def _checked(repo: Repo, plan: Plan, state: RunState, siblings: Siblings) -> Assembly:
    """With a word at the steps that were not made for this very tree and name what it lacks."""
    suspects = []
    for number, step in enumerate(state.steps):
        if step.state is not StepState.APPLIED or step.how is How.EXACT:
            continue
        patch = plan.patch(repo, step.item)
        if isinstance(step.how, AsBranch):
            version = siblings.version(patch)
            patch = version.patch if version is not None else patch
        made_on = repo.made_on(patch)
        if made_on is not None:
            suspects.append(Suspect(number, patch, made_on.id))
    if not suspects:
        return Assembly(state)
    run = (plan.patch(repo, item) for item in state.items)
    branch = repo.tree(state.onto)
    steps, short = list(state.steps), state.branch.removeprefix("refs/heads/")
    lacking = find_lacking(repo, branch, suspects, run)
    for number, names in lacking.items():
        steps[number] = replace(steps[number], notes=(*steps[number].notes, explain(names, short)))
    return Assembly(replace(state, steps=tuple(steps)), noticed=tuple(lacking))


def missing(patch: Patch, blockers: tuple[Blocker, ...], state: RunState) -> MissingPrerequisite:
    """The error that names what is missing and where it is to be had."""
    taken = len(_taken(state))
    lines = "".join(f"\n  {blocker.explain()}" for blocker in blockers)
    upstream = state.settings.upstream
    over = f"; {taken} have been taken already, which looks like the wrong branch" if taken else ""
    return MissingPrerequisite(
        f"{patch.name} {patch.subject.decode('utf-8', 'replace')!r} needs what is neither in the"
        f" series nor on {state.branch.removeprefix('refs/heads/')}, and {upstream} has{over}:{lines}",
        "--prerequisites take picks them from there, each before the patch that needs it",
    )


def commit_tree(repo: Repo, state: RunState, patch: Patch, tree: Oid, item: Item) -> Oid:
    """Write the commit of a patch on the tip of the run."""
    # Without a date of its own a patch has its branch's: the same input gives the same objects.
    author = Signature(patch.author, patch.date or repo.when(state.onto))
    record = state.settings.record
    if isinstance(item, Taken) and record is Record.NONE:
        record = Record.CHERRY  # a commit that the user did not post must say where it is from
    message = recorded(patch, record)
    if state.settings.signoff:
        message = signed_off(message, state.committer.who)
    return repo.write_commit(tree, state.tip, author, state.committer, message, patch.encoding)


def _record(state: RunState, step: Step, patch: Patch, on_step: OnStep) -> RunState:
    state = with_step(state, step)
    on_step(len(state.steps), len(state.items), patch, step)
    return state


def _commit(repo: Repo, state: RunState, item: Item, patch: Patch, chosen: Chosen) -> Step:
    picked = chosen.picked
    notes = tuple(f"{shown(c.path)}: {note}" for c in picked.changes for note in c.notes)
    notes = (*chosen.notes, *_in_part(picked), *notes)
    if len(picked.changes) != len(chosen.patch.changes):
        raise Unaccounted(
            f"{len(picked.changes)} of {len(chosen.patch.changes)} files of {patch.name} were dealt with"
        )
    if picked.already and patch.changes:
        return Step(item, StepState.ALREADY, Reason("the tree has all of it"), None, notes)
    if not patch.changes:
        return Step(item, StepState.ALREADY, Reason("changes nothing"), None, notes)
    commit = commit_tree(repo, state, patch, picked.tree.id, item)
    return Step(item, StepState.APPLIED, chosen.how or picked.how, commit, notes)


def _in_part(picked: Picked) -> tuple[str, ...]:
    """A word where the tree has some of the files' changes and not the others."""
    there = [change.path for change in picked.changes if change.how is How.ALREADY]
    if not there or len(there) == len(picked.changes):
        return ()
    paths = ", ".join(map(shown, there[:_MOST_NAMED]))
    more = ", ..." if len(there) > _MOST_NAMED else ""
    return (f"partly there already: {paths}{more} ({len(there)} of {len(picked.changes)} files)",)


def _blockers(repo: Repo, state: RunState, patch: Patch, picked: Picked) -> tuple[Blocker, ...]:
    if state.settings.upstream is None:
        return ()
    from backport.history.upstream import find_blockers

    upstream = repo.commit(state.settings.upstream)
    return find_blockers(repo, upstream, state.onto, patch, picked.clashes, _taken(state))


def _taken(state: RunState) -> frozenset[Oid]:
    """The prerequisites that the run has taken from upstream."""
    return frozenset(item.commit for item in state.items if isinstance(item, Taken))


def _fork(repo: Repo, state: RunState) -> Oid | None:
    if state.settings.upstream is None:
        return None
    return repo.merge_base(state.onto, repo.commit(state.settings.upstream))
