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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import compress

from backport.gateway.repository import Repo
from backport.history.sides import Sides, added_in_line, read_sides
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


@dataclass(frozen=True, slots=True)
class History:
    """All that ``top`` reaches; ``sum`` stands for it."""

    top: Oid
    order: tuple[Oid, ...]
    sum: int


def find_history(connection: sqlite3.Connection, top: Oid) -> History | None:
    """A history that is there and sound; may raise `UNREADABLE`."""
    row = connection.execute("select ids, sum from history where top = ?", (top,)).fetchone()
    if row is None or _sum(top, row[0]) != row[1]:
        return None
    return History(top, _unpacked(row[0], len(top)), row[1])


def find_sides(connection: sqlite3.Connection, tip: Oid, history: History) -> Sides | None:
    """The sides that are there and sound; may raise `UNREADABLE`.  Cost on Xen: 5 ms."""
    row = _sides_row(connection, tip, history)
    if row is None:
        return None
    lacked = zlib.decompress(row[1])
    if len(lacked) != len(history.order):
        return None
    shared = frozenset(compress(history.order, lacked.translate(_FLIP + bytes(254))))
    return Sides(_unpacked(row[0], len(tip)), tuple(compress(history.order, lacked)), shared)


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


@dataclass(frozen=True, slots=True)
class Kept:
    """What an update did: branches and commits that were read, and all of both."""

    read: int = 0
    branches: int = 0
    read_commits: int = 0
    commits: int = 0
    unsound: bool = False


def keep(
    connection: sqlite3.Connection,
    repo: Repo,
    top: Oid | None,
    tips: Iterable[Oid],
    on_done: Callable[[int, int], None],
) -> Kept:
    """Have what those tips and ``top`` have of each other in the index, and nothing else."""
    wanted = tuple(dict.fromkeys(tip for tip in tips if tip != top))
    if top is None or not wanted:
        for table in ("history", "sides", "statement"):
            connection.execute(f"delete from {table}")
        return Kept()
    history, before, added = _history(connection, repo, top)
    needed: dict[Oid, None] = {}
    read = 0
    unsound = False
    for number, tip in enumerate(wanted, 1):
        sides = _sound(connection, tip, history)
        if sides is None:
            unsound = unsound or _is_there(connection, tip, top)
            sides = _carried_on(connection, tip, history, before, added)
            if sides is None:
                sides, read = read_sides(repo, tip, top, history.order), read + 1
            _put(connection, tip, history, sides)
        needed |= dict.fromkeys((*sides.own, *sides.theirs))
        on_done(number, len(wanted))
    connection.execute("delete from history where top != ?", (top,))
    known = {row[0] for row in connection.execute("select tip from sides where top = ?", (top,))}
    gone = known - {*wanted}
    connection.execute("delete from sides where top != ?", (top,))
    connection.executemany("delete from sides where tip = ?", [(tip,) for tip in gone])
    read_commits, bad = _keep_statements(connection, repo, needed)
    return Kept(read, len(wanted), read_commits, len(needed), unsound or bad)


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
    return History(top, order, total)


def _carried_on(
    connection: sqlite3.Connection,
    tip: Oid,
    history: History,
    before: History | None,
    added: tuple[Oid, ...],
) -> Sides | None:
    """The sides that were, with what has come to upstream since, unless the branch had that already."""
    old = _sound(connection, tip, before) if before is not None else None
    if old is None or not {*added}.isdisjoint(old.own):
        return None
    return Sides(old.own, (*added, *old.theirs), old.shared)


def _put(connection: sqlite3.Connection, tip: Oid, history: History, sides: Sides) -> None:
    own, lacks = _packed(sides.own), {*sides.theirs}
    lacked = zlib.compress(bytes(one in lacks for one in history.order), 1)
    total = _sides_sum(tip, history, own, lacked)
    row = (tip, history.top, own, lacked, total)
    connection.execute("insert or replace into sides values (?, ?, ?, ?, ?)", row)


def _keep_statements(
    connection: sqlite3.Connection, repo: Repo, needed: dict[Oid, None]
) -> tuple[int, bool]:
    """Keep what the needed commits state; how many were read, and whether a sum was wrong."""
    sound, others, bad = set(), [], False
    for commit, data, total in connection.execute("select id, data, sum from statement"):
        if commit in needed and _right(commit, data, total):
            sound.add(commit)
        else:
            others.append((commit,))
            bad = bad or not _right(commit, data, total)
    connection.executemany("delete from statement where id = ?", others)
    read = [one for one in needed if one not in sound]
    for commit in read:
        data = _written(stated(commit, repo.when(commit).seconds, repo.message(commit)))
        connection.execute(
            "insert into statement values (?, ?, ?)", (commit, data, _sum(commit, data))
        )
    return len(read), bad


def _sound(connection: sqlite3.Connection, tip: Oid, history: History) -> Sides | None:
    try:
        return find_sides(connection, tip, history)
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


def _right(key: str, data: bytes, total: int) -> bool:
    try:
        return _sum(key, data) == total
    except (TypeError, AttributeError):
        return False


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
    origins, reverts, fixes, amends, asks = json.loads(named.decode())
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
