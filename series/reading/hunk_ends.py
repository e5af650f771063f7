# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the hunks of one file end, and the line at which one is not what its header says.

The grammar is that of ``git apply`` (apply.c: ``parse_fragment``); unidiff reads the hunks themselves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NoReturn

from series.model import Hunk
from series.reading.diff_lines import DiffLines
from series.reading.unidiff_hunks import HEADER, read_hunks

_MOST_STRIPPED = 3
"""Context lines at the end of a file that may have been blank: patch(1) puts back as many."""
# What lists put below a mail, and the boundaries of its parts.
_RULER = re.compile(rb"-{5,}|--[^\s-]\S*\s*\Z|_{5,}")


def read_file_hunks(text: DiffLines) -> tuple[Hunk, ...]:
    """All hunks of one file; unidiff reads them, once it is known where they end."""
    lines, blocks = text.lines, list[tuple[int, int]]()
    while text.at < len(lines) and lines[text.at].startswith(b"@@ -"):
        start = text.at
        _pass_hunk(text, len(blocks) + 1)
        blocks.append((start, text.at))
    return read_hunks([lines[start:end] for start, end in blocks])


def _pass_hunk(text: DiffLines, number: int) -> None:
    """Go behind a hunk, or name the line at which it is not what its header says."""
    lines, start = text.lines, text.at
    match = HEADER.match(lines[start])
    if match is None:
        text.refuse(f"the header of hunk {number} does not parse")
    old_left = int(match[2]) if match[2] is not None else 1
    new_left = int(match[4]) if match[4] is not None else 1
    end = len(lines)
    if max(old_left, new_left) > end - start - 1:
        follow = end - start - 1
        text.refuse(
            f"hunk {number} claims {_lines(old_left)} before and {new_left} after, but only"
            f" {follow} follow{'s' if follow == 1 else ''};"
            f" {_way_on(max(old_left, new_left) - follow)}"
        )
    at = _end_of_hunk(lines, start + 1, old_left, new_left)
    if at is None:
        _damaged(text, number, old_left, new_left)
    if at < end and lines[at].startswith(b"\\ "):
        at += 1
    _refuse_left_over(text, number, at)
    text.at = at


def _refuse_left_over(text: DiffLines, number: int, at: int) -> None:
    """Name the first changed line that stands behind a hunk's counted ones and still belongs to it.

    git and patch(1) pass over it, and what it changes is lost.
    """
    lines, here = text.lines, text.at
    while at < len(lines) and lines[at][:1] in (b" ", b"+", b"-"):
        if lines[at].rstrip(b"\r\n") in (b"-- ", b"--") or _ruled_off(text, at):
            return  # a mail's signature, TopGit's line
        text.at = at
        starts = lines[at].startswith(b"--- ") and text.plain_starts()
        text.at = here
        if starts:
            return
        if lines[at][:1] != b" " and not _RULER.match(lines[at]):
            text.refuse(f"hunk {number} counts fewer lines than it has: this one is left over", at)
        at += 1


def _ruled_off(text: DiffLines, at: int) -> bool:
    """Whether ``---`` stands there with words below, as TopGit's ``tg: (base..) branch``: no line that
    is taken away, since neither a hunk nor another one goes on behind it."""
    follows = text.lines[at + 1 : at + 2]
    return text.lines[at].rstrip() == b"---" and any(
        re.match(rb"[A-Za-z]", line) for line in follows
    )


def _damaged(text: DiffLines, number: int, old_left: int, new_left: int) -> NoReturn:
    """Name the line at which a hunk is not what its header says."""
    lines, start, end = text.lines, text.at, len(text.lines)
    at = start + 1
    if at < end and lines[at].startswith(b"\\"):
        text.refuse("'\\ No newline' before any line", at)
    while old_left >= 0 and new_left >= 0 and (old_left or new_left) and at < end:
        op = lines[at][:1]
        if op not in (b" ", b"\n", b"+", b"-", b"\\"):
            text.refuse(
                f"hunk {number} (header on line {text.first_line + start}) is broken: this line "
                "begins with none of ' ', '+', '-', '\\'",
                at,
            )
        # A line without anything is an empty one of the context whose blank was lost.
        old_left -= op in (b" ", b"\n", b"-")
        new_left -= op in (b" ", b"\n", b"+")
        at += 1
    if old_left < 0 or new_left < 0:
        text.refuse(f"hunk {number} holds other lines than its header counts", at - 1)
    missing = old_left if at >= end and old_left == new_left else _MOST_STRIPPED + 1
    text.refuse(
        f"hunk {number} ends early: {_lines(old_left)} before and {new_left} after are missing;"
        f" {_way_on(missing)}",
        at - 1,
    )


def _end_of_hunk(lines: Sequence[bytes], at: int, old: int, new: int) -> int | None:
    """The index behind the last of the lines that a hunk counts; None where they are not such lines.

    No more lines are looked at than must be there, so it never goes too far: a line counts one at most.
    """
    if lines[at : at + 1] and lines[at].startswith(b"\\"):
        return None
    while missing := max(old, new):
        ops = bytes([line[0] for line in lines[at : at + missing]])
        context, minus, plus = ops.count(b" ") + ops.count(b"\n"), ops.count(b"-"), ops.count(b"+")
        if context + minus + plus + ops.count(b"\\") != missing:
            return None
        old, new, at = old - context - minus, new - context - plus, at + missing
        if old < 0 or new < 0:
            return None
    return at


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count} lines"


def _way_on(missing: int) -> str:
    """What to do about a hunk that lacks some lines at the end of a file."""
    if missing <= _MOST_STRIPPED:
        return "if an editor stripped blank lines off its end, put back lines of one blank"
    return "the patch is truncated or damaged"
