# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of one run: plan, apply, validate, move; and its continuation from wherever it was cut.

Each phase is a function from the journal's state to the next one.  All the thinking is done in
objects; the user's branch moves once, at the end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backport import interrupts
from backport.config import level_of, with_options
from backport.counted import counted
from backport.errors import (
    BackportError,
    Conflict,
    DirtyWorktree,
    GitFailed,
    NotStored,
    UsageError,
)
from backport.gateway import refs, worktrees
from backport.gateway.repository import Repo
from backport.gateway.storing import refused
from backport.history.siblings import find_siblings
from backport.levels import Level, Phase, Prerequisites
from backport.planning.plan import Plan, combine, make_plan, refuse_gaps
from backport.run import moving
from backport.run.accounting import tally
from backport.run.assembly import assemble, commit_tree, refuse_missing
from backport.run.conventions import convention_of, sibling_notes
from backport.run.declared import base_notes, find_missing, refuse_undeclared
from backport.run.journal import RUN_REF, Journal, RunState, with_step
from backport.run.last_moves import Move, RefMove, forget, remember
from backport.run.move import check, move, put_back, refuse_moved, release
from backport.run.refusals import conflict_error, refuse_failed, refuse_second
from backport.run.request import Progress, Request, Result, Validation, pinned
from backport.run.signed import signed
from backport.run.steps import Reason, Step, StepState
from backport.verdicts import StepVerdict
from series.errors import SeriesError
from series.model import shown


def start(repo: Repo, request: Request, validation: Validation, progress: Progress) -> Result:
    """Begin a run and carry it as far as it goes."""
    journal = Journal(repo.state_dir)
    with at_work(repo, journal):
        _clear_finished(repo, journal, progress)
        refuse_second(journal)
        if request.to:
            # The branch itself is left alone, so any commit will do.
            onto, target = repo.commit(request.branch), _target(repo, request.to)
            branch = request.branch
        else:
            branch = repo.branch_ref(request.branch)
            target, onto = refs.resolve(repo, branch), repo.commit(branch)
            if target != branch:
                names = (ref.removeprefix("refs/heads/") for ref in (branch, target))
                progress.note("{} is a symbolic ref: {} moves".format(*names))
        worktrees.refuse_dirty(repo, target)
        who = repo.committer()
        state = RunState(
            phase=Phase.PLAN,
            settings=pinned(repo, request.settings),
            branch=branch,
            target=target,
            onto=onto,
            old=None if request.to else onto,
            committer=who,
            sources=request.sources,
            convention=convention_of(repo, onto, request.sources, request.settings, who),
            siblings=find_siblings(repo, branch, request.settings.sibling).siblings,
        )
        journal.begin(state)
        return _drive(repo, journal, state, validation, progress)


def resume(
    repo: Repo, validation: Validation, progress: Progress, changed: Mapping[str, Any] | None = None
) -> Result:
    """Carry on a run that was interrupted, or stopped on a conflict the user has resolved.

    ``changed`` are settings that the user has changed his mind about.
    """
    journal = Journal(repo.state_dir)
    with at_work(repo, journal):
        state = _waiting(journal)
        if not state.sources:
            raise UsageError(
                "an undo was interrupted", "`backport undo` finishes it, `backport abort` drops it"
            )
        if state.phase is not Phase.MOVE:
            refuse_moved(repo, state)
        if changed and not moving.has_moved(repo, journal):
            _take_back(repo, journal)
            state = replace(state, settings=with_options(state.settings, **changed))
            journal.write(state)
        if state.phase is Phase.STOPPED and _takes(repo, state, changed or {}):
            state = replace(state, phase=Phase.APPLY, clash=None)
            journal.write(state)
            _drop_worktree(repo, state, unresolved=True)
            state = replace(state, worktree=None)
        elif state.phase is Phase.STOPPED:
            state = _resolved(repo, journal, state, progress)
        return _drive(repo, journal, state, validation, progress)


def _takes(repo: Repo, state: RunState, changed: Mapping[str, Any]) -> bool:
    """Whether the patch that the run stopped on is to be put on again, behind what it waits for."""
    if changed.get("prerequisites") is not Prerequisites.TAKE or state.clash is None:
        return False
    if not state.clash.missing:
        raise UsageError(
            "--prerequisites take: no commit of upstream was found that the patch waits for",
            "resolve the conflict, then `backport continue`",
        )
    if state.worktree is not None and Path(state.worktree).is_dir():
        from backport.run import conflict

        folder = Path(state.worktree)
        if conflict.is_touched(folder, state.clash.laid, conflict.unresolved(repo, folder)):
            raise UsageError(
                f"--prerequisites take would throw away what you have done in {folder}",
                "`backport continue` uses it; to take the prerequisites, too, `backport abort`"
                " and apply again",
            )
    return True


