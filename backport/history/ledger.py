# SPDX-License-Identifier: GPL-2.0-or-later
"""What branches state, kept between commands: ``.git/backport/index.sqlite``.

To read what a branch has and another does not costs a merge base, a walk and every message: 45 ms for a newer
stable branch of Xen, and a pick asks four of them.  Here it is a row.

Format 5 (``PRAGMA user_version``); a file of another version is not read, and built anew.

``pair``   of two commits ``tip`` and ``hide`` their merge base ``hidden``, empty where there is none
``span``   what ``tip`` reaches and ``hidden`` does not, newest first.  ``referring`` is a JSON list of
           ``[place, commit, second, origins, reverts]`` of those that name others, ``plain`` zlib of one of
           ``[place, commit, second, subject]`` of all.
           Each row has a CRC-32, a span one of each part, which holds for the key as well.
           What else there is, kept_sides and kept_answers have.
``meta``   ``edge``: the CRC-32 of what moves the edge of a shallow clone, and of grafts

A span is a pure function of two commits, so a branch that moves or is rewritten makes new spans, and old
ones are never wrong; those that no branch asks for go at the next update.  One that has moved on in a line
costs what has come to it: its span is continued, and a merge base is known where no side has reached what
came to the other (65 ms on Xen to find one; a commit on upstream asks for thirty).

An answer whose sum is wrong, a file that SQLite calls damaged, or one that another process is writing, is no
answer: then history is read.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from backport.errors import NotStored, UsageError
from backport.gateway.repository import Repo
from backport.history.kept_answers import TABLE, find_answer, keep_answers
from backport.history.kept_sides import (
    TABLES,
    UNREADABLE,
    History,
    Kept,
    Reach,
    find_history,
    find_own,
    find_sides,
    find_statements,
    keep,
)
from backport.history.presence import References, read_references
from backport.history.sides import Continued, Sides
from backport.history.statements import Statement
from series.model import Oid

T = TypeVar("T")
VERSION = 5
MOST_COMMITS = 5000
"""Of one span, newest first."""
_PATIENCE = 60.0
"""Seconds that a second `backport index` waits for the first."""
_BRIEFLY = 0.05
"""Seconds that a reader waits for a writer before it reads history itself."""

_TABLES = """
create table meta (key text primary key, value text not null) without rowid;
create table pair (
    tip text not null, hide text not null, hidden text not null, sum integer not null,
    primary key (tip, hide)
) without rowid;
create table span (
    tip text not null, hidden text not null,
    referring blob not null, referring_sum integer not null, plain blob not null, plain_sum integer not null,
    primary key (tip, hidden)
);
"""


class Entry(Struct, frozen=True):
    """One commit of a span: its second, and what it says of others; of its message the subject alone."""

    references: References
    when: int


class Span(Struct, frozen=True):
    """What one commit reaches and another does not, newest first."""

    tip: Oid
    hide: Oid
    hidden: Oid | None
    entries: tuple[Entry, ...]


class Updated(Struct, frozen=True):
    """What an update did."""

    kept: int
    made: int
    dropped: int
    size: int
    kept_sides: Kept
    rebuilt: str = ""
    """Why the file was made anew, if it was."""


def index_path(repo: Repo) -> Path:
    """Where the index lies."""
    return repo.state_dir / "index.sqlite"


def read_span(repo: Repo, tip: Oid, hide: Oid) -> Span:
    """A span, from history."""
    hidden = repo.merge_base(tip, hide)
    return Span(tip, hide, hidden, read_entries(repo, tip, hidden))


def read_entries(repo: Repo, tip: Oid, hidden: Oid | None) -> tuple[Entry, ...]:
    """The newest commits that ``tip`` reaches and ``hidden`` does not."""
    commits = islice(repo.log(tip, (hidden,) if hidden else ()), MOST_COMMITS)
    return tuple(_entry(repo, commit) for commit in commits)


def _entry(repo: Repo, commit: Oid) -> Entry:
    whole = read_references(commit, repo.message(commit))
    brief = References(commit, whole.subject, whole.origins, whole.reverts)
    return Entry(brief, repo.when(commit).seconds)


@lru_cache(maxsize=4)
def ledger_of(repo: Repo) -> Ledger:
    """The index of a repository, opened once."""
    return Ledger(repo)


class Ledger:
    """The index of a repository, as a reader has it: everything that goes wrong is no answer."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._open: sqlite3.Connection | None = None
        self._tried = False
        self._history: History | None = None

    def referring(self, tip: Oid, hide: Oid) -> list[tuple[int, Entry]] | None:
        """The commits of a span that name others, with their places; None where history is to be read.

        Cost: 2 ms for a newer stable branch of Xen.
        """
        row = self._row("referring, referring_sum", tip, hide)
        try:
            return _referring(tip, *row) if row is not None else None
        except (ValueError, LookupError, TypeError, AttributeError):
            return None

    def span(self, tip: Oid, hide: Oid) -> Span | None:
        """A span that is there and sound, with every subject; None where history is to be read."""
        row = self._row("referring, referring_sum, plain, plain_sum", tip, hide)
        try:
            if row is None:
                return None
            return Span(tip, hide, Oid(row[0]) if row[0] else None, _entries(tip, *row))
        except (ValueError, LookupError, TypeError, AttributeError, zlib.error):
            return None

    def sides(self, tip: Oid, top: Oid) -> Sides | None:
        """What two branches have of each other; None where history is to be read."""
        return self._of_history(find_sides, tip, top)

    def own(self, tip: Oid, top: Oid) -> tuple[Oid, ...] | None:
        """What ``tip`` has and ``top`` does not; None where history is to be read."""
        return self._of_history(find_own, tip, top)

    def _of_history(
        self, find: Callable[[sqlite3.Connection, Oid, History], T | None], tip: Oid, top: Oid
    ) -> T | None:
        connection = self._connection()
        try:
            if connection is not None and (self._history is None or self._history.top != top):
                self._history = find_history(connection, top)
            if connection is None or self._history is None:
                return None
            return find(connection, tip, self._history)
        except UNREADABLE:
            return None

    def statements(self, commits: Sequence[Oid]) -> dict[Oid, Statement]:
        """What those of ``commits`` state that it knows."""
        connection = self._connection()
        try:
            return find_statements(connection, commits) if connection is not None else {}
        except UNREADABLE:
            return {}

    @property
    def is_there(self) -> bool:
        """Whether there is an index that can be read."""
        return self._connection() is not None

    def answer(self, key: bytes) -> str | None:
        """An answer that is kept; see kept_answers."""
        connection = self._connection()
        try:
            return find_answer(connection, key) if connection is not None else None
        except UNREADABLE:
            return None

    def keep_answers(self, fresh: Mapping[bytes, str], asked: Iterable[bytes]) -> None:
        """Keep answers; where another process is writing, or the file cannot be written, nothing is kept."""
        path = index_path(self._repo)
        if not path.is_file():
            return
        try:
            with contextlib.closing(
                sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=_BRIEFLY)
            ) as connection:
                connection.execute("begin immediate")
                if _is_of_now(connection, self._repo):
                    keep_answers(connection, fresh, asked)
                    connection.commit()
        except sqlite3.Error:
            return

    def _row(self, columns: str, tip: Oid, hide: Oid) -> tuple[Any, ...] | None:
        connection = self._connection()
        if connection is None:
            return None
        try:
            found = connection.execute(
                f"select pair.sum, hidden, {columns} from pair join span using (tip, hidden)"
                " where pair.tip = ? and pair.hide = ?",
                (tip, hide),
            ).fetchone()
            if found is None or _sum(tip, found[1], hide.encode()) != found[0]:
                return None
        except UNREADABLE:
            return None
        return tuple(found[1:])

    def _connection(self) -> sqlite3.Connection | None:
        if not self._tried:
            self._tried = True
            path = index_path(self._repo)
            if path.is_file():
                self._open = _opened(self._repo, path)
        return self._open


