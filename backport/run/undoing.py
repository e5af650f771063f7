# SPDX-License-Identifier: GPL-2.0-or-later
"""The last move taken back: all refs that one command has moved, or none of them.

What goes back is written down first (`undo_plan`).  Each branch then goes by the acts of a move, one after
the other; what the command had made is removed last.  Where one cannot go, those before it are put back.
After a kill `undo` finishes the whole, `abort` takes it back.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from backport import interrupts
from backport.config import Settings
from backport.errors import BackportError, BranchMoved, UsageError
from backport.gateway import worktrees
from backport.gateway.repository import Repo
from backport.levels import Phase
from backport.run import undo_plan
from backport.run.journal import UNDO, Journal, RunState
from backport.run.last_moves import Move, RefMove, forget, moves
from backport.run.life import at_work, drop
from backport.run.move import move, release
from backport.run.refusals import refuse_second
from series.model import Oid

_BACK = "backport: undo"
_FORTH = "backport: undo taken back"


class Undone(Struct, frozen=True):
    """What was taken back, and which refs of the same moves were back already."""

    moves: tuple[Move, ...]
    already: tuple[RefMove, ...] = ()


def undo(repo: Repo, branches: Sequence[str] = ()) -> Undone:
    """Take back the last move, or of the last one of each of ``branches`` that branch.

    Raises `BranchMoved`, `DirtyWorktree`, `GitFailed`, `NotStored` or `UsageError`: no ref is moved then.
    """
    journal = Journal(repo.state_dir)
    with at_work(repo, (journal,), repo.state_dir / UNDO):
        begun = undo_plan.read(repo)
        state = journal.read()
        if state is not None and not state.sources:  # cut in the middle of a move
            _finish(repo, journal, state, "")
        if begun is None:
            refuse_second(journal)
            chosen = _chosen(repo, branches)
            _refuse(repo, _refs(chosen))
            begun = _that_stand(repo, chosen)
            undo_plan.write(repo, begun)
        else:
            chosen = begun
        try:
            _refuse(repo, _refs(begun))
            _take_back(repo, journal, _refs(begun))
        except BaseException as error:
            _put_back(repo, journal, _refs(begun), error)
            raise
        interrupts.finish()
        forget(repo, _refs(chosen))
        undo_plan.end(repo)
        back = _refs(begun)
        return Undone(begun, tuple(ref for ref in _refs(chosen) if ref not in back))


def take_back_undo(repo: Repo) -> tuple[RefMove, ...]:
    """Have all refs of an undo that was cut where they were before it; those refs.

    Raises as `undo` does; the undo still waits then.
    """
    journal = Journal(repo.state_dir)
    with at_work(repo, (journal,), repo.state_dir / UNDO):
        refs = _refs(undo_plan.read(repo) or ())
        if journal.file.exists():
            drop(repo, journal)
        for ref in refs:
            if _now(repo, ref.ref) == ref.old:
                _set(repo, journal, ref, _FORTH)
        undo_plan.end(repo)
        return refs


def _refs(chosen: Sequence[Move]) -> tuple[RefMove, ...]:
    return tuple(ref for one in chosen for ref in one.refs)


def _chosen(repo: Repo, branches: Sequence[str]) -> tuple[Move, ...]:
    known = moves(repo)
    if not branches:
        if not known:
            raise UsageError("nothing to undo: no move of a branch is known")
        return known[-1:]
    found: dict[Move, tuple[RefMove, ...]] = {}
    for branch in branches:
        ref = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
        mine = next((one for one in reversed(known) if any(r.ref == ref for r in one.refs)), None)
        if mine is None:
            raise UsageError(f"nothing to undo: no move of {branch} is known")
        # The tag of a release goes with its branch.
        found[mine] = (
            *found.get(mine, ()),
            *(r for r in mine.refs if r.ref == ref or r.ref.startswith("refs/tags/")),
        )
    return tuple(replace(one, refs=tuple(dict.fromkeys(refs))) for one, refs in found.items())


def _that_stand(repo: Repo, chosen: Sequence[Move]) -> tuple[Move, ...]:
    """Without those that somebody has brought back already: a failure leaves them there."""
    return tuple(
        replace(one, refs=tuple(ref for ref in one.refs if _now(repo, ref.ref) != ref.old))
        for one in chosen
    )


def _refuse(repo: Repo, refs: Sequence[RefMove]) -> None:
    """Raise where one of the refs cannot go back."""
    for ref in refs:
        _refuse_one(repo, ref, {one.ref for one in refs})


def _refuse_one(repo: Repo, ref: RefMove, ours: set[str]) -> None:
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
    if not ref.bare:
        _refuse_built_on(repo, ref, ours)
    where_out = worktrees.checked_out(repo, ref.ref) if ref.old is None else None
    if where_out is not None:
        raise UsageError(
            f"{ref.name} is checked out in {where_out.path} and cannot be removed: nothing was undone",
            "check out another branch there",
        )
    worktrees.refuse_dirty(repo, ref.ref)


def _refuse_built_on(repo: Repo, ref: RefMove, ours: set[str]) -> None:
    """Raise where a ref that is not among ``ours`` holds what this one moved to."""
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


def _now(repo: Repo, ref: str) -> Oid | None:
    found = repo.native.references.get(ref)
    return Oid(str(found.target)) if found is not None else None


def _take_back(repo: Repo, journal: Journal, refs: Sequence[RefMove]) -> None:
    # What was made is removed last: put back, it has lost its reflog.
    for ref in sorted(refs, key=lambda one: one.old is None):
        if _now(repo, ref.ref) != ref.old:
            _set(repo, journal, ref, _BACK)
            interrupts.go_on()


def _put_back(repo: Repo, journal: Journal, refs: Sequence[RefMove], error: BaseException) -> None:
    """After a failure: all where they were; where that fails as well, say so, and let the undo wait."""
    interrupts.finish()
    try:
        if journal.file.exists():
            raise UsageError("a branch stands between its two ends")
        for ref in refs:
            if _now(repo, ref.ref) == ref.old:
                _set(repo, journal, ref, _FORTH)
        undo_plan.end(repo)
    except (BackportError, OSError) as again:
        if isinstance(error, BackportError):
            why = again.message if isinstance(again, BackportError) else str(again)
            error.hint = (
                f"some branches are back, and could not be put forth again ({why}):"
                " `backport undo` finishes, `backport abort` takes it back"
            )


def _set(repo: Repo, journal: Journal, ref: RefMove, reason: str) -> None:
    """Bring a ref to its old end, or (``_FORTH``) to the new one again, from the other end only."""
    was, wanted = (ref.new, ref.old) if reason == _BACK else (ref.old, ref.new)
    if wanted is None:
        repo.git("update-ref", "-m", reason, "-d", ref.ref, ref.new)
        return
    if was is None:
        repo.git("update-ref", "--create-reflog", "-m", reason, ref.ref, wanted, "")
        return
    state = RunState(
        phase=Phase.MOVE,
        settings=Settings(),
        branch=ref.ref,
        target=ref.ref,
        onto=wanted,
        old=was,
        committer=repo.committer(),
        sources=(),
    )
    journal.begin(state)
    _finish(repo, journal, state, reason)


def _finish(repo: Repo, journal: Journal, state: RunState, reason: str) -> None:
    try:
        move(repo, journal, state, reason or _BACK)
    except BaseException:
        if not (journal.run / "moving").exists():  # nothing has been touched
            journal.end()
        raise
    release(repo, journal)
    journal.end()
