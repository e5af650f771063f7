# SPDX-License-Identifier: GPL-2.0-or-later
"""What an undo is about to take back, written down before it begins: ``.git/backport/undoing.json``.

``version`` and ``moves`` are as in moves.json, each cut down to the refs that go back.  While the file is
there each of these refs may stand at either end: `undo` brings all of them back, `abort` none.
"""

from __future__ import annotations

from collections.abc import Sequence

from backport.gateway.repository import Repo
from backport.run.journal import UNDO
from backport.run.last_moves import Move, read_moves, write_moves


def waits(repo: Repo) -> bool:
    """Whether an undo was cut."""
    return (repo.state_dir / UNDO).exists()


def read(repo: Repo) -> tuple[Move, ...] | None:
    """The undo that was begun; None where none is.  Raises `UsageError` where the file is damaged."""
    hint = "`git reflog` shows where the branches were; remove the file"
    return read_moves(repo.state_dir / UNDO, hint)


def write(repo: Repo, chosen: Sequence[Move]) -> None:
    """Note it: from here on refs may go back."""
    write_moves(repo.state_dir / UNDO, chosen)


def end(repo: Repo) -> None:
    """All refs stand at the same end again."""
    (repo.state_dir / UNDO).unlink(missing_ok=True)
