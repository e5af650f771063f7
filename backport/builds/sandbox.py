# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a build may run: without network, and writing only to its own worktree.

A build runs the tree's own code.  With bubblewrap (bwrap(1)) the file system is read-only but for
the worktree, a private temporary folder and what the user names in ``backport.writable``; the network,
other processes and the sockets in /run are out of reach.  Where bubblewrap is missing or may not make
namespaces, the build runs without, and the run says so.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sandbox:
    """``prefix`` is put before a command; ``why`` says why there is none."""

    prefix: tuple[str, ...]
    why: str = ""


def sandbox(worktree: Path, temporary: Path, writable: Sequence[str], wanted: bool) -> Sandbox:
    """The sandbox for a build in ``worktree``."""
    if not wanted:
        return Sandbox((), "switched off by backport.sandbox")
    why = _unusable()
    if why:
        return Sandbox((), why)
    words = ["bwrap", "--die-with-parent", "--unshare-net", "--unshare-ipc", "--unshare-pid"]
    words += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/run"]
    for folder in (str(worktree), str(temporary), *writable):
        words += ["--bind", folder, folder]
    # The worktree's .git says which repository git works on, with whose configuration and commands.
    words += ["--ro-bind", str(worktree / ".git"), str(worktree / ".git")]
    words += ["--setenv", "TMPDIR", str(temporary), "--chdir", str(worktree), "--"]
    return Sandbox(tuple(words))


@cache
def _unusable() -> str:
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed (Debian: apt install bubblewrap)"
    probe = ["bwrap", "--unshare-net", "--unshare-pid", "--ro-bind", "/", "/", "--dev", "/dev"]
    probe += ["--proc", "/proc", "--tmpfs", "/run", "true"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    said = done.stderr.strip().splitlines()
    return f"bubblewrap does not work here ({said[-1] if said else 'no reason given'})"
