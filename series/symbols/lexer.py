# SPDX-License-Identifier: GPL-2.0-or-later
"""What a diff adds, as source code: comments and strings blanked out, continuation lines known.

A hunk is a fragment: it may begin within a comment.  That is seen from a ``*/`` that comes before any
``/*``, or from lines that have the look of a comment's body.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import Literal

from msgspec import Struct

from series.model import FileChange, Hunk, LineOp

Language = Literal["c", "asm", "kconfig", "make", "idl", "other"]

_C_NOISE = re.compile(
    rb"/\*.*?(?:\*/|\Z)|//(?:[^\n\\]|\\\n|\\.)*|\"(?:[^\"\\\n]|\\.)*\"?|'(?:[^'\\\n]|\\.)*'?",
    re.DOTALL,
)
_ASM_NOISE = re.compile(
    rb"/\*.*?(?:\*/|\Z)|//[^\n]*|\"(?:[^\"\\\n]|\\.)*\"?"
    rb"|(?<=[^\n])\#[^\n]*|^\#(?!\s*(?:define|undef|include|if|else|elif|endif|error|pragma|line))[^\n]*",
    re.DOTALL | re.MULTILINE,
)
_HASH_NOISE = re.compile(rb"(?<!\\)#[^\n]*")
_COMMENT_LINE = re.compile(rb"^[ \t]*\*(?:[ \t][^\n]*)?$", re.MULTILINE)
# No one writes such a line of code, and patterns on it could be made to take long.
_MAX_LINE = 4096
_NOT_NEWLINE = re.compile(rb"[^\n]")


WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
DIRECTIVE = re.compile(rb"\s*#\s*([a-z]*)")
KEYWORDS = frozenset(
    b"if else while for do switch case return goto typedef sizeof break continue default asm "
    b"__asm__ defined elif endif ifdef ifndef include undef error pragma".split()
)
"""Of C and of its preprocessor, and what looks like a call and is none."""


def language(path: bytes) -> Language:
    """Which lexer a path wants."""
    name = path.rsplit(b"/", 1)[-1]
    if name.endswith((b".c", b".h", b".inc", b".cc", b".cpp", b".hpp")):
        return "c"
    if name.endswith((b".S", b".s")):
        return "asm"
    if name.startswith(b"Kconfig"):
        return "kconfig"
    if name.endswith((b"Makefile", b".mk", b".make")) or name.startswith((b"Makefile", b"Kbuild")):
        return "make"
    return "idl" if name.endswith(b".idl") else "other"


class CodeLine(Struct, frozen=True, gc=False):
    """One line of one side of a hunk: cleaned, as it stood, its number, whether the patch made it.

    Not for the garbage collector: a series has some hundred thousand of them, which hold bytes alone.
    """

    clean: bytes
    raw: bytes
    number: int
    own: bool
    continued: bool
    """Whether the line before it ended in a backslash."""


def code_lines(change: FileChange, side: LineOp = b"+") -> Iterator[tuple[Hunk, list[CodeLine]]]:
    """The lines of each hunk as they stand after (``+``) or before (``-``) the change."""
    path = change.path if side == b"+" else (change.old_path or change.path)
    kind = language(path)
    if kind == "other":
        return
    away: LineOp = b"-" if side == b"+" else b"+"
    for hunk in change.hunks:
        lines = [line for line in hunk.lines if line.op != away]
        if not any(line.op == side for line in lines):
            continue
        text = clean(b"".join([line.text for line in lines]), kind)
        cleaned = text.split(b"\n")
        if len(text) > _MAX_LINE:
            cleaned = [b"" if len(one) > _MAX_LINE else one for one in cleaned]
        goes_on = [False] * len(lines)
        if b"\\" in text:
            goes_on = [False, *(one.rstrip().endswith(b"\\") for one in cleaned)]
        first = hunk.new_start if side == b"+" else hunk.old_start
        yield (
            hunk,
            [
                CodeLine(one, line.text, number, line.op == side, continued)
                for one, line, number, continued in zip(
                    cleaned, lines, count(first), goes_on, strict=False
                )
            ],
        )


def own_text(change: FileChange) -> bytes:
    """All added lines, as they stand.  A word of their code is a word of this: what is blanked begins and
    ends beside a word."""
    return b"".join(line.text for hunk in change.hunks for line in hunk.lines if line.op == b"+")


def clean(text: bytes, kind: Language) -> bytes:
    """``text`` with comments and strings blanked; line ends and columns stay."""
    if kind in ("c", "asm"):
        ends, begins = text.find(b"*/"), text.find(b"/*")
        if ends >= 0 and (begins < 0 or ends < begins):
            text = _blank(text[: ends + 2]) + text[ends + 2 :]
        noise = _C_NOISE if kind == "c" else _ASM_NOISE
        text = noise.sub(_blank_match, text)
        return _COMMENT_LINE.sub(_blank_match, text)
    if kind in ("make", "kconfig"):
        return _HASH_NOISE.sub(_blank_match, text)
    return text


def _blank(text: bytes) -> bytes:
    return _NOT_NEWLINE.sub(b" ", text) if b"\n" in text else b" " * len(text)


def _blank_match(match: re.Match[bytes]) -> bytes:
    return _blank(match[0])
