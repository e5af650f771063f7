# SPDX-License-Identifier: GPL-2.0-or-later
"""The last act of a run: the branch moves, and with it the files of the worktree that has it out.

Each line here is a transition that docs/run.md names.  All that comes before the rename of the ref can be
taken back, and is where it fails; the run is done with that rename.
"""

from __future__ import annotations

import contextlib

from msgspec.structs import replace

from backport import interrupts
from backport.counted import counted
from backport.errors import BackportError, BranchMoved
from backport.gateway import refs, worktrees
from backport.gateway.branch import grown
from backport.gateway.repository import Repo
from backport.run import moving
from backport.run.journal import Journal, RunState
from backport.run.moving import Moving
from series.model import Oid


def check(repo: Repo, journal: Journal, state: RunState) -> None:
    """Raise where the branch could not be moved as things are: before anything is built."""
    refuse_moved(repo, state)
    worktrees.refuse_rebased(repo, state.target)
    plan = moving.planned(repo, journal, state, "")
    if plan.files is not None:
        plan.files.check()


def move(repo: Repo, journal: Journal, state: RunState, reason: str = "") -> None:
    """Move the target to the run's end; does nothing where it is there already.

    ``reason`` is what the reflog says, for a move without patches.

    Raises `BranchMoved`, `DirtyWorktree`, `GitFailed`, or `NotStored`: nothing has moved then.
    """
    begun = moving.read(repo, journal)
    if repo.ref(state.target) == state.end and begun is None:
        return
    done = sum(1 for step in state.steps if step.commit)
    plan = begun or moving.planned(
        repo, journal, state, reason or f"backport: {counted(done, 'patch')}"
    )
    if begun is None:
        moving.write(journal, plan)
    try:
        _lock(plan)
        if plan.branch.now == state.end:  # cut behind the rename
            return
        refuse_moved(repo, state)
        worktrees.refuse_rebased(repo, state.target)
        if plan.files is not None and begun is None:
            plan.files.refuse_strangers()
    except BaseException:
        with contextlib.suppress(OSError):
            _unlock(plan)
        with contextlib.suppress(OSError):
            if begun is None:  # nothing has been touched
                moving.forget(journal)
        raise
    try:
        if plan.files is not None:
            if begun is not None:
                plan.files.settle()
            plan.files.move(plan.files.old, plan.files.new)
        plan.branch.write_logs()
        interrupts.finish()
        plan.branch.commit()
    except BaseException as error:
        _take_back(plan, journal, error)
        raise


def release(repo: Repo, journal: Journal) -> None:
    """Let go of what is locked for a move that is done."""
    plan = moving.read(repo, journal)
    if plan is not None:
        _unlock(plan)


def _take_back(plan: Moving, journal: Journal, error: BaseException) -> None:
    """Undo a move that failed; where that fails, too, say so: `continue` and `abort` do it again."""
    try:
        if plan.branch.now != plan.branch.new:
            put_back(plan, journal)
    except (BackportError, OSError) as again:
        with contextlib.suppress(OSError):
            _unlock(plan)  # the user's branch and index are not kept from him
        if isinstance(error, BackportError):
            error.hint = (
                f"some files are changed, and could not be put back ({_said(again)});"
                " `backport continue` finishes the move, `backport abort` takes it back"
            )


def _said(error: Exception) -> str:
    return error.message if isinstance(error, BackportError) else str(error)


def put_back(plan: Moving, journal: Journal) -> bool:
    """Have branch, index and files where they were before the move; whether the branch had moved."""
    branch, files = plan.branch, plan.files
    if branch.old is None and branch.now is None:
        # It was not made, and need not be possible any more: another ref may stand in its place.
        branch.clear_logs()
        _unlock(plan)
        moving.forget(journal)
        return False
    _lock(plan)
    now = branch.now
    moved = now == branch.new
    if files is not None:
        files.settle()
        if now in (branch.old, branch.new):
            files.move(files.new, files.old)
    if moved:
        back = replace(branch.reversed("backport: abort"), logs=grown(branch.logs))
        back.lock()
        back.write_logs()
        back.commit()
    else:
        branch.clear_logs()
    _unlock(plan)
    moving.forget(journal)
    return moved


def _lock(plan: Moving) -> None:
    plan.branch.lock()
    if plan.files is not None:
        plan.files.lock()


def _unlock(plan: Moving) -> None:
    if plan.files is not None:
        plan.files.unlock()
    plan.branch.unlock()


def refuse_moved(repo: Repo, state: RunState) -> None:
    """Raise `BranchMoved` where somebody else has moved, made or removed the target."""
    now = repo.ref(state.target)
    if now in (state.old, state.end):
        return
    short = state.target.removeprefix("refs/heads/")
    if state.old is None:
        message = f"somebody else has created {short} since this run began; left alone"
    elif now is None:
        message = f"{short} has been deleted since this run began at {state.old[:12]}; left alone"
    else:
        message = f"{short} has moved since this run began at {state.old[:12]}; left alone"
    if state.end == state.onto:
        raise BranchMoved(message)
    kept = kept_ref(state.end)
    refs.keep(repo, kept, state.end)
    look = f"`git log {short}...{kept}`" if now is not None else f"`git log {kept}`"
    raise BranchMoved(message, f"the result is kept at {kept}: look at {look}")


def kept_ref(commit: Oid) -> str:
    """What holds a result that was not wanted any more."""
    return f"refs/backport/kept/{commit[:12]}"
