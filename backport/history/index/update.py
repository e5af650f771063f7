# SPDX-License-Identifier: GPL-2.0-or-later
"""The index, made and brought up to date."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from backport.errors import NotStored, UsageError
from backport.gateway.repository import Repo
from backport.history.index import kept_answers, kept_sides, kept_spans
from backport.history.index.kept_sides import Kept
from backport.history.index.ledger import index_path
from backport.history.index.reader import VERSION, edge_of
from series.model import Oid

_PATIENCE = 60.0
"""Seconds that a second `backport index` waits for the first."""
_TABLES = (
    "create table meta (key text primary key, value text not null) without rowid;"
    f"{kept_spans.TABLES}{kept_sides.TABLES}{kept_answers.TABLE}"
)


class Updated(Struct, frozen=True):
    """What an update did."""

    kept: int
    made: int
    dropped: int
    size: int
    kept_sides: Kept
    rebuilt: str = ""
    """Why the file was made anew, if it was."""


def update(
    repo: Repo,
    wanted: Iterable[tuple[Oid, Oid]],
    on_done: Callable[[int, int], None],
    top: Oid | None = None,
    tips: Iterable[Oid] = (),
) -> Updated:
    """Have the spans of ``wanted`` (pairs of a tip and what is hidden) in the index, and no others.

    And what ``tips`` and ``top`` have of each other, with what all those commits state.

    All in one transaction: killed at any instant, the index is what it was before.  Raises `NotStored`,
    and `UsageError` where another process is at work for a minute.
    """
    pairs = dict.fromkeys(wanted)
    path = index_path(repo)
    try:
        repo.state_dir.mkdir(parents=True, exist_ok=True)
        with _writing(path, repo) as (connection, rebuilt):
            sides, reach = kept_sides.keep(connection, repo, top, tips, on_done)
            spans = kept_spans.Spans(connection, repo, reach)
            there = set(spans.pairs)
            if spans.were_unsound or sides.unsound:
                rebuilt = rebuilt or "sums were wrong"
            for number, (tip, hide) in enumerate(pairs, 1):
                if (tip, hide) not in there:
                    spans.add(tip, hide)
                on_done(number, len(pairs))
            gone = there - pairs.keys()
            spans.drop(gone)
        kept = len(there & pairs.keys())
        return Updated(kept, len(pairs) - kept, len(gone), path.stat().st_size, sides, rebuilt)
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise UsageError(
                f"another process is writing {path}", "wait for it, then try again"
            ) from error
        raise NotStored(
            f"{path} cannot be written: {error}",
            "see that the disk has room; nothing needs the index",
        ) from error
    except OSError as error:
        raise NotStored(f"{path} cannot be written: {error.strerror}") from error


@contextlib.contextmanager
def _writing(path: Path, repo: Repo) -> Iterator[tuple[sqlite3.Connection, str]]:
    """A transaction on a sound file of this version, made anew where it is none."""
    edge, why = edge_of(repo), _unsound(path)
    if why:
        for name in (path.name, f"{path.name}-journal"):
            path.with_name(name).unlink(missing_ok=True)
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    connection.text_factory = _text
    try:
        connection.execute("begin immediate")
        try:
            if not connection.execute("pragma user_version").fetchone()[0]:
                for statement in filter(str.strip, _TABLES.split(";")):
                    connection.execute(statement)
                connection.execute(f"pragma user_version = {VERSION}")
            before = connection.execute("select value from meta where key = 'edge'").fetchone()
            if before is not None and before[0] != edge:
                why = "the edge of the shallow clone has moved"
                for table in ("pair", "span", "history", "sides", "statement", "answer"):
                    connection.execute(f"delete from {table}")
            connection.execute("insert or replace into meta values ('edge', ?)", (edge,))
            yield connection, why
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")
    finally:
        connection.close()


def _unsound(path: Path) -> str:
    """Why a file cannot be gone on with; empty where it can, or is not there."""
    if not path.is_file():
        return ""
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=_PATIENCE)) as connection:
            version = connection.execute("pragma user_version").fetchone()[0]
            if version not in (0, VERSION):
                return f"it was of format {version}"
            found = connection.execute("pragma quick_check(1)").fetchone()[0]
            if version:
                connection.execute(
                    "select 1 from pair, span, meta, history, sides, statement, answer limit 1"
                )
            return "" if found == "ok" else f"it was damaged: {found}"
    except sqlite3.OperationalError as error:
        if "no such" in str(error):
            return f"it was damaged: {error}"
        raise
    except sqlite3.DatabaseError as error:
        return f"it was damaged: {error}"


def _text(data: bytes) -> str:
    """A text that may be damaged: its sum tells, not an error here."""
    return data.decode("utf-8", "surrogateescape")
