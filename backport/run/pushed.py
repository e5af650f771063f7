# SPDX-License-Identifier: GPL-2.0-or-later
"""What is about to be pushed, as the ranges that are checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from backport.gateway.repository import Repo
from series.model import Oid


def pushed_ranges(repo: Repo, remote: str, lines: Iterable[str]) -> Iterator[str]:
    """``A..B`` for each branch that git names to a pre-push hook (githooks(5)): local ref and commit, then
    those of the remote.

    A branch that the remote does not have, or has at a commit that is not here, begins at the newest commit
    that any branch of that remote holds.
    """
    for line in lines:
        words = line.split()
        if len(words) != 4 or not words[2].startswith("refs/heads/") or not words[1].strip("0"):
            continue  # a tag, or a branch that is taken away
        new, old = Oid(words[1]), Oid(words[3])
        if old.strip("0") and repo.find_commit(old) is not None:
            start: Oid | None = old
        else:
            held = f"--remotes={remote}"
            fresh = repo.git("rev-list", "--topo-order", new, "--not", held).split()
            parents = repo.parents(Oid(fresh[-1])) if fresh else ()
            start = parents[0] if parents else None
        if start is not None and start != new and repo.git("rev-list", "-1", f"{start}..{new}"):
            yield f"{start}..{new}"
