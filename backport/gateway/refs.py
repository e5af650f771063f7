# SPDX-License-Identifier: GPL-2.0-or-later
"""The refs that we write: our own, and the user's branch, which moves once and by compare-and-swap."""

from __future__ import annotations

import time
from collections.abc import Callable

import pygit2

from backport.errors import BranchMoved, GitFailed
from backport.gateway.repository import Repo
from series.model import Oid

_PATIENCE = 15
"""Tenths of a second that a ref may stay locked before its lock counts as left behind."""


def keep(repo: Repo, ref: str, commit: Oid) -> None:
    """Have one of our own refs (``refs/backport/...``) hold a commit, and all it reaches, on disk."""
    repo.objects.store()
    repo.native.references.create(ref, commit, force=True)


def move_branch(
    repo: Repo,
    ref: str,
    new: Oid,
    old: Oid | None,
    reason: str,
    before: Callable[[], object] = lambda: None,
) -> None:
    """Move (or, with ``old`` None, create) a ref by compare-and-swap, with a reflog entry.

    The ref is locked as git locks it while its value is compared and ``before`` runs, so that
    nobody's commit can come between; an exception from ``before`` leaves the ref alone.  Raises
    `BranchMoved` when it is not at ``old`` any more; nothing is changed then.
    """
    repo.objects.store()
    repo.native.set_ident(*_plain_identity(repo))
    with repo.native.transaction() as change:
        try:
            change.lock_ref(ref)
        except pygit2.GitError as error:
            raise GitFailed(
                f"{ref} is locked by another git: {error}",
                f"if none runs, remove {repo.common_dir / ref}.lock, then `backport continue`",
            ) from error
        now = repo.ref(ref)
        if now == old:
            before()
            change.set_target(ref, pygit2.Oid(hex=new), message=reason)
            return
    short = ref.removeprefix("refs/heads/")
    raise BranchMoved(
        f"{short} has moved since this run began at {old[:12]}; left alone"
        if old
        else f"somebody else has created {short} since this run began; left alone",
        f"the result is kept at {new[:12]}: look at `git log {short}...{new[:12]}`",
    )


def unlock(repo: Repo, ref: str, since: float) -> None:
    """Remove the ref's lock when a killed run of ours left it: not older than ``since`` (seconds
    since the epoch), and still there after longer than a git at work holds one."""
    lock = repo.common_dir / f"{ref}.lock"
    for _ in range(_PATIENCE):
        try:
            made = lock.stat().st_mtime
        except FileNotFoundError:
            return
        time.sleep(0.1)
    if made >= since - 1:
        lock.unlink(missing_ok=True)


def _plain_identity(repo: Repo) -> tuple[str, str]:
    who = repo.committer().who
    return who.name.decode("utf-8", "replace"), who.email.decode("utf-8", "replace")


def delete(repo: Repo, ref: str) -> None:
    """Remove a ref if it is there."""
    if ref in repo.native.references:
        repo.native.references.delete(ref)


def is_branch_name(ref: str) -> bool:
    """Whether git allows the full name of a ref."""
    return pygit2.reference_is_valid_name(ref)
