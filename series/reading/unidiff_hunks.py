# SPDX-License-Identifier: GPL-2.0-or-later
"""Hunks as unidiff reads them, turned into our values.

unidiff works on ``str``, so every byte becomes the character of its number and comes back as it was;
and it is given lines, since what it cuts itself it also cuts at form feeds.  It knows the mark of a line
without an end by its English text alone, and a hunk of no lines it does not know at all: git writes
neither, other tools do.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from series.model import Hunk, HunkLine, LineOp

if TYPE_CHECKING:
    from unidiff.patch import Hunk as Read

HEADER = re.compile(rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@ ?(.*)", re.DOTALL)
_NAMES = "--- a/file\n+++ b/file\n"
_MARK = "\\ No newline at end of file\n"
_OPS: dict[str, LineOp] = {" ": b" ", "+": b"+", "-": b"-"}


def read_hunks(blocks: Sequence[Sequence[bytes]]) -> tuple[Hunk, ...]:
    """The hunks of one file, each given by its lines: a header that `HEADER` matches, and just as many
    lines as that counts, with the marks of lines that have no end."""
    from unidiff.patch import PatchSet

    text = io.StringIO("".join(_text(blocks)), newline="\n")
    files = PatchSet(text)
    read = iter(files[0] if files else ())
    return tuple(_hunk(next(read)) if len(block) > 1 else _empty(block[0]) for block in blocks)


def _text(blocks: Sequence[Sequence[bytes]]) -> Iterator[str]:
    yield _NAMES
    for block in blocks:
        if len(block) == 1:
            continue
        marked = block[-1].startswith(b"\\")
        yield b"".join(block[:-1] if marked else block).decode("latin-1")
        if marked:
            yield _MARK


def _hunk(read: Read) -> Hunk:
    lines: list[HunkLine] = []
    for line in read:
        if line.line_type == "\\":
            lines[-1] = HunkLine(lines[-1].op, lines[-1].text.removesuffix(b"\n"))
        else:
            lines.append(HunkLine(_OPS[line.line_type], line.value.encode("latin-1")))
    return Hunk(
        read.source_start,
        read.source_length,
        read.target_start,
        read.target_length,
        read.section_header.encode("latin-1").rstrip(b"\r\n"),
        tuple(lines),
    )


def _empty(header: bytes) -> Hunk:
    match = HEADER.match(header)
    assert match is not None
    return Hunk(int(match[1]), 0, int(match[3]), 0, match[5].rstrip(b"\r\n"), ())
