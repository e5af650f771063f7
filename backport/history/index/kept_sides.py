# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the index (see ledger) with what upstream and the stable branches have, and what they state.

``history``  all that upstream's ``top`` reaches, in the order of a walk, as raw ids
``sides``    of a branch's ``tip`` and that top: its own commits as raw ids, and zlib of a byte for each
             commit of the history, 1 where the tip does not reach it
``statement``  of each commit that one side alone has: its second, a space, its subject; then, if it names
             others, a line of JSON with them; see `Statement`

All three are pure functions of ids.  Each row has a CRC-32 that holds for its key, too; that of ``sides``
also for the history.  A change of what `stated` reads is a new format of the file.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import cached_property
from itertools import compress

from msgspec import Struct

from backport.gateway.repository import Repo
from backport.history.sides import Continued, Sides, added_in_line, read_sides
from backport.history.statements import Ask, Statement, stated
from series.model import Oid

TABLES = """
create table history (top text primary key, ids blob not null, sum integer not null);
create table sides (
    tip text not null, top text not null, own blob not null, lacked blob not null, sum integer not null,
    primary key (tip, top)
) without rowid;
create table statement (id text primary key, data blob not null, sum integer not null) without rowid;
"""
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, zlib.error, sqlite3.Error)
"""What reading a damaged row may raise."""
_AT_ONCE = 500
_FLIP = bytes((1, 0))
_DECODE = json.JSONDecoder().decode


class History(Struct, frozen=True, dict=True):
    """All that ``top`` reaches, as raw ids; ``sum`` stands for it."""

    top: Oid
    ids: bytes
    sum: int

    def __len__(self) -> int:
        return len(self.ids) * 2 // len(self.top)

    @cached_property
    def order(self) -> tuple[Oid, ...]:
        """The ids, in the order of a walk.  Cost: 8 ms on Xen, so that a reader does not ask for it."""
        return _unpacked(self.ids, len(self.top))

    def among(self, chosen: bytes) -> tuple[Oid, ...]:
        """Those for which there is a 1."""
        text, width = self.ids.hex(), len(self.top)
        starts = compress(range(0, len(text), width), chosen)
        return tuple(Oid(text[at : at + width]) for at in starts)


class _Shared(Set[Oid]):
    """The commits of a history that a tip reaches: most readers ask for a few, some for none."""

    def __init__(self, history: History, lacked: bytes) -> None:
        self._history = history
        self._reached = _flipped(lacked)

    @cached_property
    def _all(self) -> frozenset[Oid]:
        return frozenset(compress(self._history.order, self._reached))

    def __contains__(self, commit: object) -> bool:
        return commit in self._all

    def __iter__(self) -> Iterator[Oid]:
        return iter(self._all)

    def __len__(self) -> int:
        return self._reached.count(1)


def find_history(connection: sqlite3.Connection, top: Oid) -> History | None:
    """A history that is there and sound; may raise `UNREADABLE`."""
    row = connection.execute("select ids, sum from history where top = ?", (top,)).fetchone()
    if row is None or _sum(top, row[0]) != row[1]:
        return None
    return History(top, row[0], row[1])


def find_sides(connection: sqlite3.Connection, tip: Oid, history: History) -> Sides | None:
    """The sides that are there and sound; may raise `UNREADABLE`.  Cost on Xen: 2 ms."""
    row = _sides_row(connection, tip, history)
    if row is None:
        return None
    lacked = zlib.decompress(row[1])
    if len(lacked) != len(history):
        return None
    return Sides(_unpacked(row[0], len(tip)), history.among(lacked), _Shared(history, lacked))


def _flipped(lacked: bytes) -> bytes:
    return lacked.translate(_FLIP + bytes(254))


def find_own(connection: sqlite3.Connection, tip: Oid, history: History) -> tuple[Oid, ...] | None:
    """The same of the tip alone, for 0.2 ms."""
    row = _sides_row(connection, tip, history)
    return _unpacked(row[0], len(tip)) if row is not None else None


def _sides_row(
    connection: sqlite3.Connection, tip: Oid, history: History
) -> tuple[bytes, bytes] | None:
    row = connection.execute(
        "select own, lacked, sum from sides where tip = ? and top = ?", (tip, history.top)
    ).fetchone()
    if row is None or _sides_sum(tip, history, row[0], row[1]) != row[2]:
        return None
    return row[0], row[1]


