# SPDX-License-Identifier: GPL-2.0-or-later
"""The phases of one run, from wherever it stands to its end: plan, apply, validate, move.

Each phase is a function from the journal's state to the next one.  All the thinking is done in objects;
the branch moves once, at the end.  Who begins a run, or carries it on, holds the lock (see life).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from msgspec import Struct
from msgspec.structs import replace

from backport import interrupts
from backport.config import level_of
from backport.counted import counted
from backport.errors import BackportError, Conflict, DirtyWorktree, GitFailed, NotStored
from backport.gateway import refs, worktrees
from backport.gateway.repository import Repo
from backport.levels import Level, Phase
from backport.pick.outcome import Picked
from backport.planning.plan import Plan, combine, make_plan, refuse_gaps
from backport.run import last_moves, moving
from backport.run.accounting import tally
from backport.run.assembly import assemble, commit_tree, refuse_missing
from backport.run.conventions import sibling_notes
from backport.run.declared import base_notes, find_missing, refuse_undeclared
from backport.run.doubting import ACCEPT, halting, unsettled
from backport.run.journal import Journal, RunState, with_step
from backport.run.move import check, move, put_back, release
from backport.run.refusals import conflict_error, refuse_failed, unsettled_error
from backport.run.request import Progress, Result, Validation
from backport.run.signed import signed
from backport.run.steps import Reason, Step, StepState
from backport.run.stop import Stop, help_lines, with_advice
from backport.run.taking import Taker
from backport.verdicts import StepVerdict
from series.errors import SeriesError
from series.model import Patch, shown


def note_nothing(_: object) -> None:
    """One branch alone: its run is over when its journal is."""


class Together(Struct, frozen=True):
    """What differs where the run is one of several.

    ``moved`` and ``failed`` note its end: the journal goes after that.  ``holds``: the branch does not move
    yet, and a run that fails stays, for the others wait for it.
    """

    moved: Callable[[Result], None] = note_nothing
    failed: Callable[[Exception], None] = note_nothing
    holds: bool = False
    undoes_alone: bool = True
    """Whether `undo` takes this move back by itself; else whoever moved several has noted it."""


ALONE = Together()


def drive(
    repo: Repo,
    journal: Journal,
    state: RunState,
    validation: Validation,
    progress: Progress,
    together: Together = ALONE,
) -> Result:
    """Carry a run as far as it goes."""
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
        if not together.holds:
            move(repo, journal, state)
    except (BackportError, SeriesError) as error:
        if not together.holds and not _waits(journal, error):
            take_back(repo, journal)
            together.failed(error)
            forget(repo, journal)
        raise
    subjects = tuple(shown(plan.patch(repo, step.item).subject) for step in state.steps)
    result = Result(state, plan, subjects, numbers, verdicts, proven)
    if not together.holds:
        finish(repo, journal, result, progress, together)
    return result


def finish(
    repo: Repo, journal: Journal, result: Result, progress: Progress, together: Together = ALONE
) -> None:
    """The branch has moved: what fails from here on is a matter of clearing up."""
    interrupts.finish()
    try:
        together.moved(result)
        if together.undoes_alone:
            note_move(repo, result.state)
        release(repo, journal)
        forget(repo, journal)
    except (BackportError, OSError) as error:
        progress.note(
            f"{result.state.target.removeprefix('refs/heads/')} has moved, and what the run needed could"
            f" not be removed ({error}): `backport continue` does that"
        )


def note_move(repo: Repo, state: RunState) -> None:
    """Note the move for `undo`."""
    if state.end != state.old and state.sources:
        done = counted(sum(step.commit is not None for step in state.steps), "patch")
        last_moves.remember(repo, last_moves.Move(f"apply, {done}", (ref_move(state),)))


def ref_move(state: RunState) -> last_moves.RefMove:
    """From where to where the target goes."""
    bare = state.old is None and state.end == state.onto
    return last_moves.RefMove(state.target, state.old, state.end, bare)


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


def take_back(repo: Repo, journal: Journal) -> bool:
    """Undo what has been done of the last act; whether the branch had moved."""
    begun = moving.read(repo, journal)
    return begun is not None and put_back(begun, journal)


def forget(repo: Repo, journal: Journal) -> None:
    """End a run that is over: its worktree, its ref, and last its journal."""
    folder = journal.conflict
    if worktrees.has_entry(repo, folder):  # a cut has left it
        from backport.run import conflict

        conflict.empty(repo, folder)
    with contextlib.suppress(OSError):  # not there, or something of the user's stands in it
        folder.rmdir()
    refs.delete(repo, journal.ref)
    journal.end()


def _planned(
    repo: Repo, journal: Journal, state: RunState, progress: Progress
) -> tuple[Plan, RunState]:
    series = combine(repo, state.sources, state.settings, repo.tree(state.onto))
    if state.phase is not Phase.PLAN:
        return Plan(series, state.items), state
    if not state.settings.partial:
        refuse_gaps(series)
    missing = find_missing(repo, state.onto, series)
    refuse_undeclared(missing, state)
    progress.phase("order", len(series.patches))
    plan = make_plan(series, repo.tree(state.onto), state.settings.only)
    looked = sibling_notes(repo, state.branch, state.settings, series, state.siblings)
    said = tuple(
        f"declared, and neither in the series nor on the branch: {line}" for line in missing
    )
    based = base_notes(repo, state.onto, series)
    plan = replace(plan, notes=(*plan.notes, *said, *based, *looked))
    for note in (*plan.notes, *plan.contradictions):
        progress.note(note)
    state = replace(state, phase=Phase.APPLY, items=plan.items)
    journal.write(state)
    return plan, state


def _applied(
    repo: Repo, journal: Journal, state: RunState, plan: Plan, progress: Progress
) -> RunState:
    progress.phase("apply", len(state.items))
    noted = [len(step.notes) for step in state.steps]
    assembly = assemble(repo, plan, state, progress.step)
    state = assembly.state

    def tell(number: int, lines: tuple[str, ...]) -> None:
        subject = shown(plan.patch(repo, state.items[number]).subject)
        for line in lines:
            progress.note(f"{number + 1}/{len(state.items)} {subject}: {line}")

    for number, (known, step) in enumerate(zip(noted, state.steps, strict=False)):
        if step.by_hand:
            tell(number, step.notes[known:])
    if (halt := halting(state)) is not None:
        _halt(repo, journal, state, plan, halt)
    for number, step in enumerate(state.steps):
        tell(number, step.doubts)
    if assembly.stopped is not None and assembly.blockers:
        refuse_missing(assembly.stopped[0], assembly.blockers, state)
    refs.keep(repo, journal.ref, state.tip)
    if assembly.stopped is None:
        if unsettled(state):
            journal.write(state)
            subjects = [shown(plan.patch(repo, item).subject) for item in state.items]
            raise unsettled_error(state, subjects)
        state = replace(state, phase=Phase.VALIDATE)
        journal.write(state)
        return state
    patch, picked = assembly.stopped
    branch = state.branch.removeprefix("refs/heads/")
    from backport.run import conflict

    assert state.clash is not None
    laid = conflict.lay_out(
        repo, journal.conflict, state.tip, patch, picked, branch, assembly.proposal
    )
    for note in laid.notes:
        progress.note(note)
    stop = replace(state.clash, laid=laid.files)
    if stop.missing and not any(one.advice for one in stop.missing):
        stop = with_advice(stop, Taker(repo, plan).advise(state, assembly.blockers))
    state = replace(state, worktree=str(laid.folder), clash=stop)
    journal.write(state)
    raise conflict_error(state, patch, laid.folder, _later(repo, plan, state))


def _later(repo: Repo, plan: Plan, state: RunState) -> Iterator[Patch]:
    """The patches that follow the one that a run stopped at."""
    return (plan.patch(repo, item) for item in state.items[len(state.steps) + 1 :])


def _halt(repo: Repo, journal: Journal, state: RunState, plan: Plan, number: int) -> NoReturn:
    """Stop at a step that is doubtful, with its result laid out to be corrected or accepted."""
    from backport.run import conflict

    step = state.steps[number]
    assert step.commit is not None
    result = repo.tree(step.commit)
    state = replace(state, steps=state.steps[:number], phase=Phase.STOPPED)
    refs.keep(repo, journal.ref, state.tip)
    patch = plan.patch(repo, step.item)
    branch = state.branch.removeprefix("refs/heads/")
    laid = conflict.lay_out(repo, journal.conflict, state.tip, patch, Picked(result, ()), branch)
    stop = Stop(step.item, (), doubts=step.doubts, made=result.id)
    state = replace(state, worktree=str(laid.folder), clash=stop)
    journal.write(state)
    raise conflict_error(state, patch, laid.folder, _later(repo, plan, state))


def resolved(repo: Repo, journal: Journal, state: RunState, progress: Progress) -> RunState:
    """Take what the user made of the conflict."""
    assert state.clash is not None and state.worktree is not None
    from backport.run import conflict, rerere

    plan = Plan(combine(repo, state.sources, state.settings, repo.tree(state.onto)), state.items)
    patch = plan.patch(repo, state.clash.item)
    taken = conflict.take_result(repo, Path(state.worktree), state.tip, patch)
    if state.clash.doubts and taken.tree == state.clash.made:
        branch = state.branch.removeprefix("refs/heads/")
        raise Conflict(
            f"{patch.name} {shown(patch.subject)!r} is as it was, and doubtful:"
            + "".join(f"\n{line}" for line in help_lines(state.clash, branch)),
            f"`backport continue --accept {ACCEPT}` takes it as it is; or correct it in {state.worktree}"
            " and `git add` there",
        )
    for note in (*taken.notes, rerere.record(repo, Path(state.worktree))):
        if note:
            progress.note(note)
    if taken.tree == repo.tree(state.tip).id:
        step = Step(
            state.clash.item, StepState.SKIPPED, Reason("the resolution changes nothing"), None
        )
    else:
        commit = commit_tree(repo, state, patch, taken.tree, state.clash.item)
        notes = (*state.clash.doubts, *taken.notes)
        step = Step(state.clash.item, StepState.RESOLVED, Reason("by hand"), commit, notes)
        refs.keep(repo, journal.ref, commit)
    state = replace(with_step(state, step), phase=Phase.APPLY, clash=None)
    journal.write(state)
    drop_worktree(repo, state)
    return replace(state, worktree=None)


def drop_worktree(repo: Repo, state: RunState, *, unresolved: bool = False) -> None:
    """Empty the worktree of a conflict; its folder goes with the run."""
    if state.worktree is not None:
        from backport.run import conflict, rerere

        folder = Path(state.worktree)
        if unresolved and folder.is_dir():
            rerere.forget(repo, folder)
        conflict.empty(repo, folder)
