# SPDX-License-Identifier: GPL-2.0-or-later
"""Context diffs (``diff -c``) as the unified diffs that say the same.

The grammar is POSIX diff's: two file lines, then for each hunk a row of 15 asterisks, the old lines
under ``*** 1,4 ****`` and the new ones under ``--- 1,4 ----``; a side without changes may be left out.
"""

from __future__ import annotations

import re
from typing import NoReturn

from series.lines import split_lines
from series.reading.diff_lines import DiffError

_HEADER = re.compile(rb"^\*\*\* ([^\n]+)\n--- ([^\n]+)\n\*{15}[^\n]*\n\*\*\* \d", re.MULTILINE)
_OLD = re.compile(rb"\*\*\* (\d{1,9})(?:,(\d{1,9}))? \*\*\*\*[ \r]*\n?\Z")
_NEW = re.compile(rb"--- (\d{1,9})(?:,(\d{1,9}))? ----[ \r]*\n?\Z")
_ROW = b"***************"
_NO_NEWLINE = b"\n\\ No newline at end of file\n"


def holds_context_diff(text: bytes) -> bool:
    """Whether a context diff begins anywhere in ``text``."""
    return b"\n" + _ROW in text and _HEADER.search(text) is not None


def as_unified(text: bytes, where: str, first_line: int = 1) -> bytes:
    """``text`` with each context diff turned into a unified one; all other lines stay.

    Each is padded with empty lines to its former length where it became shorter, so that the lines
    after it keep their numbers.  Raises DiffError.
    """
    if not holds_context_diff(text):
        return text
    return b"".join(_Turner(split_lines(text), where, first_line).run())


class _Turner:
    def __init__(self, lines: list[bytes], where: str, first_line: int) -> None:
        self.lines, self.where, self.first_line = lines, where, first_line
        self.at = 0

    def fail(self, what: str) -> NoReturn:
        raise DiffError(self.where, self.first_line + self.at, what)

    def peek(self) -> bytes:
        return self.lines[self.at] if self.at < len(self.lines) else b""

    def run(self) -> list[bytes]:
        out: list[bytes] = []
        while self.at < len(self.lines):
            if not _HEADER.match(b"".join(self.lines[self.at : self.at + 4])):
                out.append(self.lines[self.at])
                self.at += 1
                continue
            start = self.at
            made = [b"--- " + self.lines[start][4:], b"+++ " + self.lines[start + 1][4:]]
            self.at += 2
            while self.peek().startswith(_ROW):
                self.at += 1
                made += self.hunk()
            made += [b"\n"] * (self.at - start - len(made))
            out += made
        return out

    def hunk(self) -> list[bytes]:
        match = _OLD.match(self.peek())
        if match is None:
            self.fail(
                "the row of asterisks of a context diff without '*** first,last ****' after it"
            )
        self.at += 1
        old_first, old = int(match[1]), self.side(b"-")
        match = _NEW.match(self.peek())
        if match is None:
            self.fail("a hunk of a context diff without '--- first,last ----'")
        self.at += 1
        new_first, new = int(match[1]), self.side(b"+")
        if not old:
            old = [line for line in new if line[0] == b" "]
        if not new:
            new = [line for line in old if line[0] == b" "]
        body = self.merged(old, new)
        befores = sum(op != b"+" for op, _ in body)
        afters = sum(op != b"-" for op, _ in body)
        return [
            b"@@ -%d,%d +%d,%d @@\n" % (old_first, befores, new_first, afters),
            *(op + (text if text.endswith(b"\n") else text + _NO_NEWLINE) for op, text in body),
        ]

    def side(self, op: bytes) -> list[tuple[bytes, bytes]]:
        """The lines of one side: context, or changed with ``op``; only what has no newline has none."""
        found: list[tuple[bytes, bytes]] = []
        while self.at < len(self.lines):
            line = self.lines[self.at].removesuffix(b"\n") + b"\n"
            if line[:2] == b"  ":
                found.append((b" ", line[2:]))
            elif line[:2] in (b"! ", op + b" "):
                found.append((op, line[2:]))
            elif line.startswith(b"\\ ") and found:
                found[-1] = (found[-1][0], found[-1][1].removesuffix(b"\n"))
            elif line.rstrip(b"\r\n") in (b"", b" ", b"!", op) and not _NEW.match(line):
                # The blanks of an empty line were lost on the way; at a hunk's end it is no line.
                if line.rstrip(b"\r\n") in (b"", b" ") and self.ends():
                    break
                found.append((b" " if line[:1] not in (b"!", op) else op, b"\n"))
            else:
                break
            self.at += 1
        return found

    def ends(self) -> bool:
        follows = self.lines[self.at + 1] if self.at + 1 < len(self.lines) else b""
        return follows[:2] not in (b"  ", b"! ", b"+ ", b"- ") and not _NEW.match(follows)

    def merged(
        self, old: list[tuple[bytes, bytes]], new: list[tuple[bytes, bytes]]
    ) -> list[tuple[bytes, bytes]]:
        """Both sides as one row: what goes before what comes, along the context that they share."""
        out: list[tuple[bytes, bytes]] = []
        one = two = 0
        while one < len(old) or two < len(new):
            if one < len(old) and old[one][0] != b" ":
                out.append(old[one])
                one += 1
            elif two < len(new) and new[two][0] != b" ":
                out.append(new[two])
                two += 1
            elif one < len(old) and two < len(new) and old[one][1] == new[two][1]:
                out.append(old[one])
                one, two = one + 1, two + 1
            else:
                self.fail("the two sides of a context diff's hunk do not have the same context")
        return out
