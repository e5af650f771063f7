# SPDX-License-Identifier: GPL-2.0-or-later
"""What a maintainer has decided not to take, in git notes: ``refs/notes/backport``.

A note on the upstream commit has a line ``Ignored-on: BRANCH: why``.  git writes the notes, merges them and
carries them to others; what is in them is as much a stranger's as a message is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from backport.errors import UsageError
from backport.gateway.repository import Repo
from series.model import Oid, shown

REF = "refs/notes/backport"
_LINE = re.compile(rb"^Ignored-on: (\S+): (.*\S)\s*$", re.M)


def ignored(repo: Repo, branch: str) -> Mapping[Oid, str]:
    """Why a commit is not taken on ``branch``, by commit."""
    if repo.native.references.get(REF) is None:
        return {}
    found = {}
    listed = repo.git("notes", f"--ref={REF}", "list").split("\n")
    for blob, commit in (line.split(" ") for line in listed if line):
        for match in _LINE.finditer(repo.objects.blob(Oid(blob))):
            if match[1].decode("utf-8", "replace") == branch:
                found[Oid(commit)] = shown(match[2])
    return found


def ignore(repo: Repo, commit: Oid, branch: str, because: str) -> None:
    """Note that ``branch`` does not take ``commit``.  Raises `UsageError`, `GitFailed`."""
    if not because.strip() or "\n" in because:
        raise UsageError(
            "--because needs one line that says why", "--because 'not reachable there'"
        )
    if commit in ignored(repo, branch):
        raise UsageError(
            f"{commit[:12]} is ignored on {branch} already",
            f"`git notes --ref={REF} edit {commit[:12]}` changes the reason",
        )
    line = f"Ignored-on: {branch}: {because.strip()}"
    repo.git("notes", f"--ref={REF}", "append", "-m", line, commit)
