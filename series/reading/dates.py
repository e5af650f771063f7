# SPDX-License-Identifier: GPL-2.0-or-later
"""Dates as mails write them, read as git reads them (date.c): a zone that no clock has counts as none.

The standard library reads the rest, and takes any numbers for a zone or a time; what is not a moment that
a commit can have is no date here.
"""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import mktime_tz, parsedate_tz

from series.model import When

_LONGEST = 200
_TIME_ZONE_LIMIT = 24 * 60
_NUMERIC = re.compile(r"(?<!\S)([+-])(\d+)(?::(\d+))?(?!\S)")
_NAMED = re.compile(r"(?<!\S)\(?([A-Za-z]{1,4})\)?\Z")
_HOURS = {
    **{"IDLW": -12, "NT": -11, "CAT": -10, "HST": -10, "HDT": -9, "YST": -9, "YDT": -8, "PST": -8},
    **{"PDT": -7, "MST": -7, "MDT": -6, "CST": -6, "CDT": -5, "EST": -5, "EDT": -4, "AST": -3},
    **{"ADT": -2, "WAT": -1, "WET": 0, "BST": 1, "MET": 1, "MEWT": 1, "CET": 1, "FWT": 1},
    **{"MEST": 2, "CEST": 2, "MESZ": 2, "FST": 2, "EET": 2, "EEST": 3, "WAST": 7, "WADT": 8},
    **{"CCT": 8, "JST": 9, "EAST": 10, "GST": 10, "EADT": 11, "NZT": 12, "NZST": 12, "IDLE": 12},
    "NZDT": 13,
}
"""The zones that git knows by name (date.c, timezone_names); any other name is no zone."""


def parse_date(value: bytes) -> When | None:
    """The moment and offset of a ``Date:`` header; of a day alone, its beginning in UTC."""
    text = value[:_LONGEST].decode("ascii", "replace").strip()
    if match := re.fullmatch(r"@?(\d{1,18}) ([+-])(\d\d)(\d\d)", text):
        offset = int(match[3]) * 60 + int(match[4])
        return _moment(int(match[1]), -offset if match[2] == "-" else offset)
    if match := _ISO.fullmatch(text):
        return _iso(match)
    if match := _DAY.fullmatch(text):  # as DEP-3 headers have it; git knows no such date
        text = f"{match[1] or match[4]} {(match[2] or match[3])[:3]} {match[5]} 00:00:00 +0000"
    try:
        parsed = parsedate_tz(_with_zone(text))
        if parsed is None or not _is_time(parsed):
            return None
        seconds = mktime_tz(parsed)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
    return _moment(seconds, (parsed[9] or 0) // 60) if seconds >= 0 else None


def _with_zone(text: str) -> str:
    """The date with its zone as the standard library reads it."""
    found = _NUMERIC.sub(_zone, text)
    if _NUMERIC.search(found) or not (name := _NAMED.search(found)):
        return found
    hours = _HOURS.get(name[1].upper())
    return found if hours is None else f"{found[: name.start()]}{hours * 100:+05}"


def _zone(match: re.Match[str]) -> str:
    """``+hhmm``; nothing for one that git does not take (match_tz)."""
    digits, more = match[2], match[3]
    hours, minutes = digits[:2], digits[2:] or more or "00"
    known = (
        len(hours) == len(minutes) == 2
        and (more is None or len(digits) == 2)
        and int(hours) < 24
        and int(minutes) < 60
    )
    return f"{match[1]}{hours}{minutes}" if known else ""


def _is_time(parsed: tuple[int | None, ...]) -> bool:
    """Whether the hour, minute and second are some clock's: the library takes any numbers."""
    _, month, day, hour, minute, second, *_ = (number or 0 for number in parsed)
    return 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60


_DAY = re.compile(
    r"(?:[A-Za-z]{3,9},? +)?(?:(\d{1,2}) +([A-Za-z]{3,9})|([A-Za-z]{3,9}) +(\d{1,2})),? +(\d{4})"
)
"""``Wed, 11 Feb 2015``, ``Feb 11, 2015``: a day alone."""
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?)? ?(Z|UTC|[+-]\d\d:?\d\d)?"
)


def _iso(match: re.Match[str]) -> When | None:
    """``2024-06-03 18:53:58 +0200``, or a day alone: its beginning in UTC."""
    zone = match[3] if match[3] not in (None, "Z", "UTC") else "+0000"
    try:
        then = datetime.fromisoformat(f"{match[1]}T{match[2] or '00:00'}{zone[:3]}:{zone[-2:]}")
    except ValueError:
        return None
    seconds = int(then.timestamp())
    offset = then.utcoffset()
    return (
        _moment(seconds, int(offset.total_seconds()) // 60 if offset else 0)
        if seconds >= 0
        else None
    )


def _moment(seconds: int, offset: int) -> When:
    """The moment; an offset that no clock has counts as none, as for git (date.c, match_tz)."""
    return When(seconds, offset if abs(offset) < _TIME_ZONE_LIMIT else 0)


def hg_date(value: bytes) -> When | None:
    """Mercurial's ``1400296253 14400``: seconds since the epoch, and seconds west of Greenwich."""
    match = re.match(rb"(\d{1,12})(?:\.\d+)? (-?\d{1,6})", value.strip())
    return _moment(int(match[1]), -int(match[2]) // 60) if match else parse_date(value)
