# SPDX-License-Identifier: GPL-2.0-or-later
"""The refs of our own (``refs/backport/...``), which hold what a run has made; and names of refs.

They are written as git writes loose refs, under locks that a killed run cannot leave behind unknown
(`locks`).  Only the holder of the run's lock writes them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pygit2

from backport.errors import UsageError
from backport.gateway.locks import Lock
from backport.gateway.repository import Repo
from backport.store.files import sync_folder
from series.model import Oid

_MOST_LINKS = 5
"""Symbolic refs in a row, as git follows them."""
_TRIES = 20


def keep(repo: Repo, ref: str, commit: Oid) -> None:
    """Have one of our own refs hold a commit, and all it reaches, on disk."""
    repo.objects.store()
    if _loose(repo, ref) != commit:
        lock = _lock(repo, ref, commit)
        lock.take(ref)
        lock.commit()
    repo.objects.release_packs()


def delete(repo: Repo, ref: str) -> None:
    """Remove one of our own refs if it is there."""
    path = repo.common_dir / ref
    _lock(repo, ref, None).release()
    for _ in range(_TRIES):
        _drop_packed(repo, ref)
        path.unlink(missing_ok=True)
        # `git pack-refs` may have packed it meanwhile.
        if ref not in repo.native.references:
            break
    if path.parent.is_dir():
        sync_folder(path.parent)


def _lock(repo: Repo, ref: str, commit: Oid | None) -> Lock:
    """The lock of a ref of ours; one that an earlier run left is taken over."""
    path = repo.common_dir / ref
    content = b"%s\n" % (commit or "").encode()
    left = path.with_name(f"{path.name}.lock")
    also = (left.read_bytes(),) if left.is_file() and left.stat().st_size else ()
    return Lock(path, content, also)


def _loose(repo: Repo, ref: str) -> str | None:
    try:
        return os.fsdecode((repo.common_dir / ref).read_bytes()).strip()
    except OSError:
        return None


def _drop_packed(repo: Repo, ref: str) -> None:
    """Take a ref out of ``packed-refs``, where a gc has put it."""
    path = repo.common_dir / "packed-refs"
    while True:
        before = path.read_bytes() if path.is_file() else b""
        kept = _without(before, ref)
        lock = Lock(path, kept)
        if kept == before:
            return
        lock.take(str(path))
        if path.read_bytes() == before:
            lock.commit()
            return
        lock.release()


def _without(packed: bytes, ref: str) -> bytes:
    ends = b" " + os.fsencode(ref) + b"\n"
    return b"".join(line for line in packed.splitlines(keepends=True) if not line.endswith(ends))


def unlock_packed(repo: Repo, ref: str) -> None:
    """Remove the lock of ``packed-refs`` that a run has left which was killed in `delete`."""
    path = repo.common_dir / "packed-refs"
    lock = Lock(path, b"")
    if lock.file.is_file() or lock._made.is_file():
        Lock(path, _without(path.read_bytes() if path.is_file() else b"", ref)).release()


def resolve(repo: Repo, ref: str) -> str:
    """The ref that a symbolic ref stands for in the end; raises `UsageError` where it ends nowhere."""
    at = ref
    for _ in range(_MOST_LINKS):
        found = repo.native.references.get(at)
        if found is None or not isinstance(found.raw_target, bytes):
            return at
        at = found.raw_target.decode("utf-8", "surrogateescape")
    raise UsageError(f"{ref} is a symbolic ref that leads through more than {_MOST_LINKS} others")


def is_branch_name(ref: str) -> bool:
    """Whether git allows a branch of that full name (object-name.c, strbuf_check_branch_ref)."""
    name = ref.removeprefix("refs/heads/")
    if name.startswith("-") or name in ("HEAD", "@"):
        return False
    return pygit2.reference_is_valid_name(ref)


def in_the_way(repo: Repo, ref: str) -> str | None:
    """The ref that keeps ``ref`` from being made: one that is a folder of it, or in it."""
    parts = ref.split("/")
    for size in range(3, len(parts)):
        above = "/".join(parts[:size])
        if above in repo.native.references:
            return above
    below = ref + "/"
    return next((name for name in repo.native.references if name.startswith(below)), None)


def path_of(repo: Repo, ref: str) -> Path:
    """Where the ref lies when it is not packed."""
    return repo.common_dir / ref
