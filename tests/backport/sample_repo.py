# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the sample share: mailboxes onto branches, by plain git."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from backport.sample.git import apply_mails, git
from backport.sample.write import SamplePaths

PREREQUISITE = b"event_channel: split the allocation of one port from the search"
"""Subject of the commit on master that the posted series needs."""


def mails(mailbox: Path) -> list[bytes]:
    """The mails of a posted mailbox, each with its separator."""
    return re.split(rb"(?m)^(?=From [0-9a-f]{40} Mon Sep 17)", mailbox.read_bytes())[1:]


def subject(repository: Path, commit: str) -> bytes:
    return git(repository, "log", "-1", "--format=%s", commit).strip()


def prerequisite(sample: SamplePaths) -> str:
    """Commit id of the prerequisite on master."""
    log = git(sample.directory, "log", "--format=%H %s", sample.upstream).splitlines()
    return next(line.split()[0].decode() for line in log if line.endswith(PREREQUISITE))


def take_series(sample: SamplePaths, mailbox: Path) -> list[str]:
    """Put the prerequisite and the series on a detached HEAD; the commits, prerequisite first."""
    git(sample.directory, "checkout", "-q", "-f", "--detach", sample.base)
    git(sample.directory, "cherry-pick", prerequisite(sample))
    apply_mails(sample.directory, b"".join(m for m in mails(mailbox) if b"\ndiff --git " in m))
    revisions = git(sample.directory, "rev-list", "--reverse", f"{sample.base}..HEAD")
    return revisions.decode().split()


def build(directory: Path, target: str = "all") -> subprocess.CompletedProcess[str]:
    """The build that the sample's configuration names."""
    return subprocess.run(
        ["make", "-j2", "-s", target], cwd=directory, capture_output=True, text=True, check=False
    )
