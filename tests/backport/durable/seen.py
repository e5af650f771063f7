# SPDX-License-Identifier: GPL-2.0-or-later
"""All that a user has in a repository, to compare before and after."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path

from tests.backport.trees import git

Seen = dict[str, str]
LASTING = (
    *("lock", "moves.json", "cache", "index.sqlite"),
    *(
        "build",
        "build-around",
        "build-date",
        "build-left",
        "build-unclean",
        "no-keyrings.bpf",
        "record",
        "tmp",
    ),
)
"""What of the tool's own outlives a run."""


def seen(repo: Path) -> Seen:
    """Files, index, refs, reflogs, locks, worktrees and what ``git status`` says."""
    found: Seen = {}
    for folder, folders, files in os.walk(repo):
        if Path(folder) == repo:
            folders.remove(".git")
        for name in sorted((*folders, *files)):
            path = Path(folder) / name
            found[f"file {path.relative_to(repo)}"] = _content(path)
    for folder, folders, files in os.walk(repo / ".git"):
        inside = Path(folder).relative_to(repo / ".git")
        if str(inside) == ".":
            folders[:] = [name for name in folders if name not in ("backport", "objects")]
        if inside.parts[:1] == ("worktrees",):  # that of the builds is kept
            folders[:] = [name for name in folders if name != "build"]
        for name in files:
            path = Path(folder) / name
            if name != "index":
                # Of a reflog all but the moment.
                text = _content(path)
                found[f"git {inside / name}"] = re.sub(r"> \d{9,} ", "> ", text)
        if len(inside.parts) > 1 and inside.parts[0] == "worktrees":
            found[f"worktree {inside}"] = ""
    for top in (repo, repo / "linked"):
        if top.is_dir():
            found[f"index {top.name}"] = git(top, "ls-files", "-s", "-v")
            found[f"status {top.name}"] = git(top, "status", "--porcelain", "--ignored")
    found |= refs(repo)
    state = repo / ".git/backport"
    for path in state.iterdir() if state.is_dir() else ():
        if path.name not in LASTING:
            found[f"state {path.name}"] = ""
    for path in (*state.glob("conflict/**/*"), *state.glob("branches/*/conflict/**/*")):
        if path.name != ".git":
            found[f"conflict {path.relative_to(state)}"] = _content(path)
    return found


def refs(repo: Path) -> Seen:
    """Where the refs are."""
    lines = git(repo, "for-each-ref", "--format=ref %(refname) %(objectname)").splitlines()
    return dict(line.rsplit(" ", 1) for line in lines)


def difference(one: Seen, other: Seen) -> str:
    """What differs, a line a thing."""
    return "\n".join(
        f"{key}: {one.get(key)!r} -> {other.get(key)!r}"
        for key in sorted(one.keys() | other.keys())
        if one.get(key) != other.get(key)
    )


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    if path.is_dir():
        return "folder"
    data = path.read_bytes()
    what = repr(data) if len(data) < 2000 else hashlib.sha256(data).hexdigest()
    return f"{stat.S_IMODE(path.stat().st_mode) & 0o111:o} {what}"
