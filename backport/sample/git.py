# SPDX-License-Identifier: GPL-2.0-or-later
"""The few git commands that make a repository out of package data.

The sample must come out with the same object ids everywhere, so nothing of the user's git
configuration, identity or hooks may reach them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

_ENV = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_COMMITTER_NAME": "Stable Maintainer",
    "GIT_COMMITTER_EMAIL": "stable@example.org",
    "GIT_COMMITTER_DATE": "1515500000 +0000",
    "HOME": os.devnull,
    "TZ": "UTC",
    "LC_ALL": "C",
}


def git(directory: Path, *args: str, data: bytes = b"", env: Mapping[str, str] = _ENV) -> bytes:
    """Run git in ``directory`` with ``data`` as its input; its output.  Raises CalledProcessError."""
    command = ["git", "-c", "core.autocrlf=false", "-c", "core.hooksPath=" + os.devnull, *args]
    environment = {"PATH": os.environ.get("PATH", os.defpath), **env}
    return subprocess.run(
        command, cwd=directory, env=environment, input=data, check=True, capture_output=True
    ).stdout


def apply_mails(directory: Path, mails: bytes) -> None:
    """Commit a mailbox onto the branch that is checked out; committed when it was authored."""
    git(directory, "am", "-q", "--committer-date-is-author-date", data=mails)
