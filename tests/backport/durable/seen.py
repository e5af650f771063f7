# SPDX-License-Identifier: GPL-2.0-or-later
"""All that a user has in a repository, to compare before and after."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from tests.backport.trees import git

Seen = dict[str, str]


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
    left = ("run/state.json", "conflict")
    found["state"] = " ".join(name for name in left if (repo / ".git/backport" / name).exists())
    return found


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
    return f"{stat.S_IMODE(path.stat().st_mode) & 0o111:o} {path.read_bytes()!r}"
