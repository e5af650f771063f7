# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the index (see ledger) with what a command has found out about single commits.

``answer``  by a digest of all that an answer rests on: its text, the day on which it was last asked for,
            and a CRC-32 of both key and text

Whoever asks makes the key, of ids and of the tool's code, so an answer is never stale; those that have
not been asked for longest go when there are too many.
"""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Iterable, Mapping

TABLE = """
create table answer (
    key blob primary key, text text not null, day integer not null, sum integer not null
) without rowid;
"""
MOST_ANSWERS = 40_000
"""Some 200 bytes each; one branch of Xen asks for some thousand."""
_DAY = 86_400


def find_answer(connection: sqlite3.Connection, key: bytes) -> str | None:
    """The text of an answer that is there and sound."""
    row = connection.execute("select text, sum from answer where key = ?", (key,)).fetchone()
    if row is None or not isinstance(row[0], str) or _sum(key, row[0]) != row[1]:
        return None
    return row[0]


def keep_answers(
    connection: sqlite3.Connection, fresh: Mapping[bytes, str], asked: Iterable[bytes]
) -> None:
    """Have new answers, note of others that they were asked for today, and let the oldest go."""
    today = int(time.time()) // _DAY
    connection.executemany(
        "update answer set day = ? where key = ? and day <> ?", ((today, k, today) for k in asked)
    )
    connection.executemany(
        "insert or replace into answer values (?, ?, ?, ?)",
        ((key, text, today, _sum(key, text)) for key, text in fresh.items()),
    )
    count = connection.execute("select count(*) from answer").fetchone()[0]
    if count > MOST_ANSWERS:
        connection.execute(
            "delete from answer where key in (select key from answer order by day limit ?)",
            (count - MOST_ANSWERS,),
        )


def _sum(key: bytes, text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogateescape"), zlib.crc32(key))
