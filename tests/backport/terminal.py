# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line in a pseudo-terminal, as a user types it; what appears on the screen."""

from __future__ import annotations

import os
import pty
import select
import sys
from pathlib import Path


def on_terminal(folder: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """Exit code and everything that was written to a terminal of 100 columns."""
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(folder)
        environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm-256color", **variables}
        words = [sys.executable, "-P", "-m", "backport", *arguments]
        os.execve(sys.executable, words, environment)
    seen = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        seen += data
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), seen.decode("utf-8", "replace").replace("\r\n", "\n")
