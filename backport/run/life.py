# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of one run: begun, carried on, a patch left out, dropped.

What is done with the journal in hand (`prepare`, `go_on`, `leave_out`, `drop`) is also done for each of
several branches; the verbs of one branch alone take the lock around it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from backport.config import Settings, with_options
from backport.counted import counted
from backport.errors import BackportError, MissingPrerequisite, UsageError
from backport.gateway import refs, worktrees
from backport.gateway.repository import Repo
from backport.gateway.storing import refused
from backport.history.siblings import find_siblings
from backport.levels import Phase, Prerequisites
from backport.run import last_moves, moving
from backport.run.conventions import convention_of
from backport.run.doubting import ACCEPT, open_doubts
from backport.run.journal import UNDO, Journal, RunState, left, with_step
from backport.run.move import move, refuse_moved, release
from backport.run.phases import (
    ALONE,
    Together,
    drive,
    drop_worktree,
    forget,
    note_move,
    ref_move,
    resolved,
    take_back,
)
from backport.run.refusals import NO_UPSTREAM, TAKE_OR_ABORT, refuse_second, refuse_undo
from backport.run.request import Progress, Request, Result, Validation, pinned
from backport.run.steps import Reason, Step, StepState
from backport.store.files import remove


def start(repo: Repo, request: Request, validation: Validation, progress: Progress) -> Result:
    """Begin a run and carry it as far as it goes."""
    journal = Journal(repo.state_dir)
    with at_work(repo, (journal,)):
        clear_finished(repo, journal, progress)
        refuse_second(journal)
        state = prepare(repo, request, progress)
        journal.begin(state)
        return drive(repo, journal, state, validation, progress)