def skip(repo: Repo, validation: Validation, progress: Progress) -> Result:
    """Leave out the patch that a run stopped on, and carry on."""
    journal = Journal(repo.state_dir)
    with at_work(repo, journal):
        state = _waiting(journal)
        if state.phase is not Phase.STOPPED or state.clash is None:
            raise UsageError(
                "the run did not stop on a conflict: there is nothing to skip",
                "`backport continue` resumes it",
            )
        step = Step(state.clash.item, StepState.SKIPPED, Reason("left out by hand"), None)
        state = replace(with_step(state, step), phase=Phase.APPLY, clash=None)
        journal.write(state)
        _drop_worktree(repo, state, unresolved=True)
        return _drive(repo, journal, state, validation, progress)


@dataclass(frozen=True, slots=True)
class Aborted:
    """A run that was dropped: its state, None where that could not be read; whether its branch had moved
    already, and was put back."""

    state: RunState | None
    put_back: bool


def abort(repo: Repo) -> Aborted:
    """Drop the run, and leave branch, index and files as they were before it."""
    journal = Journal(repo.state_dir)
    with at_work(repo, journal):
        try:
            state = journal.read()
        except UsageError:
            state = None
        else:
            if state is None:
                raise UsageError("no run in progress: nothing to abort")
        moved = _take_back(repo, journal)
        if moved and state is not None:
            with contextlib.suppress(UsageError):
                forget(repo, _ref_move(state))
        from backport.run import conflict, rerere

        folder = repo.state_dir / "conflict"
        if folder.is_dir():
            rerere.forget(repo, folder)
        conflict.remove(repo, folder)
        refs.delete(repo, RUN_REF)
        journal.end()
        return Aborted(state, moved)


@contextlib.contextmanager
def at_work(repo: Repo, journal: Journal) -> Iterator[None]:
    """Hold the lock; what a killed run has left beside its journal is cleared first.

    Raises `NotStored` if anything cannot be written; the run then waits as it was.
    """

    def hint() -> str:
        if not journal.file.exists():
            return "nothing was changed"
        return (
            "see that the disk has room and takes what is written; then `backport continue`,"
            " or `backport abort`"
        )

    with refused(hint), journal.locked(repo.git.handed_on):
        refs.unlock_packed(repo, RUN_REF)
        repo.objects.release_packs()
        for name in ("build", "conflict"):
            worktrees.forget_half_made(repo, repo.state_dir / name)
        yield


def _take_back(repo: Repo, journal: Journal) -> bool:
    """Undo what has been done of the last act; whether the branch had moved."""
    begun = moving.read(repo, journal)
    return begun is not None and put_back(begun, journal)


def _clear_finished(repo: Repo, journal: Journal, progress: Progress) -> None:
    """Where the last run had moved its branch, and could not clear up: do that."""
    if journal.file.exists() and moving.has_moved(repo, journal):
        state = _waiting(journal)
        move(repo, journal, state)
        _remember(repo, state)
        release(repo, journal)
        _forget(repo, journal)
        branch = state.target.removeprefix("refs/heads/")
        progress.note(f"the last run had moved {branch} to {state.end[:12]}: it is done")


def _drive(
    repo: Repo, journal: Journal, state: RunState, validation: Validation, progress: Progress
) -> Result:
    try:
        plan, state = _planned(repo, journal, state, progress)
        if state.phase is Phase.APPLY:
            state = _applied(repo, journal, state, plan, progress)
        verdicts: tuple[StepVerdict, ...] = ()
        proven = ""
        if moving.has_moved(repo, journal):
            proven = "each step had been proven before the run was cut"
        elif state.phase in (Phase.VALIDATE, Phase.MOVE):
            if state.phase is Phase.VALIDATE and level_of(state.settings)[0] is not Level.NONE:
                check(repo, journal, state)
            verdicts, proven = validation(repo, plan, state, progress)
            refuse_failed(repo, state, verdicts)
            state = replace(state, phase=Phase.MOVE)
            journal.write(state)
        numbers = tally(plan, state.steps, only=bool(state.settings.only))
        state = signed(repo, journal, state)
        move(repo, journal, state)
    except (BackportError, SeriesError) as error:
        if not _waits(journal, error):
            _take_back(repo, journal)
            _forget(repo, journal)
        raise
    # The branch has moved: what fails from here on is a matter of clearing up.
    interrupts.finish()
    try:
        _remember(repo, state)
        release(repo, journal)
        _forget(repo, journal)
    except (BackportError, OSError) as error:
        progress.note(
            f"{state.target.removeprefix('refs/heads/')} has moved, and what the run needed could not be"
            f" removed ({error}): `backport continue` does that"
        )
    subjects = tuple(shown(plan.patch(repo, step.item).subject) for step in state.steps)
    return Result(state, plan, subjects, numbers, verdicts, proven)


def _waits(journal: Journal, error: Exception) -> bool:
    """Whether the run stays to be continued after an expected failure; else it ends, nothing changed.

    A conflict waits, so does a worktree that is in the way of the last act; and the resolutions that
    somebody made by hand are never thrown away unasked.
    """
    if isinstance(error, Conflict | DirtyWorktree | GitFailed | NotStored):
        return True
    state = journal.read()
    by_hand = state is not None and any(step.state is StepState.RESOLVED for step in state.steps)
    if by_hand and isinstance(error, BackportError):
        error.hint = (
            f"{error.hint}; `backport continue` tries again with what you have resolved".lstrip(
                "; "
            )
        )
    return by_hand


