# SPDX-License-Identifier: GPL-2.0-or-later
"""What the messages of a branch's commits state about other commits.

Beside origins and reverts (see presence) these are ``Fixes:`` and ``Amends:``, and Xen's ``Backport: 4.17+``.
They are looked for at the beginnings of lines, anywhere in a message: a backport has the trailers of its
origin above its own.  What a message states is a pure function of the commit, so it can be kept by its id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from backport.history.presence import References, read_references, with_reverts
from series.model import Oid, shown

_FIXES = re.compile(
    rb"^[ \t]*(Fixes|Amends):[ \t]*(?:commit[ \t]+)?([0-9a-f]{6,40})\b", re.M | re.I
)
_ASKS = re.compile(rb"^[ \t]*Backport:[ \t]*(\d+(?:\.\d+)+)[ \t]*(\+?)", re.M | re.I)


class Ask(Struct, frozen=True):
    """``Backport: 4.17+``: the version, and whether later ones are meant, too."""

    version: tuple[int, ...]
    later: bool

    def means(self, version: tuple[int, ...] | None) -> bool:
        """Whether a branch of that version is meant."""
        return version is not None and (
            version == self.version or (self.later and version > self.version)
        )

    def __str__(self) -> str:
        return ".".join(map(str, self.version)) + ("+" if self.later else "")


class Statement(Struct, frozen=True):
    """What one message states; ids as they are written, in lower case, origins cut to `ABBREVIATED`."""

    commit: Oid
    when: int
    """The committer's second."""
    subject: str
    origins: tuple[str, ...] = ()
    reverts: tuple[str, ...] = ()
    fixes: tuple[str, ...] = ()
    amends: tuple[str, ...] = ()
    asks: tuple[Ask, ...] = ()


def stated(commit: Oid, when: int, message: bytes) -> Statement:
    """Read a message."""
    found = read_references(commit, message)
    fixes: list[str] = []
    amends: list[str] = []
    for match in _FIXES.finditer(message):
        (fixes if match[1].lower() == b"fixes" else amends).append(match[2].lower().decode())
    asks = tuple(
        Ask(tuple(map(int, match[1].split(b"."))), bool(match[2]))
        for match in _ASKS.finditer(message)
    )
    return Statement(
        commit,
        when,
        shown(found.subject),
        found.origins,
        found.reverts,
        tuple(dict.fromkeys(fixes)),
        tuple(dict.fromkeys(amends)),
        asks,
    )


def standing(statements: Iterable[Statement]) -> Iterator[Statement]:
    """Those (newest first) that no later one of them reverts."""
    return (one for one, by in with_takers(statements) if by is None)


def with_takers(statements: Iterable[Statement]) -> Iterator[tuple[Statement, Oid | None]]:
    """Each of them (newest first), with the later one that takes it back; None where none does."""
    given: list[Statement] = []

    def references() -> Iterator[References]:
        for one in statements:
            given.append(one)
            yield References(one.commit, b"", one.origins, one.reverts)

    for _, by in with_reverts(references()):
        yield given.pop(), by


class Abbreviations:
    """Whole ids, found by what messages have of them."""

    def __init__(self, ids: Iterable[Oid]) -> None:
        self._all = sorted(ids)

    def find(self, short: str) -> tuple[Oid, ...]:
        """Those that begin so: none, one, or several where the id is ambiguous."""
        from bisect import bisect_left

        at = bisect_left(self._all, short)
        found = []
        while at < len(self._all) and self._all[at].startswith(short):
            found.append(self._all[at])
            at += 1
        return tuple(found)


def by_origin(statements: Iterable[Statement]) -> Mapping[str, tuple[Statement, ...]]:
    """By origin, cut to `ABBREVIATED`: the commits that name it, in the order given."""
    found: dict[str, list[Statement]] = {}
    for one in statements:
        for origin in one.origins:
            found.setdefault(origin, []).append(one)
    return {origin: tuple(named) for origin, named in found.items()}
