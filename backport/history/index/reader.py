# SPDX-License-Identifier: GPL-2.0-or-later
"""The file of the index as it is read.

Format 5 (``PRAGMA user_version``); a file of another version is not read, and built anew.

``meta``   ``edge``: the CRC-32 of what moves the edge of a shallow clone, and of grafts

What else there is, kept_spans, kept_sides and kept_answers have.
"""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from backport.gateway.repository import Repo
from backport.history.index.kept_answers import find_answer, keep_answers
from backport.history.index.kept_sides import (
    UNREADABLE,
    History,
    find_history,
    find_own,
    find_sides,
    find_statements,
)
from backport.history.index.kept_spans import find_referring, find_span
from backport.history.sides import Sides
from backport.history.spans import Entry, Span
from backport.history.statements import Statement
from series.model import Oid

T = TypeVar("T")
VERSION = 5
_BRIEFLY = 0.05
"""Seconds that a reader waits for a writer before it reads history itself."""


class Reader:
    """An index that is there and of today's format; a row that is damaged is no answer."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._history: History | None = None

    def referring(self, tip: Oid, hide: Oid) -> list[tuple[int, Entry]] | None:
        """Cost: 2 ms for a newer stable branch of Xen."""
        return self._sound(lambda: find_referring(self._connection, tip, hide))

    def span(self, tip: Oid, hide: Oid) -> Span | None:
        return self._sound(lambda: find_span(self._connection, tip, hide))

    def sides(self, tip: Oid, top: Oid) -> Sides | None:
        return self._sound(lambda: self._of_history(find_sides, tip, top))

    def own(self, tip: Oid, top: Oid) -> tuple[Oid, ...] | None:
        return self._sound(lambda: self._of_history(find_own, tip, top))

    def statements(self, commits: Sequence[Oid]) -> dict[Oid, Statement]:
        return self._sound(lambda: find_statements(self._connection, commits)) or {}

    def answer(self, key: bytes) -> str | None:
        return self._sound(lambda: find_answer(self._connection, key))

    def _of_history(
        self, find: Callable[[sqlite3.Connection, Oid, History], T | None], tip: Oid, top: Oid
    ) -> T | None:
        if self._history is None or self._history.top != top:
            self._history = find_history(self._connection, top)
        return find(self._connection, tip, self._history) if self._history is not None else None

    @staticmethod
    def _sound(find: Callable[[], T | None]) -> T | None:
        try:
            return find()
        except UNREADABLE:
            return None


def open_reader(repo: Repo, path: Path) -> Reader | None:
    """The index in ``path``; None where it is damaged, or not of now."""
    try:
        found = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_BRIEFLY)
        if _is_of_now(found, repo):
            return Reader(found)
    except sqlite3.Error:
        return None
    found.close()
    return None


def store_answers(
    repo: Repo, path: Path, fresh: Mapping[bytes, str], asked: Iterable[bytes]
) -> None:
    """Keep answers, where nothing hinders it."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=_BRIEFLY)
        ) as connection:
            connection.execute("begin immediate")
            if _is_of_now(connection, repo):
                keep_answers(connection, fresh, asked)
                connection.commit()
    except sqlite3.Error:
        return


def _is_of_now(connection: sqlite3.Connection, repo: Repo) -> bool:
    """Whether an index is of this version, and of the history as it is."""
    version = connection.execute("pragma user_version").fetchone()[0]
    if version != VERSION:
        return False
    edge = connection.execute("select value from meta where key = 'edge'").fetchone()
    return edge is not None and edge[0] == edge_of(repo)


def edge_of(repo: Repo) -> str:
    """What changes the history of a commit without changing the commit."""
    total = 0
    for name in ("shallow", "info/grafts"):
        path = repo.common_dir / name
        total = zlib.crc32(path.read_bytes() if path.is_file() else b"", total + 1)
    return str(total)
