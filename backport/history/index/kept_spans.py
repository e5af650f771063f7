# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the index (see ledger) with what branches state.

``pair``   of two commits ``tip`` and ``hide`` their merge base ``hidden``, empty where there is none
``span``   what ``tip`` reaches and ``hidden`` does not, newest first.  ``referring`` is a JSON list of
           ``[place, commit, second, origins, reverts]`` of those that name others, ``plain`` zlib of one of
           ``[place, commit, second, subject]`` of all.
           Each row has a CRC-32, a span one of each part, which holds for the key as well.

A span is a pure function of two commits, so a branch that moves or is rewritten makes new spans, and old
ones are never wrong; those that no branch asks for go at the next update.  One that has moved on in a line
costs what has come to it: its span is continued, and a merge base is known where no side has reached what
came to the other (65 ms on Xen to find one; a commit on upstream asks for thirty).
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from backport.gateway.repository import Repo
from backport.history.index.kept_sides import Reach
from backport.history.presence import References
from backport.history.sides import Continued
from backport.history.spans import MOST_COMMITS, Entry, Span, read_entries, read_entry
from series.model import Oid

TABLES = """
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


def find_referring(
    connection: sqlite3.Connection, tip: Oid, hide: Oid
) -> list[tuple[int, Entry]] | None:
    """The commits of a span that name others, with their places; may raise `UNREADABLE`."""
    row = _row(connection, "referring, referring_sum", tip, hide)
    return _referring(tip, *row) if row is not None else None


def find_span(connection: sqlite3.Connection, tip: Oid, hide: Oid) -> Span | None:
    """A span that is there and sound; may raise `UNREADABLE`."""
    row = _row(connection, "referring, referring_sum, plain, plain_sum", tip, hide)
    if row is None:
        return None
    return Span(tip, hide, Oid(row[0]) if row[0] else None, _entries(tip, *row))


def _row(
    connection: sqlite3.Connection, columns: str, tip: Oid, hide: Oid
) -> tuple[Any, ...] | None:
    found = connection.execute(
        f"select pair.sum, hidden, {columns} from pair join span using (tip, hidden)"
        " where pair.tip = ? and pair.hide = ?",
        (tip, hide),
    ).fetchone()
    if found is None or _sum(tip, found[1], hide.encode()) != found[0]:
        return None
    return tuple(found[1:])


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


class Spans:
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
        new = (read_entry(self._repo, commit) for commit in added)
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