def prepare(repo: Repo, request: Request, progress: Progress) -> RunState:
    """The first state of a run; raises where it could not even begin."""
    if request.to:
        # The branch itself is left alone, so any commit will do.
        onto, target = repo.branch_tip(request.branch), new_branch(repo, request.to)
        branch = request.branch
    else:
        branch = repo.branch_ref(request.branch)
        target, onto = refs.resolve(repo, branch), repo.commit(branch)
        if target != branch:
            names = (ref.removeprefix("refs/heads/") for ref in (branch, target))
            progress.note("{} is a symbolic ref: {} moves".format(*names))
    repo.refuse_replaced(onto)
    worktrees.refuse_dirty(repo, target)
    who = repo.committer()
    return RunState(
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


def resume(
    repo: Repo, validation: Validation, progress: Progress, changed: Mapping[str, Any] | None = None
) -> Result:
    """Carry on a run that was interrupted, or stopped on a conflict the user has resolved.

    ``changed`` are settings that the user has changed his mind about.
    """
    journal = Journal(repo.state_dir)
    with at_work(repo, (journal,)):
        return go_on(repo, journal, validation, progress, changed)


def go_on(
    repo: Repo,
    journal: Journal,
    validation: Validation,
    progress: Progress,
    changed: Mapping[str, Any] | None = None,
    together: Together = ALONE,
) -> Result:
    """Carry on the run of a journal."""
    state = _waiting(journal)
    if state.phase is not Phase.MOVE:
        refuse_moved(repo, state)
    changed, read = changed or {}, state
    if changed and not moving.has_moved(repo, journal):
        take_back(repo, journal)
        state = replace(state, settings=_with(state.settings, changed))
    # Before the journal is written: what is refused has changed nothing, its own settings neither.
    stopped = state.phase is Phase.STOPPED
    again = stopped and _goes_on(repo, state, changed)
    if stopped and not again:
        _refuse_waiting(repo, state, changed)
    if state is not read:
        journal.write(state)
    if again:
        state = replace(state, phase=Phase.APPLY, clash=None)
        journal.write(state)
        drop_worktree(repo, state, unresolved=True)
        state = replace(state, worktree=None)
    elif stopped:
        state = resolved(repo, journal, state, progress)
    return drive(repo, journal, state, validation, progress, together)


def _with(settings: Settings, changed: Mapping[str, Any]) -> Settings:
    """The settings as changed; what is accepted besides does not take back what was."""
    accept = (*settings.accept, *(changed.get("accept") or ()))
    return with_options(settings, **{**changed, "accept": accept})


def _goes_on(repo: Repo, state: RunState, changed: Mapping[str, Any]) -> bool:
    """Whether the patch that the run stopped on is to be put on again: behind what it waits for, or as
    it is, now that doubts are accepted."""
    stop = state.clash
    assert stop is not None
    if changed.get("prerequisites") is Prerequisites.TAKE:
        if state.settings.upstream is None:
            raise UsageError(
                f"--prerequisites take: {NO_UPSTREAM}",
                "`backport abort`, and apply again with --upstream REF; or resolve the conflict",
            )
        if not stop.missing:
            raise UsageError(
                "--prerequisites take: no commit of upstream was found that the patch waits for",
                "resolve the conflict, then `backport continue`",
            )
        if not stop.may_take:
            lines = "".join(
                f"\n  {one.why}\n    {one.advice}: {one.because}" for one in stop.missing
            )
            raise UsageError(
                f"--prerequisites take: nothing that the patch waits for is to be taken:{lines}",
                "resolve the conflict, then `backport continue`; or `backport skip`; or put a commit on first"
                " with `backport abort` and `backport apply COMMIT...`",
            )
        word, more = "--prerequisites take", "to take the prerequisites, too,"
    elif stop.doubts and ACCEPT in (changed.get("accept") or ()):
        word, more = f"--accept {ACCEPT}", "to have the patch as it was,"
    else:
        return False
    if state.worktree is not None and Path(state.worktree).is_dir():
        from backport.run import conflict

        folder = Path(state.worktree)
        if conflict.is_touched(repo, folder, stop):
            raise UsageError(
                f"{word} would throw away what you have done in {folder}",
                f"`backport continue` uses it; {more} `backport abort` and apply again",
            )
    return True


def _refuse_waiting(repo: Repo, state: RunState, changed: Mapping[str, Any]) -> None:
    """With ``--prerequisites stop`` what is missing and not resolved by hand ends in its exit code."""
    stop = state.clash
    if changed.get("prerequisites") is not Prerequisites.STOP or stop is None or not stop.missing:
        return
    from backport.run import conflict

    folder = Path(state.worktree or "")
    if state.worktree is not None and folder.is_dir() and not conflict.unresolved(repo, folder):
        return
    raise MissingPrerequisite(
        f"--prerequisites stop: the patch waits for {counted(len(stop.missing), 'commit')} of upstream"
        " (see `backport status`), and is not resolved by hand",
        "`backport abort` drops the run; `backport continue --prerequisites take` picks what upstream"
        " has first",
    )


def skip(repo: Repo, validation: Validation, progress: Progress) -> Result:
    """Leave out the patch that a run stopped on, and carry on."""
    journal = Journal(repo.state_dir)
    with at_work(repo, (journal,)):
        state = leave_out(repo, journal)
        return drive(repo, journal, state, validation, progress)


def leave_out(repo: Repo, journal: Journal) -> RunState:
    """Leave out the patch that the run of a journal stopped on; the state behind it."""
    state = _waiting(journal)
    if state.phase is not Phase.STOPPED or state.clash is None:
        raise UsageError(
            "the run did not stop on a conflict: there is nothing to skip",
            TAKE_OR_ABORT if open_doubts(state) else "`backport continue` resumes it",
        )
    step = Step(state.clash.item, StepState.SKIPPED, Reason("left out by hand"), None)
    state = replace(with_step(state, step), phase=Phase.APPLY, clash=None)
    journal.write(state)
    drop_worktree(repo, state, unresolved=True)
    return state


class Aborted(Struct, frozen=True):
    """A run that was dropped: its state, None where that could not be read; whether its branch had moved
    already, and was put back."""

    state: RunState | None
    put_back: bool


def abort(repo: Repo) -> Aborted:
    """Drop the run, and leave branch, index and files as they were before it."""
    journal = Journal(repo.state_dir)
    with at_work(repo, (journal,)):
        return drop(repo, journal)


def drop(repo: Repo, journal: Journal) -> Aborted:
    """Drop the run of a journal."""
    try:
        state = journal.read()
    except UsageError:
        state = None
    else:
        if state is None:
            raise UsageError("no run in progress: nothing to abort")
    moved = take_back(repo, journal)
    if moved and state is not None:
        with contextlib.suppress(UsageError):
            last_moves.forget(repo, (ref_move(state),))
    from backport.run import conflict, rerere

    folder = journal.conflict
    if folder.is_dir():
        rerere.forget(repo, folder)
    conflict.remove(repo, folder)
    refs.delete(repo, journal.ref)
    journal.end()
    return Aborted(state, moved)


@contextlib.contextmanager
def at_work(repo: Repo, journals: Sequence[Journal], waiting: Path | None = None) -> Iterator[None]:
    """Hold the lock; what a killed run has left beside the journals is cleared first.

    Raises `NotStored` if anything cannot be written; the run then waits as it was, if ``waiting`` (the
    first journal's file) is there.
    """
    file = waiting or journals[0].file

    def hint() -> str:
        if not file.exists():
            return "nothing was changed"
        verb = "undo" if file.name == UNDO else "continue"
        return (
            f"see that the disk has room and takes what is written; then `backport {verb}`,"
            " or `backport abort`"
        )

    with refused(hint), Journal(repo.state_dir).locked(repo.git.handed_on):
        _clear_left(repo)
        for journal in journals:
            refs.unlock_packed(repo, journal.ref)
        repo.objects.release_packs()
        for folder in (repo.state_dir / "build", *(journal.conflict for journal in journals)):
            worktrees.forget_half_made(repo, folder)
        yield


def _clear_left(repo: Repo) -> None:
    """Clear away what a kill or a full disk has left of runs that never began or are over."""
    for half in repo.state_dir.glob("*.*.lock"):
        remove(half)
    for journal in left(repo.state_dir):
        with contextlib.suppress(BackportError, OSError):  # the next command tries again
            refs.unlock_packed(repo, journal.ref)
            release(repo, journal)
            forget(repo, journal)
            for folder in journal.run.parents[:2]:  # of one of several branches
                folder.rmdir()


def clear_finished(
    repo: Repo, journal: Journal, progress: Progress, *, undoes_alone: bool = True
) -> None:
    """Where the last run had moved its branch, and could not clear up: do that."""
    if journal.file.exists() and moving.has_moved(repo, journal):
        state = _waiting(journal)
        move(repo, journal, state)
        if undoes_alone:
            note_move(repo, state)
        release(repo, journal)
        forget(repo, journal)
        branch = state.target.removeprefix("refs/heads/")
        progress.note(f"the last run had moved {branch} to {state.end[:12]}: it is done")


def new_branch(repo: Repo, name: str) -> str:
    """The full name of the branch that ``--to`` names; raises `UsageError` where it cannot be made."""
    ref = f"refs/heads/{name}"
    if not refs.is_branch_name(ref):
        raise UsageError(f"--to {name}: not a valid branch name")
    if repo.ref(ref) is not None:
        raise UsageError(
            f"--to {name}: that branch exists",
            "choose another name, or delete it first (`git branch -D`)",
        )
    other = refs.in_the_way(repo, ref)
    if other is not None:
        raise UsageError(f"--to {name}: it cannot be made beside {other}", "choose another name")
    return ref


def _waiting(journal: Journal) -> RunState:
    refuse_undo(journal)
    state = journal.read()
    if state is None:
        raise UsageError("no run in progress: nothing to continue", "`backport apply` starts one")
    return state
