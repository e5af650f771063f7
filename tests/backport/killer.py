# SPDX-License-Identifier: GPL-2.0-or-later
"""Run the command line and die by SIGKILL at the n-th durable act: ``killer.py N LIMIT ARGS...``.

A durable act is whatever another process could see afterwards: an object, a rename into place, an
fsync, a git command.  Dying happens just before the act, so N and N+1 frame each one.  With N = 0
nothing is killed and the number of acts is printed last.  From LIMIT new objects on they go into a pack.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import pygit2


def main() -> None:
    """Patch the acts, then run."""
    from backport.cli import app
    from backport.gateway import objects, refs
    from backport.gateway.git_runner import GitRunner
    from backport.gateway.repository import Repo

    deadline, count = int(sys.argv[1]), 0
    objects.UNPACK_LIMIT = int(sys.argv[2])

    def deadly(act: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == deadline:
                os.kill(os.getpid(), signal.SIGKILL)
            return act(*args, **named)

        return counted

    for owner, name in (
        (os, "replace"),
        (os, "rename"),
        (os, "fsync"),
        (objects.Objects, "store"),
        (pygit2.Repository, "write"),
        (Repo, "write_commit"),
        (GitRunner, "__call__"),
        (GitRunner, "feed"),
        (refs, "delete"),
    ):
        setattr(owner, name, deadly(getattr(owner, name)))
    try:
        app(sys.argv[3:], standalone_mode=False)
    finally:
        print(f"acts {count}")


if __name__ == "__main__":
    main()
