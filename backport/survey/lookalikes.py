# SPDX-License-Identifier: GPL-2.0-or-later
"""Commits of upstream that make the same change as a commit of the branch, under other words.

Patch ids are computed where they are asked for, and not kept in the index: of 6,182 commits on thirteen
stable branches of Xen 733 name no origin, and patch ids find the origin of two that the subject does not
find.  To keep those of 20,000 upstream commits would cost 17 s for each new index.  One walk that lists
paths (a second for 14,000 commits) leaves the few that change the same files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backport.gateway.commits import commit_patch
from backport.gateway.repository import Repo
from series.model import Oid, Patch
from series.reading.patch_ids import fingerprint


def find_lookalikes(
    repo: Repo, commits: Sequence[Oid], upstream: Oid, tip: Oid
) -> dict[Oid, tuple[Oid, ...]]:
    """By commit: those that ``upstream`` reaches and ``tip`` does not with the same patch id, newest first.

    A commit that changes no file is like no other.
    """
    sought: dict[frozenset[bytes], list[tuple[Oid, str]]] = {}
    for commit in commits:
        patch = commit_patch(repo, commit)
        if patch.changes:
            sought.setdefault(_paths(patch), []).append((commit, fingerprint(patch.changes)))
    found: dict[Oid, tuple[Oid, ...]] = {}
    if not sought:
        return found
    for other, paths in _changed_paths(repo, upstream, tip):
        alike = sought.get(paths, ())
        same = fingerprint(commit_patch(repo, other).changes) if alike else ""
        for commit, print_ in alike:
            if print_ == same:
                found[commit] = (*found.get(commit, ()), other)
    return found


def _paths(patch: Patch) -> frozenset[bytes]:
    """What ``git diff --no-renames --name-only`` would list."""
    both = (
        (change.new_path, None if change.kind == "copy" else change.old_path)
        for change in patch.changes
    )
    return frozenset(path for pair in both for path in pair if path is not None)


def _changed_paths(repo: Repo, top: Oid, hide: Oid) -> Iterator[tuple[Oid, frozenset[bytes]]]:
    """Each commit with what it changes; a path may hold any byte but NUL, so fields are counted."""
    words = ("log", "--no-merges", "--no-renames", "--raw", "-z", "--format=%H")
    out = repo.git.read("-c", "log.showSignature=false", *words, top, f"^{hide}")
    commit, paths = "", set[bytes]()
    fields = iter(out.split(b"\0"))
    for one in fields:
        if one.lstrip(b"\n").startswith(b":"):
            paths.add(next(fields, b""))
        elif one:
            if commit:
                yield Oid(commit), frozenset(paths)
            commit, paths = one.decode(), set()
    if commit:
        yield Oid(commit), frozenset(paths)