def find_statements(connection: sqlite3.Connection, commits: Sequence[Oid]) -> dict[Oid, Statement]:
    """Of those of ``commits`` that are there and sound; may raise `UNREADABLE`.  Cost: 6 ms a thousand."""
    found: dict[Oid, Statement] = {}
    for at in range(0, len(commits), _AT_ONCE):
        some = commits[at : at + _AT_ONCE]
        marks = ",".join("?" * len(some))
        for commit, data, total in connection.execute(
            f"select id, data, sum from statement where id in ({marks})", some
        ):
            if _sum(commit, data) == total:
                found[Oid(commit)] = _statement(Oid(commit), data)
    return found


class Kept(Struct, frozen=True):
    """What an update did: branches and commits that were read, and all of both."""

    read: int = 0
    branches: int = 0
    read_commits: int = 0
    commits: int = 0
    unsound: bool = False


Reach = Callable[[Oid, Oid], bool | None]
"""Whether a tip reaches a commit; None where that is not known."""


class _Row(Struct, frozen=True):
    """The sides of a tip, as they are kept: its own commits, and a byte for each commit of the history."""

    own: tuple[Oid, ...]
    lacked: bytes


def keep(
    connection: sqlite3.Connection,
    repo: Repo,
    top: Oid | None,
    tips: Iterable[Oid],
    on_done: Callable[[int, int], None],
) -> tuple[Kept, Reach]:
    """Have what those tips and ``top`` have of each other in the index, and nothing else.

    Cost on Xen where one commit has come to upstream: 1 ms a branch.
    """
    wanted = tuple(dict.fromkeys(tip for tip in tips if tip != top))
    if top is None or not wanted:
        for table in ("history", "sides", "statement"):
            connection.execute(f"delete from {table}")
        return Kept(), lambda _tip, _commit: None
    history, before, added = _history(connection, repo, top)
    rows: dict[Oid, _Row] = {}
    read = 0
    unsound = False
    continued = Continued(repo, _kept_tips(connection))
    for number, tip in enumerate(wanted, 1):
        row = _sound(connection, tip, history)
        if row is None:
            unsound = unsound or _is_there(connection, tip, top)
            row = _carried_on(connection, tip, history, before, added, continued)
            if row is None:
                sides, read = read_sides(repo, tip, top, history.order), read + 1
                lacks = {*sides.theirs}
                row = _Row(sides.own, bytes(one in lacks for one in history.order))
            _put(connection, tip, history, row)
        rows[tip] = row
        on_done(number, len(wanted))
    connection.execute("delete from history where top != ?", (top,))
    known = {row[0] for row in connection.execute("select tip from sides where top = ?", (top,))}
    gone = known - {*wanted}
    connection.execute("delete from sides where top != ?", (top,))
    connection.executemany("delete from sides where tip = ?", [(tip,) for tip in gone])
    needed = _needed(history, rows.values())
    read_commits, bad = _keep_statements(connection, repo, needed)
    kept = Kept(read, len(wanted), read_commits, len(needed), unsound or bad)
    return kept, _Reaching(history, rows).reaches


def _needed(history: History, rows: Iterable[_Row]) -> dict[Oid, None]:
    """All that one side alone has."""
    lacked = 0
    own: dict[Oid, None] = {}
    for row in rows:
        lacked |= int.from_bytes(row.lacked, "big")
        own |= dict.fromkeys(row.own)
    return own | dict.fromkeys(history.among(lacked.to_bytes(len(history), "big")))


class _Reaching:
    """What the tips of an index reach."""

    def __init__(self, history: History, rows: Mapping[Oid, _Row]) -> None:
        self._history = history
        self._rows = rows
        self._places: dict[Oid, int] = {}

    def reaches(self, tip: Oid, commit: Oid) -> bool | None:
        """Whether ``tip`` reaches ``commit``; None where the tip is not known."""
        if not self._places:
            self._places = {one: at for at, one in enumerate(self._history.order)}
        at = self._places.get(commit)
        if tip == self._history.top:
            return at is not None
        row = self._rows.get(tip)
        if row is None:
            return None
        return commit in row.own if at is None else not row.lacked[at]


def _kept_tips(connection: sqlite3.Connection) -> set[Oid]:
    return {Oid(row[0]) for row in connection.execute("select tip from sides")}


def _history(
    connection: sqlite3.Connection, repo: Repo, top: Oid
) -> tuple[History, History | None, tuple[Oid, ...]]:
    """The one of ``top``; and, where it continues one that is there, that and what has come since."""
    tops = [row[0] for row in connection.execute("select top from history")]
    old = [found for one in tops if (found := _sound_history(connection, one)) is not None]
    for one in old:
        if one.top == top:
            return one, None, ()
    for one in old:
        added = added_in_line(repo, top, one.top)
        if added is not None:
            return _put_history(connection, top, (*added, *one.order)), one, added
    return _put_history(connection, top, tuple(repo.log(top))), None, ()


