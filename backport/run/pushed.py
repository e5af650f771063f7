# SPDX-License-Identifier: GPL-2.0-or-later
"""What is about to be pushed, as the ranges that are checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from backport.gateway.repository import Repo
from series.model import Oid


class Pushed(Struct, frozen=True):
    """A branch that is pushed, and what is new of it as ``A..B``; None where nothing shows what is new."""

    branch: str
    commits: str | None


def pushed_ranges(
    repo: Repo, remote: str, upstream: str | None, lines: Iterable[str]
) -> Iterator[Pushed]:
    """Each branch that git names to a pre-push hook (githooks(5): local ref and commit, then those of the
    remote) and that brings commits.

    A branch that the remote does not have, or has at a commit that is not here, begins at the newest commit
    that any branch of that remote holds.  Of a remote that nothing is known of (its first push, or a URL),
    other remotes show what is new, and then upstream.
    """
    for line in lines:
        words = line.split()
        if len(words) != 4 or not words[2].startswith("refs/heads/") or not words[1].strip("0"):
            continue  # a tag, or a branch that is taken away
        branch, new, old = words[2].removeprefix("refs/heads/"), Oid(words[1]), Oid(words[3])
        if old.strip("0") and repo.find_commit(old) is not None:
            start: Oid | None = old
        else:
            held = [(f"--remotes={remote}",), ("--remotes",)]
            start = next(filter(None, (_start(repo, new, one) for one in held)), None)
            if start is None and upstream is not None:
                start = _start(repo, new, (repo.branch_tip(upstream),))
                start = None if start == new else start  # upstream itself is pushed
        if start is None:
            yield Pushed(branch, None)
        elif start != new and repo.git("rev-list", "-1", f"{start}..{new}"):
            yield Pushed(branch, f"{start}..{new}")


def _start(repo: Repo, new: Oid, held: tuple[str, ...]) -> Oid | None:
    """Behind which commit ``new`` has what is not ``held``, itself if nothing; None where all of its history
    is not, down to a root."""
    fresh = repo.git("rev-list", "--topo-order", new, "--not", *held).split()
    if not fresh:
        return new
    parents = repo.parents(Oid(fresh[-1]))
    return parents[0] if parents else None
