# SPDX-License-Identifier: GPL-2.0-or-later
"""The last move taken back: by the acts of a move, so that a kill leaves it to be finished or dropped."""

from __future__ import annotations

from collections.abc import Sequence

from backport.config import Settings
from backport.errors import BranchMoved, UsageError
from backport.gateway import worktrees
from backport.gateway.repository import Repo
from backport.levels import Phase
from backport.run.journal import Journal, RunState
from backport.run.last_moves import Move, RefMove, forget, moves
from backport.run.life import at_work
from backport.run.move import move, release
from backport.run.refusals import refuse_second
from series.model import Oid


def undo(repo: Repo, branches: Sequence[str] = ()) -> tuple[Move, ...]:
    """Take back the last move, or the last one of each of ``branches``; what was taken back."""
    journal = Journal(repo.state_dir)
    with at_work(repo, (journal,)):
        state = journal.read()
        if state is not None and not state.sources:  # an undo that was cut
            _finish(repo, journal, state)
        else:
            refuse_second(journal)
        chosen = _chosen(repo, branches)
        for one in chosen:
            for ref in one.refs:
                _refuse(repo, ref, {r.ref for m in chosen for r in m.refs})
        for one in chosen:
            for ref in reversed(one.refs):
                _take_back(repo, journal, ref)
            forget(repo, one.refs[0])
        return chosen


def _chosen(repo: Repo, branches: Sequence[str]) -> tuple[Move, ...]:
    known = moves(repo)
    if not branches:
        if not known:
            raise UsageError("nothing to undo: no move of a branch is known")
        return known[-1:]
    found: list[Move] = []
    for branch in branches:
        ref = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
        mine = [one for one in known if any(r.ref == ref for r in one.refs)]
        if not mine:
            raise UsageError(f"nothing to undo: no move of {branch} is known")
        if mine[-1] not in found:
            found.append(mine[-1])
    return tuple(found)


def _refuse(repo: Repo, ref: RefMove, ours: set[str]) -> None:
    """Raise where the ref is no longer where the move left it, or something was built on that."""
    now = _now(repo, ref.ref)
    if now == ref.old:
        return
    if now != ref.new:
        where = f"is at {now[:12]}" if now else "is gone"
        raise BranchMoved(
            f"{ref.name} {where}, not at {ref.new[:12]} where backport left it: nothing was undone",
            f"`git reflog {ref.name}` shows what came after",
        )
    if ref.ref.startswith("refs/tags/"):
        return
    out = repo.git("for-each-ref", "--format=%(refname)", f"--contains={ref.new}")
    others = [
        name
        for name in out.split("\n")
        if name and name not in ours and not name.startswith("refs/backport/")
    ]
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        raise BranchMoved(
            f"{', '.join(others[:3])}{more} holds what {ref.name} moved to: nothing was undone",
            f"to go back all the same: `git branch -f {ref.name} {(ref.old or '')[:12]}`"
            if ref.old
            else f"to remove it all the same: `git branch -D {ref.name}`",
        )
    worktrees.refuse_dirty(repo, ref.ref)


def _now(repo: Repo, ref: str) -> Oid | None:
    found = repo.native.references.get(ref)
    return Oid(str(found.target)) if found is not None else None


def _take_back(repo: Repo, journal: Journal, ref: RefMove) -> None:
    if _now(repo, ref.ref) == ref.old:
        return
    if ref.old is None:
        where = worktrees.checked_out(repo, ref.ref) if ref.ref.startswith("refs/heads/") else None
        if where is not None:
            raise UsageError(
                f"{ref.name} is checked out in {where.path} and cannot be removed",
                "check out another branch there",
            )
        repo.git("update-ref", "-m", "backport: undo", "-d", ref.ref, ref.new)
        return
    state = RunState(
        phase=Phase.MOVE,
        settings=Settings(),
        branch=ref.ref,
        target=ref.ref,
        onto=ref.old,
        old=ref.new,
        committer=repo.committer(),
        sources=(),
    )
    journal.begin(state)
    _finish(repo, journal, state)


def _finish(repo: Repo, journal: Journal, state: RunState) -> None:
    try:
        move(repo, journal, state)
    except BaseException:
        if not (journal.run / "moving").exists():  # nothing has been touched
            journal.end()
        raise
    release(repo, journal)
    journal.end()
