# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches into commits, one on the other, in the object database only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from backport.errors import MissingPrerequisite
from backport.gateway.identity import Signature
from backport.gateway.repository import Repo
from backport.history.missing_names import Suspect, explain, find_lacking
from backport.history.presence import Present
from backport.history.siblings import Chosen, Siblings
from backport.pick.outcome import How, Picked
from backport.planning.plan import Plan
from backport.run.journal import State, Step, Stop, with_step
from backport.run.origin_lines import recorded
from series.model import Oid, Patch, shown

if TYPE_CHECKING:
    from backport.history.upstream import Blocker

_MOST_TAKEN = 40
"""Prerequisites taken from upstream in one run; past that the branch is the wrong one."""

_OWN_WAYS = frozenset(way.value for way in How)

OnStep = Callable[[int, int, Patch, Step], None]


@dataclass(frozen=True, slots=True)
class Assembly:
    """How far it came: the state with its steps, and what it stopped on.

    With ``blockers`` the stop is no conflict to resolve: upstream has what the patch waits for, and
    it may not be taken unasked.
    """

    state: State
    stopped: tuple[Patch, Picked] | None = None
    blockers: tuple[Blocker, ...] = ()
    noticed: tuple[int, ...] = ()
    """Steps (from 0) whose last note came up when all of them were on."""


def assemble(repo: Repo, plan: Plan, state: State, on_step: OnStep) -> Assembly:
    """Put every item of ``state.items`` that has no step yet on the tip."""
    present = Present(repo, state.onto, _fork(repo, state))
    siblings = Siblings(repo, state.onto, state.siblings, plan.series.patches)
    while len(state.steps) < len(state.items):
        item = state.items[len(state.steps)]
        patch = plan.patch(repo, item)
        claim = present.find(patch)
        if claim is not None and claim.sure:
            state = _record(state, Step(item, "already", claim.why, None), patch, on_step)
            continue
        chosen = siblings.choose(repo.tree(state.tip), patch)
        picked = chosen.picked
        if picked.clean:
            step = _commit(repo, state, item, patch, chosen)
            if claim is not None and step.state == "applied":
                step = replace(step, notes=(claim.doubt, *step.notes))
            state = _record(state, step, patch, on_step)
            continue
        if claim is not None:
            state = _record(state, Step(item, "already", claim.why, None), patch, on_step)
            continue
        blockers = _blockers(repo, state, patch, picked)
        if not blockers:
            clashes = tuple((shown(clash.path), clash.reason) for clash in picked.clashes)
            stop = Stop(item, clashes)
            return Assembly(replace(state, phase="stopped", clash=stop), (patch, picked))
        taken = sum(1 for x in state.items if x.startswith("c"))
        if state.settings.prerequisites != "take" or taken + len(blockers) > _MOST_TAKEN:
            return Assembly(state, (patch, picked), blockers)
        at = len(state.steps)
        new = tuple(f"c{blocker.commit}" for blocker in blockers)
        state = replace(state, items=(*state.items[:at], *new, *state.items[at:]))
    return _checked(repo, plan, state, siblings)


def _checked(repo: Repo, plan: Plan, state: State, siblings: Siblings) -> Assembly:
    """With a word at the steps that were not made for this very tree and name what it lacks."""
    suspects = []
    for number, step in enumerate(state.steps):
        if step.state != "applied" or step.how == How.EXACT.value:
            continue
        patch = plan.patch(repo, step.item)
        if step.how not in _OWN_WAYS:
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


def missing(patch: Patch, blockers: tuple[Blocker, ...], state: State) -> MissingPrerequisite:
    """The error that names what is missing and where it is to be had."""
    taken = sum(1 for item in state.items if item.startswith("c"))
    lines = "".join(f"\n  {blocker.explain()}" for blocker in blockers)
    upstream = state.settings.upstream
    over = f"; {taken} have been taken already, which looks like the wrong branch" if taken else ""
    return MissingPrerequisite(
        f"{patch.name} {patch.subject.decode('utf-8', 'replace')!r} needs what is neither in the"
        f" series nor on {state.branch.removeprefix('refs/heads/')}, and {upstream} has{over}:{lines}",
        "--prerequisites take picks them from there, each before the patch that needs it",
    )


def commit_tree(repo: Repo, state: State, patch: Patch, tree: Oid, item: str) -> Oid:
    """Write the commit of a patch on the tip of the run."""
    author = Signature(patch.author, patch.date or state.committer.when)
    record = state.settings.record
    if item.startswith("c") and record == "none":
        record = "cherry"  # a commit that the user did not post must say where it is from
    message = recorded(patch, record)
    return repo.write_commit(tree, state.tip, author, state.committer, message, patch.encoding)


def _record(state: State, step: Step, patch: Patch, on_step: OnStep) -> State:
    state = with_step(state, step)
    on_step(len(state.steps), len(state.items), patch, step)
    return state


def _commit(repo: Repo, state: State, item: str, patch: Patch, chosen: Chosen) -> Step:
    picked = chosen.picked
    notes = tuple(f"{shown(c.path)}: {note}" for c in picked.changes for note in c.notes)
    notes = (*chosen.notes, *notes)
    if picked.already and patch.changes:
        return Step(item, "already", "the tree holds all of it", None, notes)
    if not patch.changes:
        return Step(item, "already", "changes nothing", None, notes)
    commit = commit_tree(repo, state, patch, picked.tree.id, item)
    return Step(item, "applied", chosen.how or picked.how.value, commit, notes)


def _blockers(repo: Repo, state: State, patch: Patch, picked: Picked) -> tuple[Blocker, ...]:
    if state.settings.upstream is None:
        return ()
    from backport.history.upstream import find_blockers

    upstream = repo.commit(state.settings.upstream)
    have = frozenset(Oid(item[1:]) for item in state.items if item.startswith("c"))
    return find_blockers(repo, upstream, state.onto, patch, picked.clashes, have)


def _fork(repo: Repo, state: State) -> Oid | None:
    if state.settings.upstream is None:
        return None
    return repo.merge_base(state.onto, repo.commit(state.settings.upstream))