def _put_history(connection: sqlite3.Connection, top: Oid, order: tuple[Oid, ...]) -> History:
    ids = _packed(order)
    total = _sum(top, ids)
    connection.execute("insert or replace into history values (?, ?, ?)", (top, ids, total))
    return History(top, ids, total)


def _carried_on(
    connection: sqlite3.Connection,
    tip: Oid,
    history: History,
    before: History | None,
    added: tuple[Oid, ...],
    continued: Continued,
) -> _Row | None:
    """The sides that were, with what has come to upstream or to the branch since, in lines.

    Not where one has what has come to the other.
    """
    old_tip, on_tip = continued.from_known(tip)
    old_history = before or history
    old = _sound(connection, old_tip, old_history)
    if old is None or not {*added}.isdisjoint((*old.own, *on_tip)):
        return None
    if on_tip and on_tip[-1] in old_history.order:
        return None
    return _Row((*on_tip, *old.own), bytes((1,)) * len(added) + old.lacked)


def _put(connection: sqlite3.Connection, tip: Oid, history: History, row: _Row) -> None:
    own, lacked = _packed(row.own), zlib.compress(row.lacked, 1)
    total = _sides_sum(tip, history, own, lacked)
    kept = (tip, history.top, own, lacked, total)
    connection.execute("insert or replace into sides values (?, ?, ?, ?, ?)", kept)


def _keep_statements(
    connection: sqlite3.Connection, repo: Repo, needed: dict[Oid, None]
) -> tuple[int, bool]:
    """Keep what the needed commits state; how many were read, and whether a sum was wrong."""
    sound, others, bad = set(), [], False
    crc32 = zlib.crc32
    for commit, data, total in connection.execute("select id, data, sum from statement"):
        try:
            is_right = crc32(data, crc32(commit.encode("utf-8", "surrogateescape"))) == total
        except (TypeError, AttributeError):
            is_right = False
        if is_right and commit in needed:
            sound.add(commit)
        else:
            others.append((commit,))
            bad = bad or not is_right
    connection.executemany("delete from statement where id = ?", others)
    read = [one for one in needed if one not in sound]
    for commit in read:
        data = _written(stated(commit, repo.when(commit).seconds, repo.message(commit)))
        connection.execute(
            "insert into statement values (?, ?, ?)", (commit, data, _sum(commit, data))
        )
    return len(read), bad


def _sound(connection: sqlite3.Connection, tip: Oid, history: History) -> _Row | None:
    try:
        found = _sides_row(connection, tip, history)
        if found is None:
            return None
        row = _Row(_unpacked(found[0], len(tip)), zlib.decompress(found[1]))
        return row if len(row.lacked) == len(history) else None
    except (ValueError, LookupError, TypeError, AttributeError, zlib.error):
        return None


def _sound_history(connection: sqlite3.Connection, top: Oid) -> History | None:
    try:
        return find_history(connection, top)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _is_there(connection: sqlite3.Connection, tip: Oid, top: Oid) -> bool:
    where = "select 1 from sides where tip = ? and top = ?"
    return connection.execute(where, (tip, top)).fetchone() is not None


def _sum(key: str, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(key.encode("utf-8", "surrogateescape")))


def _sides_sum(tip: Oid, history: History, own: bytes, lacked: bytes) -> int:
    key = f"{tip} {history.top} {history.sum} {len(own)}"
    return zlib.crc32(lacked, _sum(key, own))


def _packed(ids: Iterable[Oid]) -> bytes:
    return bytes.fromhex("".join(ids))


def _unpacked(data: bytes, width: int) -> tuple[Oid, ...]:
    text = data.hex()
    return tuple(Oid(text[at : at + width]) for at in range(0, len(text), width))


def _written(one: Statement) -> bytes:
    asks = [[ask.version, ask.later] for ask in one.asks]
    named = [one.origins, one.reverts, one.fixes, one.amends, asks]
    head = f"{one.when} {one.subject}".encode("utf-8", "surrogateescape")
    return head + b"\n" + json.dumps(named).encode() if any(named) else head


def _statement(commit: Oid, data: bytes) -> Statement:
    # Most name nothing, and need no JSON.
    head, _, named = data.partition(b"\n")
    second, _, subject = head.decode("utf-8", "surrogateescape").partition(" ")
    if not named:
        return Statement(commit, int(second), subject)
    origins, reverts, fixes, amends, asks = _DECODE(named.decode())
    return Statement(
        commit,
        int(second),
        subject,
        tuple(origins),
        tuple(reverts),
        tuple(fixes),
        tuple(amends),
        tuple(Ask(tuple(version), later) for version, later in asks),
    )
