# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose the carriage returns of a diff are: the file's, or those of an editor that has saved it with CR LF.

The lines that name a file tell, as for patch(1), which asks them anew for each file: they end in a carriage
return only where an editor, or what carried the patch, has put it there.
"""

from __future__ import annotations

from collections.abc import Sequence

from series.lines import split_lines
from series.reading.unidiff_hunks import HEADER

_ROW = b"***************"


def by_names(data: bytes, *, words: bool = False) -> bytes:
    """``data`` without the carriage returns of each file whose names end in them.

    The words above the first file go with it; with ``words`` theirs are taken off in any case.  Where nothing
    names a file, all stays.
    """
    if b"\r\n" not in data:
        return data
    lines = split_lines(data)
    starts = _starts(lines)
    if not starts:
        return data
    made = lines[: starts[0]]
    if words or _is_an_editors(lines, starts[0]):
        made = _plain(made)
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        part = lines[start:end]
        made += _plain(part) if _is_an_editors(lines, start) else part
    return b"".join(made)


def _starts(lines: Sequence[bytes]) -> list[int]:
    """Where the names of each file stand; what looks like them within a hunk is none."""
    found: list[int] = []
    at = 0
    while at < len(lines):
        if lines[at].startswith((b"--- ", b"*** ")) and _are_names(lines, at):
            found.append(at)
            at += 2
        elif found and (hunk := HEADER.match(lines[at])):
            old, new = (int(count) if count is not None else 1 for count in (hunk[2], hunk[4]))
            at = _behind(lines, at + 1, old, new)
        else:
            at += 1
    return found


def _are_names(lines: Sequence[bytes], at: int) -> bool:
    other, below = (b"+++ ", b"@@ -") if lines[at].startswith(b"-") else (b"--- ", _ROW)
    follow = lines[at + 1 : at + 3]
    return len(follow) > 1 and follow[0].startswith(other) and follow[1].startswith(below)


def _behind(lines: Sequence[bytes], at: int, old: int, new: int) -> int:
    """Behind the lines that a hunk counts, as far as they are such lines."""
    while at < len(lines) and (old > 0 or new > 0):
        mark = lines[at][:1]
        if mark not in b" \r\n+-\\":
            break
        old -= mark in b" \r\n-"
        new -= mark in b" \r\n+"
        at += 1
    return at


def _is_an_editors(lines: Sequence[bytes], start: int) -> bool:
    return lines[start + 1].endswith(b"\r\n")


def _plain(lines: Sequence[bytes]) -> list[bytes]:
    return [line[:-2] + b"\n" if line.endswith(b"\r\n") else line for line in lines]
