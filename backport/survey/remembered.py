# SPDX-License-Identifier: GPL-2.0-or-later
"""What a maintainer has decided not to take, in git notes: ``refs/notes/backport-ignored``.

A note on the upstream commit has a line ``Ignored-on: BRANCH: why``.  git writes the notes, merges them and
carries them to others; what is in them is as much a stranger's as a message is.  They have a ref of their
own: in ``refs/notes/backport`` stands how far commits are proven, signed as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from backport.errors import UsageError
from backport.gateway.repository import Repo
from series.model import Oid, shown

REF = "refs/notes/backport-ignored"
PROOF_REF = "refs/notes/backport"
_LINE = re.compile(rb"^Ignored-on: (\S+): (.*\S)\s*$", re.M)
_NOT_PROVEN = re.compile(
    rb"^(?:proven: nothing was|(?:build|object|boot|behaviour): (?:could not be judged|failed).*"
    rb"|(?:build|object|boot|behaviour): .*\baccepted\b.*)$",
    re.M,
)


def ignored(repo: Repo, branch: str) -> Mapping[Oid, str]:
    """Why a commit is not taken on ``branch``, by commit."""
    found = {}
    for commit, text in _notes(repo, REF).items():
        for match in _LINE.finditer(text):
            if match[1].decode("utf-8", "replace") == branch:
                found[commit] = shown(match[2])
    return found


def unproven(repo: Repo) -> Mapping[Oid, tuple[str, ...]]:
    """By commit that ``--notes`` has noted: what was not proven of it; empty where all of it was.

    A branch has such a commit only where somebody accepted it so, or asked for no proof.
    """
    found = {}
    for commit, text in _notes(repo, PROOF_REF).items():
        if text.startswith(b"note: 1\n"):
            lines = (shown(match[0]) for match in _NOT_PROVEN.finditer(text))
            found[commit] = tuple(lines)
    return found


def _notes(repo: Repo, ref: str) -> dict[Oid, bytes]:
    if repo.native.references.get(ref) is None:
        return {}
    listed = repo.git("notes", f"--ref={ref}", "list").split("\n")
    pairs = (line.split(" ") for line in listed if line)
    return {Oid(commit): repo.objects.blob(Oid(blob)) for blob, commit in pairs}


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