def _remember(repo: Repo, state: RunState) -> None:
    """Note the move for `undo`."""
    if state.end != state.old and state.sources:
        done = counted(sum(step.commit is not None for step in state.steps), "patch")
        remember(repo, Move(f"apply, {done}", (_ref_move(state),)))


def _ref_move(state: RunState) -> RefMove:
    return RefMove(state.target, state.old, state.end)


def _forget(repo: Repo, journal: Journal) -> None:
    folder = repo.state_dir / "conflict"
    if worktrees.has_entry(repo, folder):  # a cut has left it
        from backport.run import conflict

        conflict.empty(repo, folder)
    with contextlib.suppress(OSError):  # not there, or something of the user's stands in it
        folder.rmdir()
    refs.delete(repo, RUN_REF)
    journal.end()


def _planned(
    repo: Repo, journal: Journal, state: RunState, progress: Progress
) -> tuple[Plan, RunState]:
    series = combine(repo, state.sources, state.settings, repo.tree(state.onto))
    if state.phase is not Phase.PLAN:
        return Plan(series, state.items), state
    if not state.settings.partial:
        refuse_gaps(series)
    refuse_undeclared(find_missing(repo, state.onto, series), state)
    progress.phase("order", len(series.patches))
    plan = make_plan(series, repo.tree(state.onto), state.settings.only)
    looked = sibling_notes(repo, state.branch, state.settings, series)
    plan = replace(plan, notes=(*plan.notes, *base_notes(repo, state.onto, series), *looked))
    for note in (*plan.notes, *plan.contradictions):
        progress.note(note)
    state = replace(state, phase=Phase.APPLY, items=plan.items)
    journal.write(state)
    return plan, state


def _applied(
    repo: Repo, journal: Journal, state: RunState, plan: Plan, progress: Progress
) -> RunState:
    progress.phase("apply", len(state.items))
    assembly = assemble(repo, plan, state, progress.step)
    state = assembly.state
    for number in assembly.noticed:
        step = state.steps[number]
        subject = shown(plan.patch(repo, step.item).subject)
        progress.note(f"{number + 1}/{len(state.items)} {subject}: {step.notes[-1]}")
    if assembly.stopped is not None and assembly.blockers:
        refuse_missing(assembly.stopped[0], assembly.blockers, state)
    refs.keep(repo, RUN_REF, state.tip)
    if assembly.stopped is None:
        state = replace(state, phase=Phase.VALIDATE)
        journal.write(state)
        return state
    patch, picked = assembly.stopped
    branch = state.branch.removeprefix("refs/heads/")
    from backport.run import conflict

    assert state.clash is not None
    laid = conflict.lay_out(repo, state.tip, patch, picked, branch)
    for note in laid.notes:
        progress.note(note)
    stop = replace(state.clash, laid=laid.files)
    state = replace(state, worktree=str(laid.folder), clash=stop)
    journal.write(state)
    raise conflict_error(state, patch, laid.folder)


def _resolved(repo: Repo, journal: Journal, state: RunState, progress: Progress) -> RunState:
    assert state.clash is not None and state.worktree is not None
    from backport.run import conflict, rerere

    plan = Plan(combine(repo, state.sources, state.settings, repo.tree(state.onto)), state.items)
    patch = plan.patch(repo, state.clash.item)
    taken = conflict.take_result(repo, Path(state.worktree), state.tip, patch)
    for note in (*taken.notes, rerere.record(repo, Path(state.worktree))):
        if note:
            progress.note(note)
    if taken.tree == repo.tree(state.tip).id:
        step = Step(
            state.clash.item, StepState.SKIPPED, Reason("the resolution changes nothing"), None
        )
    else:
        commit = commit_tree(repo, state, patch, taken.tree, state.clash.item)
        step = Step(state.clash.item, StepState.RESOLVED, Reason("by hand"), commit, taken.notes)
        refs.keep(repo, RUN_REF, commit)
    state = replace(with_step(state, step), phase=Phase.APPLY, clash=None)
    journal.write(state)
    _drop_worktree(repo, state)
    return replace(state, worktree=None)


def _drop_worktree(repo: Repo, state: RunState, *, unresolved: bool = False) -> None:
    """Empty the worktree of a conflict; its folder goes with the run."""
    if state.worktree is not None:
        from backport.run import conflict, rerere

        folder = Path(state.worktree)
        if unresolved and folder.is_dir():
            rerere.forget(repo, folder)
        conflict.empty(repo, folder)


def _target(repo: Repo, name: str) -> str:
    ref = f"refs/heads/{name}"
    if not refs.is_branch_name(ref):
        raise UsageError(f"--to {name}: not a valid branch name")
    if repo.ref(ref) is not None:
        raise UsageError(
            f"--to {name}: that branch exists",
            "choose another name, or delete it first (`git branch -D`)",
        )
    return ref


def _waiting(journal: Journal) -> RunState:
    state = journal.read()
    if state is None:
        raise UsageError("no run in progress: nothing to continue", "`backport apply` starts one")
    return state