def _opened(repo: Repo, path: Path) -> sqlite3.Connection | None:
    try:
        found = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_BRIEFLY)
        if _is_of_now(found, repo):
            return found
    except sqlite3.Error:
        return None
    found.close()
    return None


def _is_of_now(connection: sqlite3.Connection, repo: Repo) -> bool:
    """Whether an index is of this version, and of the history as it is."""
    version = connection.execute("pragma user_version").fetchone()[0]
    if version != VERSION:
        return False
    edge = connection.execute("select value from meta where key = 'edge'").fetchone()
    return edge is not None and edge[0] == _edge(repo)


def _sum(tip: str, hidden: str, data: bytes) -> int:
    key = f"{tip} {hidden} ".encode("utf-8", "surrogateescape")
    return zlib.crc32(data, zlib.crc32(key))


def _referring(tip: Oid, hidden: str, referring: bytes, total: int) -> list[tuple[int, Entry]]:
    if _sum(tip, hidden, referring) != total:
        raise ValueError("the sum is wrong")
    return [
        (place, Entry(References(oid, b"", tuple(origins), tuple(reverts)), when))
        for place, oid, when, origins, reverts in json.loads(referring)
    ]


def _entries(
    tip: Oid, hidden: str, referring: bytes, first: int, plain: bytes, second: int
) -> tuple[Entry, ...]:
    if _sum(tip, hidden, plain) != second:
        raise ValueError("the sum is wrong")
    named = {place: entry.references for place, entry in _referring(tip, hidden, referring, first)}
    entries = []
    for place, (oid, when, subject) in enumerate(json.loads(zlib.decompress(plain))):
        raw = subject.encode("utf-8", "surrogateescape")
        found = named.get(place)
        origins, reverts = (found.origins, found.reverts) if found is not None else ((), ())
        entries.append(Entry(References(oid, raw, origins, reverts), when))
    return tuple(entries)


