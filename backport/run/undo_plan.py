# SPDX-License-Identifier: GPL-2.0-or-later
"""What an undo is about to take back, written down before it begins: ``.git/backport/undoing.json``.

Format 1: ``version``; ``moves`` as in moves.json, each cut down to the refs that go back.  While the file is
there each of these refs may stand at either end: `undo` brings all of them back, `abort` none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from backport.errors import UsageError
from backport.gateway.repository import Repo
from backport.run.journal import UNDO
from backport.run.last_moves import Move, as_rows, from_rows
from backport.store.files import write_atomic

_VERSION = 1


def waits(repo: Repo) -> bool:
    """Whether an undo was cut."""
    return (repo.state_dir / UNDO).exists()


def read(repo: Repo) -> tuple[Move, ...] | None:
    """The undo that was begun; None where none is.  Raises `UsageError` where the file is damaged."""
    path = repo.state_dir / UNDO
    try:
        data = json.loads(path.read_bytes())
        if data["version"] != _VERSION:
            raise UsageError(f"{path} was written by another version of backport")
        return from_rows(data["moves"])
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UsageError(
            f"{path} is damaged: {error}",
            "`git reflog` shows where the branches were; remove the file",
        ) from error


def write(repo: Repo, chosen: Sequence[Move]) -> None:
    """Note it: from here on refs may go back."""
    data = {"version": _VERSION, "moves": as_rows(chosen)}
    write_atomic(repo.state_dir / UNDO, json.dumps(data, indent=1).encode())


def end(repo: Repo) -> None:
    """All refs stand at the same end again."""
    (repo.state_dir / UNDO).unlink(missing_ok=True)
