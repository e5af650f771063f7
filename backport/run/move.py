# SPDX-License-Identifier: GPL-2.0-or-later
"""The last act of a run: the branch moves, and with it the files of the worktree that has it out."""

from __future__ import annotations

from backport.counted import counted
from backport.errors import DirtyWorktree, GitFailed
from backport.gateway import refs, worktrees
from backport.gateway.repository import Repo
from backport.run.journal import RunState


def move(repo: Repo, state: RunState) -> None:
    """Move the target to the run's end; does nothing where it is there already."""
    new = state.end
    if repo.ref(state.target) == new:
        return
    done = sum(1 for step in state.steps if step.commit)
    where = worktrees.checked_out(repo, state.target) if state.old is not None else None

    def files_first() -> None:
        # Index and files, then the ref: repeated after a kill, both do nothing twice.
        if where is not None and state.old is not None:
            try:
                repo.git("read-tree", "-m", "-u", state.old, new, cwd=where.path)
            except GitFailed as error:
                raise DirtyWorktree(
                    f"{where.path} is in the way: {error.message}",
                    "move or commit what is there, then `backport continue`",
                ) from error

    refs.move_branch(
        repo, state.target, new, state.old, f"backport: {counted(done, 'patch')}", files_first
    )
