# SPDX-License-Identifier: GPL-2.0-or-later
"""What a diff adds, as source code: comments and strings blanked out, continuation lines known.

A hunk is a fragment: it may begin within a comment.  That is seen from a ``*/`` that comes before any
``/*``, or from lines that have the look of a comment's body.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

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


@dataclass(frozen=True, slots=True)
class CodeLine:
    """One line of one side of a hunk: cleaned, as it stood, its number, whether the patch made it."""

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
        raws = [line.text for line in lines]
        cleaned = clean(b"".join(raws), kind).split(b"\n")
        first = hunk.new_start if side == b"+" else hunk.old_start
        out: list[CodeLine] = []
        continued = False
        for index, line in enumerate(lines):
            if len(cleaned[index]) > _MAX_LINE:
                cleaned[index] = b""
            out.append(
                CodeLine(cleaned[index], raws[index], first + index, line.op == side, continued)
            )
            continued = cleaned[index].rstrip().endswith(b"\\")
        yield hunk, out


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
    return _NOT_NEWLINE.sub(b" ", text)


def _blank_match(match: re.Match[bytes]) -> bytes:
    return _blank(match[0])
