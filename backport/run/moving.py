# SPDX-License-Identifier: GPL-2.0-or-later
"""What the last act of a run is about to do, written down before it begins: ``.git/backport/run/moving``.

While that file is there, the branch, the index and the files of its worktree may stand anywhere between the
two ends; with it, either end is reached (docs/run.md).  It goes with the run.
"""

from __future__ import annotations

import json
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from backport.errors import UsageError
from backport.gateway import worktrees
from backport.gateway.branch import BranchMove, Log, logs_of
from backport.gateway.checked_out import CheckedOut, git_dir_of
from backport.gateway.repository import Repo
from backport.run.journal import Journal, RunState
from backport.store.files import write_atomic


class Moving(Struct, frozen=True):
    """The branch that moves, and the files of the worktree that has it out, if any."""

    branch: BranchMove
    files: CheckedOut | None


def _file(journal: Journal) -> Path:
    return journal.run / "moving"


def planned(repo: Repo, journal: Journal, state: RunState, reason: str) -> Moving:
    """The move as it would be made now."""
    where = worktrees.checked_out(repo, state.target) if state.old is not None else None
    top = where.path if where is not None else None
    branch = BranchMove(repo, state.target, state.old, state.end)
    logs = logs_of(repo, state.target, git_dir_of(top) if top is not None else None)
    branch = replace(branch, entry=branch.entry_for(reason), logs=logs)
    return Moving(branch, _files_of(journal, branch, top))


def _files_of(journal: Journal, branch: BranchMove, top: Path | None) -> CheckedOut | None:
    if top is None or branch.old is None or branch.new is None:
        return None
    copy = journal.run / "index"
    return CheckedOut(branch.repo, top, git_dir_of(top), branch.old, branch.new, copy)


def write(journal: Journal, moving: Moving) -> None:
    """Note it: from here on files, index and branch may change."""
    branch = moving.branch
    data = {
        "ref": branch.ref,
        "old": branch.old,
        "new": branch.new,
        "worktree": str(moving.files.top) if moving.files else None,
        "entry": branch.entry.decode("latin-1"),
        "logs": [[str(log.path), log.size] for log in branch.logs],
    }
    write_atomic(_file(journal), json.dumps(data, indent=1).encode())


def read(repo: Repo, journal: Journal) -> Moving | None:
    """The move that has been begun; None where nothing has been touched yet."""
    try:
        data = json.loads(_file(journal).read_bytes())
        logs = tuple(Log(Path(path), size) for path, size in data["logs"])
        entry = data["entry"].encode("latin-1")
        branch = BranchMove(repo, data["ref"], data["old"], data["new"], entry, logs)
        top = Path(data["worktree"]) if data["worktree"] else None
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{_file(journal)} is damaged: {error}") from error
    if top is not None and not top.is_dir():
        top = None  # the user has removed the worktree
    return Moving(branch, _files_of(journal, branch, top))


def has_moved(repo: Repo, journal: Journal) -> bool:
    """Whether a run that waits has done its last act already, and was cut behind that."""
    begun = read(repo, journal) if journal.file.exists() else None
    return begun is not None and begun.branch.now == begun.branch.new


def forget(journal: Journal) -> None:
    """All is as it was: nothing has been touched."""
    _file(journal).unlink(missing_ok=True)