def _written(
    tip: Oid, hidden: str, entries: Sequence[Entry]
) -> tuple[str, str, bytes, int, bytes, int]:
    every = [(place, entry.references, entry.when) for place, entry in enumerate(entries)]
    naming = [
        [place, one.commit, when, one.origins, one.reverts]
        for place, one, when in every
        if one.origins or one.reverts
    ]
    subjects = [
        [one.commit, when, one.message.decode("utf-8", "surrogateescape")] for _, one, when in every
    ]
    referring = json.dumps(naming).encode()
    plain = zlib.compress(json.dumps(subjects).encode(), 1)
    return (
        tip,
        hidden,
        referring,
        _sum(tip, hidden, referring),
        plain,
        _sum(tip, hidden, plain),
    )


class _Spans:
    """The spans of an index that is brought up to date."""

    def __init__(self, connection: sqlite3.Connection, repo: Repo, reach: Reach) -> None:
        self._connection = connection
        self._repo = repo
        self._reach = reach
        self._there, damaged = _sound_spans(connection)
        self.pairs, more = _sound_pairs(connection, self._there)
        self.were_unsound = damaged or more
        ends = {end for pair in self.pairs for end in pair}
        self._continued = Continued(repo, ends)

    def add(self, tip: Oid, hide: Oid) -> None:
        """Have the span of one more pair."""
        known = self._known(tip, hide)
        hidden = known if known is not None else self._repo.merge_base(tip, hide) or ""
        if (tip, hidden) not in self._there:
            entries = self._carried_on(tip, hidden)
            if entries is None:
                entries = read_entries(self._repo, tip, Oid(hidden) if hidden else None)
            row = _written(tip, hidden, entries)
            self._connection.execute("insert into span values (?, ?, ?, ?, ?, ?)", row)
            self._there.add((tip, hidden))
        pair = (tip, hide, hidden, _sum(tip, hidden, hide.encode()))
        self._connection.execute("insert into pair values (?, ?, ?, ?)", pair)

    def drop(self, gone: Iterable[tuple[Oid, Oid]]) -> None:
        """Drop pairs, and the spans that no pair asks for."""
        self._connection.executemany("delete from pair where tip = ? and hide = ?", gone)
        self._connection.execute(
            "delete from span where (tip, hidden) not in (select tip, hidden from pair)"
        )

    def _known(self, tip: Oid, hide: Oid) -> str | None:
        """The merge base of the two, where that of earlier ends of both is known and still holds.

        It holds where each end has only gained commits in a line since then, and neither end reaches the
        commits that the other has gained.  None where that is not so.
        """
        old_tip, on_tip = self._continued.from_known(tip)
        old_hide, on_hide = self._continued.from_known(hide)
        hidden = self.pairs.get((old_tip, old_hide))
        if hidden is None:
            return None
        apart = (not on_tip or self._reach(hide, on_tip[-1]) is False) and (
            not on_hide or self._reach(tip, on_hide[-1]) is False
        )
        return hidden if apart else None

    def _carried_on(self, tip: Oid, hidden: str) -> tuple[Entry, ...] | None:
        """What was there of the commit that ``tip`` has come from, and what has come to it since."""
        old, added = self._continued.from_known(tip)
        if not added or (old, hidden) not in self._there:
            return None
        row = self._connection.execute(
            "select referring, referring_sum, plain, plain_sum from span"
            " where tip = ? and hidden = ?",
            (old, hidden),
        ).fetchone()
        new = (_entry(self._repo, commit) for commit in added)
        return (*new, *_entries(old, hidden, *row))[:MOST_COMMITS]


