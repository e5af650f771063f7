# SPDX-License-Identifier: GPL-2.0-or-later
"""Verdicts by content, in ``.git/backport/cache/``: the same question is never paid for twice.

``<kind>/<aa>/<key>.json`` holds an answer below a line with its SHA-256, ``blob/<aa>/<sha256>`` (zlib) an
artefact that answers need (the core's object file).  A key is a digest of everything the answer depends on,
so nothing is ever stale; `prune` drops what nothing has asked for in 90 days, and then what has been asked
for least lately, until the rest fits the limit.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import os
import time
import zlib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

from backport.distribution import DISTRIBUTION
from backport.store.files import write_atomic

_DAY = 86400
_KEEP_SECONDS = 90 * _DAY
_HELD = 4
_MIB = 1 << 20
_ROOM = 0.9
"""Of the limit, what is left after pruning: the next answer is not to prune again."""


class ArtefactGone(Exception):
    """An artefact that an answer goes by is not there, or damaged: it must be made again."""


class Cache:
    """The cache of one repository."""

    def __init__(self, folder: Path, limit: int = 2048) -> None:
        """``limit`` in MiB."""
        self.folder = folder
        self.limit = limit * _MIB
        self._held: dict[str, bytes] = {}
        self._lock = Lock()
        """Of what is held: a replay makes two files at a time."""

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """The answer kept under ``key``; a damaged one counts as absent."""
        path = self._path(kind, key).with_suffix(".json")
        try:
            seal, _, text = path.read_bytes().partition(b"\n")
            if seal != _seal(text):
                return None
            path.touch()
            found = json.loads(text)
        except (OSError, ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def recent(self, kind: str, most: int) -> Iterator[dict[str, Any]]:
        """The newest answers of a kind, in no order."""
        paths = (self.folder / kind).glob("*/*.json")
        for path in heapq.nlargest(most, paths, key=lambda path: path.stat().st_mtime):
            answer = self.get(kind, path.stem)
            if answer is not None:
                yield answer

    def put(self, kind: str, key: str, answer: dict[str, Any]) -> None:
        """Keep an answer."""
        path = self._path(kind, key).with_suffix(".json")
        text = json.dumps(answer).encode()
        write_atomic(path, _seal(text) + b"\n" + text, durable=False)

    def drop(self, kind: str, key: str) -> None:
        """Forget an answer."""
        self._path(kind, key).with_suffix(".json").unlink(missing_ok=True)

    def blob(self, digest: str) -> bytes | None:
        """The artefact with that SHA-256; None when it is not kept, or no longer is what it was."""
        return self._held.get(digest) or self._read(self._path("blob", digest), digest)

    def _read(self, path: Path, digest: str) -> bytes | None:
        try:
            data = zlib.decompress(path.read_bytes())
        except OSError:
            return None
        except zlib.error:
            data = b""
        if hashlib.sha256(data).hexdigest() == digest:
            return data
        path.unlink(missing_ok=True)
        return None

    def has_blob(self, digest: str) -> bool:
        """Whether an artefact is there, unread: an image takes a tenth of a second."""
        try:
            os.utime(self._path("blob", digest))  # it is in use
        except OSError:
            return False
        return True

    def hold(self, data: bytes) -> str:
        """Have an artefact at hand in this process, until a few others are; returns its SHA-256.  From any
        thread."""
        digest = hashlib.sha256(data).hexdigest()
        with self._lock:
            self._held.pop(digest, None)
            self._held[digest] = data
            if len(self._held) > _HELD:
                self._held.pop(next(iter(self._held)))
        return digest

    def put_blob(self, data: bytes) -> str:
        """Keep an artefact; returns its SHA-256."""
        digest = self.hold(data)
        path = self._path("blob", digest)
        if self._read(path, digest) is not None:
            path.touch()
        else:  # absent, or damaged
            # Level 1: an image shrinks to half in a twentieth of a second.
            write_atomic(path, zlib.compress(data, 1), durable=False)
        return digest

    def prune(self) -> None:
        """Keep the cache in its bounds: looks at all of it, which takes 10 ms for a thousand entries."""
        limit = time.time() - _KEEP_SECONDS
        kept: list[tuple[float, int, Path]] = []
        for path in self.folder.glob("*/*/*"):
            try:
                st = path.stat()
                if st.st_mtime < limit:
                    path.unlink(missing_ok=True)
                    continue
            except OSError:
                continue  # another run prunes too
            kept.append((st.st_mtime, st.st_blocks * 512, path))
        size = sum(one for _, one, _ in kept)
        if size <= self.limit:
            return
        for _, one, path in sorted(kept):
            if size <= self.limit * _ROOM:
                return
            path.unlink(missing_ok=True)
            size -= one

    def _path(self, kind: str, key: str) -> Path:
        return self.folder / kind / key[:2] / key


def _seal(text: bytes) -> bytes:
    """What tells an answer from one that a disk has damaged: a wrong bit in it might be another verdict."""
    return hashlib.sha256(text).hexdigest().encode()


def digest(*parts: str | bytes) -> str:
    """A key from everything an answer depends on."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        sha.update(b"%d:" % len(data) + data)
    return sha.hexdigest()


@cache
def tool_version(package: str) -> str:
    """The version of the tool and of the very code of one of its packages.

    The code counts, not only the number: a changed oracle must not answer from its predecessor's
    cache while it is being worked on.
    """
    folder = Path(__file__).parents[2] / package
    sha = hashlib.sha256(version(DISTRIBUTION).encode())
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".py", ".toml", ".S", ".lds"):
            sha.update(path.name.encode() + path.read_bytes())
    return sha.hexdigest()
