# SPDX-License-Identifier: GPL-2.0-or-later
"""git's rerere in the worktree of a conflict: what was resolved once is laid out again, and recorded.

Git itself decides whether it is on (``rerere.enabled``, or where that is not set, whether there is a folder
``rr-cache``).  A resolution that it knows is written into the file, as git does; the path stays unmerged,
so that the user looks at it and adds it, even with ``rerere.autoUpdate``.
"""

from __future__ import annotations

from pathlib import Path

from backport.errors import GitFailed
from backport.gateway.repository import Repo


def lay_out(repo: Repo, folder: Path) -> str:
    """Note the conflict and write what is known of it; what went wrong, if anything did."""
    return _run(repo, folder)


def record(repo: Repo, folder: Path) -> str:
    """Record what the user has made of the conflict; what went wrong, if anything did."""
    return _run(repo, folder)


def forget(repo: Repo, folder: Path) -> None:
    """Drop what was noted of a conflict that nobody resolved, as git's own ``--abort`` does."""
    _run(repo, folder, "clear")


def _run(repo: Repo, folder: Path, *verb: str) -> str:
    try:
        repo.git("-c", "rerere.autoUpdate=false", "rerere", *verb, cwd=folder)
    except GitFailed as error:
        return error.message
    return ""
