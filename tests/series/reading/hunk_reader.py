# SPDX-License-Identifier: GPL-2.0-or-later
"""A reader of hunks that shares nothing with the one that is tested: bytes, and no library."""

from __future__ import annotations

import re

from series.model import Hunk, HunkLine, LineOp

_HEADER = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)", re.DOTALL)
_OPS: dict[bytes, LineOp] = {b" ": b" ", b"+": b"+", b"-": b"-"}


def read_plainly(text: bytes) -> tuple[Hunk, ...]:
    """The hunks in ``text``, which holds those of one file and nothing that is damaged."""
    lines = [line + b"\n" for line in text.split(b"\n")]
    last = lines.pop()[:-1]
    if last:
        lines.append(last)
    found = []
    while lines:
        match = _HEADER.match(lines.pop(0))
        if match is None:
            continue
        old, new = (int(size) if size is not None else 1 for size in (match[2], match[4]))
        sizes, out = (old, new), list[HunkLine]()
        while old or new or (lines and lines[0].startswith(b"\\ ")):
            line = lines.pop(0)
            if line.startswith(b"\\"):
                out[-1] = HunkLine(out[-1].op, out[-1].text.removesuffix(b"\n"))
                continue
            op = _OPS.get(line[:1], b" ")
            old -= op != b"+"
            new -= op != b"-"
            out.append(HunkLine(op, line if line == b"\n" else line[1:]))
        section = match[5].rstrip(b"\r\n")
        found.append(Hunk(int(match[1]), sizes[0], int(match[3]), sizes[1], section, tuple(out)))
    return tuple(found)
