# SPDX-License-Identifier: GPL-2.0-or-later
"""What a commit message declares: trailers, where a commit was picked from, what it needs.

Besides git's own trailers this reads the conventions of the trees that are backported to:

* ``(cherry picked from commit <sha>)``       ``git cherry-pick -x``, any tree
* ``master commit: <sha>``, ``master date:``  Xen's stable branches
* ``commit <sha> upstream.``, ``[ Upstream commit <sha> ]``  Linux's stable branches

A paragraph at the end counts as trailers by git's rule (trailer.c, find_trailer_start): all lines
are trailers, or one is git's own and at least a quarter are.
"""

from __future__ import annotations

import re

from series.model import Oid, Patch, Trailer

_KEYED = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*|master (?:commit|date))[ \t]*:[ \t]*(.*)\Z")
_PICKED = re.compile(rb"\(cherry picked from commit ([0-9a-fA-F]{7,64})\b[^)]*\)\Z")
_LINUX = re.compile(
    rb"(?:commit ([0-9a-f]{12,64}) upstream\.?|\[ ?upstream commit ([0-9a-f]{12,64}) ?\])\Z",
    re.IGNORECASE,
)
_OWN = (b"Signed-off-by: ", b"(cherry picked from commit ")
_SHA = re.compile(rb"\b([0-9a-fA-F]{7,64})\b")

PICKED = "cherry picked from commit"
UPSTREAM = "upstream commit"


def parse_trailers(message: bytes) -> tuple[Trailer, ...]:
    """All trailers of ``message`` in their order, with the lines of the same standing."""
    found: list[Trailer] = []
    paragraphs = [part.split(b"\n") for part in message.rstrip().split(b"\n\n")]
    first = len(paragraphs)
    while first > 1 and _is_block(paragraphs[first - 1]):
        first -= 1
    for number, lines in enumerate(paragraphs):
        for line in lines:
            trailer = _line(line.rstrip(), number >= first)
            if trailer is not None:
                found.append(trailer)
            elif number >= first and found and line[:1] in (b" ", b"\t"):
                last = found[-1]
                found[-1] = Trailer(last.key, last.value + b" " + line.strip())
    return tuple(found)


def ends_with_trailers(message: bytes) -> bool:
    """Whether the last paragraph is one of trailers, to which another line may be added."""
    paragraphs = message.rstrip().split(b"\n\n")
    return len(paragraphs) > 1 and _is_block(paragraphs[-1].split(b"\n"))


def _is_block(lines: list[bytes]) -> bool:
    hits = own = misses = 0
    for line in lines:
        if line.startswith(_OWN):
            own += 1
        elif _KEYED.match(line) or _PICKED.match(line):
            hits += 1
        elif line[:1] not in (b" ", b"\t", b""):
            misses += 1
    hits += own
    return hits > 0 and (misses == 0 or (own > 0 and hits * 3 >= misses))


def _line(line: bytes, in_block: bool) -> Trailer | None:
    if match := _PICKED.match(line):
        return Trailer(PICKED, match[1])
    if match := _LINUX.match(line):
        return Trailer(UPSTREAM, match[1] or match[2])
    if match := _KEYED.match(line):
        key = match[1].decode()
        if in_block or key in ("master commit", "master date"):
            return Trailer(key, match[2])
    return None


def values(patch: Patch, key: str) -> tuple[bytes, ...]:
    """The values of every trailer with this key, in any case."""
    wanted = key.lower()
    return tuple(trailer.value for trailer in patch.trailers if trailer.key.lower() == wanted)


def upstream_commit(patch: Patch) -> Oid | None:
    """The commit that this patch says it is a backport of; the last word counts, as picks pile up."""
    for trailer in reversed(patch.trailers):
        if trailer.key in (PICKED, UPSTREAM, "master commit"):
            match = _SHA.match(trailer.value)
            if match:
                return Oid(match[1].decode().lower())
    return None


def referenced(patch: Patch) -> tuple[tuple[str, Oid | None, bytes | None], ...]:
    """What ``Fixes:``, ``Amends:`` and ``Depends-on:`` point to: key, commit id, quoted subject."""
    found: list[tuple[str, Oid | None, bytes | None]] = []
    for trailer in patch.trailers:
        if trailer.key.lower() not in ("fixes", "amends", "depends-on"):
            continue
        sha = _SHA.match(trailer.value.removeprefix(b"commit "))
        quoted = re.search(rb"\(?[\"'](.+)[\"']\)?\s*\Z", trailer.value)
        subject = quoted[1] if quoted else (None if sha else trailer.value)
        found.append((trailer.key, Oid(sha[1].decode().lower()) if sha else None, subject))
    return tuple(found)


def backport_to(patch: Patch) -> tuple[bytes, ...]:
    """The values of ``Backport:``, such as ``4.10+``: how far back the author wants it."""
    return values(patch, "Backport")