def _sound_spans(connection: sqlite3.Connection) -> tuple[set[tuple[Oid, str]], bool]:
    """The keys of the spans whose sums are right, and whether there were others: these go."""
    found, damaged = set(), []
    for number, tip, hidden, referring, first, plain, second in connection.execute(
        "select rowid, * from span"
    ):
        try:
            sums = (_sum(tip, hidden, referring), _sum(tip, hidden, plain))
        except (TypeError, AttributeError):
            sums = (-1, -1)
        if sums == (first, second):
            found.add((Oid(tip), hidden))
        else:
            damaged.append((number,))
    connection.executemany("delete from span where rowid = ?", damaged)
    return found, bool(damaged)


def _sound_pairs(
    connection: sqlite3.Connection, spans: set[tuple[Oid, str]]
) -> tuple[dict[tuple[Oid, Oid], str], bool]:
    """The merge bases of the pairs that are right, and have their span; and whether there were others."""
    found, damaged = {}, []
    for tip, hide, hidden, total in connection.execute("select * from pair"):
        try:
            is_right = _sum(tip, hidden, hide.encode("utf-8", "surrogateescape")) == total
        except (TypeError, AttributeError):
            is_right = False
        if is_right and (tip, hidden) in spans:
            found[Oid(tip), Oid(hide)] = hidden
        else:
            damaged.append((tip, hide))
    connection.executemany("delete from pair where tip = ? and hide = ?", damaged)
    return found, bool(damaged)


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
            sides, reach = keep(connection, repo, top, tips, on_done)
            spans = _Spans(connection, repo, reach)
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
    edge, why = _edge(repo), _unsound(path)
    if why:
        for name in (path.name, f"{path.name}-journal"):
            path.with_name(name).unlink(missing_ok=True)
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    connection.text_factory = _text
    try:
        connection.execute("begin immediate")
        try:
            if not connection.execute("pragma user_version").fetchone()[0]:
                for statement in filter(str.strip, (_TABLES + TABLES + TABLE).split(";")):
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
    """Whatever stands there: that it is damaged is found by its sum."""
    return data.decode("utf-8", "surrogateescape")


def _edge(repo: Repo) -> str:
    """What changes the history of a commit without changing the commit."""
    total = 0
    for name in ("shallow", "info/grafts"):
        path = repo.common_dir / name
        total = zlib.crc32(path.read_bytes() if path.is_file() else b"", total + 1)
    return str(total)
