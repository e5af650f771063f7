# SPDX-License-Identifier: GPL-2.0-or-later
"""Commits of the repository as patches: author, message and changes as ``git format-patch`` finds them."""

from __future__ import annotations

import re
from typing import cast

import pygit2
from msgspec.structs import replace

from backport.errors import MissingObject, UnfitCommit
from backport.gateway.identity import zone_of
from backport.gateway.repository import Repo
from series.model import FileChange, Identity, Oid, Patch, When, shown
from series.reading.diff import parse_diff
from series.reading.trailers import parse_trailers

_STAMP = re.compile(rb"(-?\d{1,18}) ([+-])(\d{1,6})")
_AUTHOR = re.compile(rb"[^<>\0]* <[^<>\0]*> (?:0|[1-9]\d{0,17}) [+-]\d{4}")
"""An author that ``git fsck`` takes (fsck.c, fsck_ident)."""


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


def fit_commit(repo: Repo, commit: Oid, position: int = 0) -> Patch:
    """The same of a commit that is to be made again elsewhere (see `refuse_unfit`)."""
    refuse_unfit(repo, commit)
    return commit_patch(repo, commit, position)


def refuse_unfit(repo: Repo, commit: Oid) -> None:
    """Raise `UnfitCommit` where git would not make a commit again: without a message, or with an author
    line that ``git fsck`` refuses; `UsageError` where git reads another in its place."""
    repo.refuse_replaced(commit)
    head, _, message = repo.objects.raw_commit(commit).partition(b"\n\n")
    author = _author_line(head)
    if not _AUTHOR.fullmatch(author):
        raise UnfitCommit(
            f"the commit {commit} has the author '{shown(author[:80])}', which git does not accept"
        )
    if author.startswith(b" <> "):
        raise UnfitCommit(f"the commit {commit} names no author")
    if not message.strip():
        raise UnfitCommit(f"the commit {commit} has no message")
    if b"\0" in message:
        raise UnfitCommit(
            f"the message of the commit {commit} holds a NUL byte, which git does not accept"
        )


def read_author(head: bytes) -> tuple[Identity, When]:
    """Author and date from the headers of a commit; an empty author and 1970 where they cannot be read."""
    name, _, rest = _author_line(head).rpartition(b" <")
    email, _, stamp = rest.rpartition(b"> ")
    found = _STAMP.fullmatch(stamp)
    if found is None:
        return Identity(name, email or rest), When(0, 0)
    seconds, sign, digits = found.groups()
    minutes = 60 * int(digits[:-2] or b"0") + int(digits[-2:])
    offset = -minutes if sign == b"-" else minutes
    zone = sign + digits
    return Identity(name, email), When(
        int(seconds), offset, zone if zone != zone_of(offset) else b""
    )


def _author_line(head: bytes) -> bytes:
    lines = (line for line in head.split(b"\n") if line.startswith(b"author "))
    return next(lines, b"author ")[len(b"author ") :]


def commit_changes(repo: Repo, old: Oid | None, new: Oid) -> tuple[FileChange, ...]:
    """What lies between two trees, as changes with full blob ids and renames found.

    Raises `MissingObject` where one of them, or a file of theirs, cannot be read.
    """
    text: list[bytes] = []
    ids: list[tuple[Oid, Oid]] = []
    try:
        for patch in _compared(repo, old, new):
            assert patch is not None
            text.append(patch.data)
            ids.append((Oid(str(patch.delta.old_file.id)), Oid(str(patch.delta.new_file.id))))
    except (KeyError, pygit2.GitError) as error:
        what = str(error).strip("'\"")
        raise MissingObject(f"what the tree {new[:12]} changes cannot be read: {what}") from error
    changes = parse_diff(b"".join(text), new[:12])
    if len(changes) != len(ids):
        return changes
    return tuple(_identified(change, a, b) for change, (a, b) in zip(changes, ids, strict=True))


def _identified(change: FileChange, old: Oid, new: Oid) -> FileChange:
    """With full ids; libgit2 writes that a binary file differs also where its name or mode alone does."""
    found = replace(
        change, old_blob=_real(old, change.old_blob), new_blob=_real(new, change.new_blob)
    )
    return replace(found, binary=False, forward=None, reverse=None) if old == new else found


def _compared(repo: Repo, old: Oid | None, new: Oid) -> pygit2.Diff:
    tree = cast(pygit2.Tree, repo.objects.alone[new])
    binary = pygit2.enums.DiffOption.SHOW_BINARY | pygit2.enums.DiffOption.INDENT_HEURISTIC
    if old is not None:
        diff = cast(pygit2.Tree, repo.objects.alone[old]).diff_to_tree(tree, flags=binary)
    else:
        diff = tree.diff_to_tree(swap=True, flags=binary)
    diff.find_similar(flags=pygit2.enums.DiffFind.FIND_RENAMES)
    return diff


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
