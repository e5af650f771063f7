# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that a killed run's build has left running.

A tool that is killed by SIGKILL cannot end the build that it started, and outside of a sandbox that
goes on, in the worktree that the next run wants to use.  Each build carries a mark in its environment,
which make hands down, so that its processes are known again: no number is kept that another process
could have by now.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

MARK = "BACKPORT_WORKTREE"
"""Name of the variable; its value is the worktree's path."""
_PROC = Path("/proc")
_WAIT = 5.0
"""Seconds for killed processes to go."""


def end_leftovers(worktree: Path) -> int:
    """Kill every process that still builds in ``worktree``; returns how many processes were found.

    Only where /proc says what runs; elsewhere nothing is done.
    """
    wanted = os.fsencode(f"{MARK}={worktree}")
    found: set[int] = set()
    until = time.monotonic() + _WAIT
    while alive := set(_marked(wanted)):
        found |= alive
        for process in alive:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > until:
            break
        time.sleep(0.01)
    return len(found)


def _marked(wanted: bytes) -> Iterator[int]:
    """Processes of ours that have the mark; a zombie has no environment any more."""
    for folder in _PROC.glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue  # gone, or another user's
        if wanted in environment.split(b"\0") and int(folder.name) != os.getpid():
            yield int(folder.name)
