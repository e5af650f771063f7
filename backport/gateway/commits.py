# SPDX-License-Identifier: GPL-2.0-or-later
"""Commits of the repository as patches: author, message and changes as ``git format-patch`` finds them."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pygit2

from backport.gateway.repository import Repo
from series.model import FileChange, Identity, Oid, Patch, When
from series.reading.diff import parse_diff
from series.reading.trailers import parse_trailers


def commit_patch(repo: Repo, commit: Oid, position: int = 0) -> Patch:
    """A commit of the repository as a patch against its first parent."""
    native = repo.objects.alone[commit]
    parents = repo.parents(commit)
    if not parents:
        repo.refuse_cut_off(commit)
    head, _, message = native.read_raw().partition(b"\n\n")
    author, date = read_author(head)
    return Patch(
        name=commit[:12],
        author=author,
        date=date,
        message=message,
        changes=_changes(repo, commit),
        encoding=next(
            (x[len(b"encoding ") :] for x in head.split(b"\n") if x.startswith(b"encoding ")), None
        ),
        commit=commit,
        parent=parents[0] if parents else None,
        trailers=parse_trailers(message),
        position=position,
    )


def read_author(head: bytes) -> tuple[Identity, When]:
    """Author and date from the headers of a commit object."""
    author = next(line for line in head.split(b"\n") if line.startswith(b"author "))
    name, _, rest = author[len(b"author ") :].rpartition(b" <")
    email, _, stamp = rest.rpartition(b"> ")
    seconds, _, zone = stamp.partition(b" ")
    sign = -1 if zone.startswith(b"-") else 1
    digits = zone.lstrip(b"+-") or b"0000"
    offset = sign * (60 * int(digits[:-2] or b"0") + int(digits[-2:]))
    return Identity(name, email), When(int(seconds), offset)


def commit_changes(repo: Repo, old: Oid | None, new: Oid) -> tuple[FileChange, ...]:
    """What lies between two trees, as changes with full blob ids and renames found."""
    tree = cast(pygit2.Tree, repo.objects.alone[new])
    binary = pygit2.enums.DiffOption.SHOW_BINARY | pygit2.enums.DiffOption.INDENT_HEURISTIC
    if old is not None:
        diff = cast(pygit2.Tree, repo.objects.alone[old]).diff_to_tree(tree, flags=binary)
    else:
        diff = tree.diff_to_tree(swap=True, flags=binary)
    diff.find_similar(flags=pygit2.enums.DiffFind.FIND_RENAMES)
    text: list[bytes] = []
    ids: list[tuple[Oid, Oid]] = []
    for patch in diff:
        assert patch is not None
        text.append(patch.data)
        ids.append((Oid(str(patch.delta.old_file.id)), Oid(str(patch.delta.new_file.id))))
    changes = parse_diff(b"".join(text), new[:12])
    if len(changes) != len(ids):
        return changes
    return tuple(
        replace(change, old_blob=_real(a, change.old_blob), new_blob=_real(b, change.new_blob))
        for change, (a, b) in zip(changes, ids, strict=True)
    )


def patch_id(repo: Repo, commit: Oid) -> str:
    """The id that ``git patch-id --stable`` gives to a commit; empty for a root commit."""
    parents = repo.parents(commit)
    if not parents:
        return ""
    old = cast(pygit2.Tree, repo.objects.alone[repo.tree(parents[0]).id])
    new = cast(pygit2.Tree, repo.objects.alone[repo.tree(commit).id])
    return str(old.diff_to_tree(new).patchid)


def _real(full: Oid, named: Oid | None) -> Oid | None:
    return full if named is None or full.startswith(named) else named


def _changes(repo: Repo, commit: Oid) -> tuple[FileChange, ...]:
    parents = repo.parents(commit)
    return commit_changes(repo, repo.tree(parents[0]).id if parents else None, repo.tree(commit).id)
