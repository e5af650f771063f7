# SPDX-License-Identifier: GPL-2.0-or-later
"""The command that publishes what has moved: shown, and never run.

Each branch has a lease on the id that it had before: what somebody else has pushed meanwhile is not lost.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from backport.branches.matrix import Column, Standing
from backport.gateway.repository import Repo


def push_commands(repo: Repo, columns: Iterable[Column], *, atomic: bool) -> tuple[str, ...]:
    """A command for each remote that the branches are pushed to; none where there is no remote."""
    by_remote: dict[str, list[Column]] = {}
    for column in columns:
        moved = column.standing is Standing.MOVED and column.new != column.old
        if moved and not column.is_bare:
            remote = _remote(repo, column.short)
            if remote is not None:
                by_remote.setdefault(remote, []).append(column)
    return tuple(_command(remote, moved, atomic=atomic) for remote, moved in by_remote.items())


def _command(remote: str, moved: list[Column], *, atomic: bool) -> str:
    leases = [f"--force-with-lease={one.short}:{one.old or ''}" for one in moved]
    words = ["git", "push", *(["--atomic"] if atomic else []), *leases, remote]
    return shlex.join([*words, *(one.short for one in moved)])


def _remote(repo: Repo, branch: str) -> str | None:
    """Where git would push the branch (git-config(1), remote.pushDefault)."""
    config = repo.git.config
    parts = (key.removeprefix("remote.") for key in config if key.startswith("remote."))
    remotes = sorted({part.removesuffix(".url") for part in parts if part.endswith(".url")})
    for key in (f"branch.{branch}.pushremote", "remote.pushdefault", f"branch.{branch}.remote"):
        named = config.get(key)
        if named and named[-1] != ".":
            return named[-1]
    if "origin" in remotes:
        return "origin"
    return remotes[0] if len(remotes) == 1 else None
