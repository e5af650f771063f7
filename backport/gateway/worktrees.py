# SPDX-License-Identifier: GPL-2.0-or-later
"""The worktrees of a repository, and which of them a branch is checked out in."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path

from msgspec import Struct

from backport.errors import DirtyWorktree
from backport.gateway.refs import resolve
from backport.gateway.repository import Repo


class Worktree(Struct, frozen=True):
    """A worktree of the repository and the branch that is checked out there, if any."""

    path: Path
    branch: str | None


def worktrees(repo: Repo) -> tuple[Worktree, ...]:
    """Every worktree, the main one first (a bare repository has none)."""
    found: list[Worktree] = []
    for block in repo.git("worktree", "list", "--porcelain", "-z").split("\0\0"):
        lines = dict(line.partition(" ")[::2] for line in block.split("\0"))
        if "worktree" in lines and "bare" not in lines:
            branch = lines.get("branch")
            found.append(Worktree(Path(lines["worktree"]), branch))
    return tuple(found)


def checked_out(repo: Repo, ref: str) -> Worktree | None:
    """The worktree in which the branch is checked out, if any.

    Raises `DirtyWorktree` where its folder is not there: its index would show the move as changes of the
    user's when it comes back.
    """
    # The common case, asked of libgit2: nothing but the main worktree.
    if not (repo.common_dir / "worktrees").is_dir():
        if repo.native.workdir and resolve(repo, "HEAD") == ref:
            return Worktree(Path(repo.native.workdir), ref)
        return None
    found = next(
        (tree for tree in worktrees(repo) if tree.branch and resolve(repo, tree.branch) == ref),
        None,
    )
    if found is not None and not found.path.is_dir():
        raise DirtyWorktree(
            f"{ref.removeprefix('refs/heads/')} is checked out in {found.path}, which is not there",
            "`git worktree prune` forgets it (behind `git worktree unlock` where it is locked); or put the"
            " result on another branch with --to NAME",
        )
    return found


def forget_worktree(repo: Repo, folder: Path) -> None:
    """Remove git's entries for a worktree of ours, also those that a kill has cut short.

    `git worktree prune` spares one that is locked, as each is while it is made; and one whose folder is
    there again.
    """
    entries = repo.common_dir / "worktrees"
    for entry in entries.iterdir() if entries.is_dir() else ():
        if _is_of(entry, folder):
            shutil.rmtree(entry)
    with contextlib.suppress(OSError):  # others are in it
        entries.rmdir()


def _is_of(entry: Path, folder: Path) -> bool:
    try:
        named = os.fsdecode((entry / "gitdir").read_bytes()).strip()
    except FileNotFoundError:
        named = ""
    whole = str(folder / ".git")
    if named == whole or not whole.startswith(named):
        return named == whole
    # Cut before git had written whose it is: its name is the folder's, with a number where that was taken.
    return re.fullmatch(rf"{re.escape(folder.name)}\d*", entry.name) is not None


def forget_half_made(repo: Repo, folder: Path) -> None:
    """Remove the entries for a worktree of ours that git has not come to the end of making."""
    entries = repo.common_dir / "worktrees"
    for entry in entries.iterdir() if entries.is_dir() else ():
        if _is_of(entry, folder) and _is_half_made(entry):
            shutil.rmtree(entry)


def has_entry(repo: Repo, folder: Path) -> bool:
    """Whether git has an entry for a worktree of ours."""
    entries = repo.common_dir / "worktrees"
    return entries.is_dir() and any(_is_of(entry, folder) for entry in entries.iterdir())


def _is_half_made(entry: Path) -> bool:
    # Nobody else locks a worktree of ours.
    return (entry / "locked").exists() or not (entry / "gitdir").exists()


def refuse_dirty(repo: Repo, ref: str) -> None:
    """Raise `DirtyWorktree` when the branch is checked out with uncommitted changes, or is being rebased."""
    refuse_rebased(repo, ref)
    where = checked_out(repo, ref)
    if where is None:
        return
    # Of git itself: libgit2 knows nothing of sparse checkouts, and takes what is not there as deleted.
    words = ("status", "--porcelain", "-z", "--no-renames", "--untracked-files=no")
    out = repo.git("--no-optional-locks", *words, cwd=where.path)
    dirty = sorted(entry[3:] for entry in out.split("\0") if entry)
    if dirty:
        more = f" and {len(dirty) - 3} more" if len(dirty) > 3 else ""
        raise DirtyWorktree(
            f"{ref.removeprefix('refs/heads/')} is checked out in {where.path}"
            f" with changes: {', '.join(dirty[:3])}{more}",
            "commit or stash them, or put the result on another branch with --to NAME",
        )


def refuse_rebased(repo: Repo, ref: str) -> None:
    """Raise `DirtyWorktree` where a worktree is rebasing the branch.

    HEAD is detached until a rebase moves the branch, or its abort moves it back over what came between.
    """
    for folder in (repo.common_dir, *(repo.common_dir / "worktrees").glob("*")):
        for state in ("rebase-merge", "rebase-apply"):
            file = folder / state / "head-name"
            if file.is_file() and file.read_bytes().strip() == os.fsencode(ref):
                raise DirtyWorktree(
                    f"{ref.removeprefix('refs/heads/')} is being rebased ({file.parent})",
                    "`git rebase --continue` or `--abort` ends that; or put the result on another branch"
                    " with --to NAME",
                )
