# SPDX-License-Identifier: GPL-2.0-or-later
"""What a change makes known: functions, macros, types, members, options, files.

A line-wise reading of diffs, not a parser: a hunk shows a few lines of a file.  Comments and strings are
blanked before (`series.symbols.lexer`); what is declared inside a function is nobody's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from series.model import FileChange, LineOp
from series.symbols.lexer import DIRECTIVE, KEYWORDS, WORD, CodeLine, code_lines, language
from series.symbols.pasted import pasted_made

Kind = Literal["function", "macro", "type", "variable", "member", "constant", "config", "file"]

_DEFINE = re.compile(rb"\s*#\s*define\s+([A-Za-z_]\w*)")
_TAGGED = re.compile(
    rb"\s*(?:typedef\s+|static\s+|const\s+)*(struct|union|enum)\s+([A-Za-z_]\w*)\s*(\{|$)"
)
_TYPEDEF = re.compile(rb"typedef\b[^;]*?[\s*]\(?\*?([A-Za-z_]\w*)\)?\s*(?:\[[^;]*|\([^;]*)?;")
_TYPE_END = re.compile(rb"\}\s*(?:__\w+\s+)?([A-Za-z_]\w*)\s*;")
_FUNCTION = re.compile(rb"((?:[A-Za-z_]\w*[\s*]+)+)([A-Za-z_]\w*)\s*\(")
_BARE_CALL = re.compile(rb"([a-z_]\w*)\s*\(")
_TYPE_LINE = re.compile(rb"[A-Za-z_][\w\s*]*$")
_DEFINER = re.compile(rb"(?:static\s+|extern\s+)?(?:DEFINE|DECLARE)_[A-Z0-9_]+\s*\(([^)]*)\)?")
_MEMBER = re.compile(
    rb"\s+(?:[A-Za-z_]\w*[\s*]+)+\**([A-Za-z_]\w*)\s*(?:\[[^\]]*\]\s*)*(?::\s*\w+\s*)?[;,]"
    rb"|\s+(?:[A-Za-z_]\w*[\s*]+)+\(\s*\*\s*([A-Za-z_]\w*)\s*\)\s*\("
)
_CONSTANT = re.compile(rb"\s+([A-Za-z_]\w*)\s*(?:=[^,]*)?,?\s*$")
_ENTRY = re.compile(
    rb"\s*(?:ENTRY|GLOBAL|FUNC|DATA)\s*\(\s*([A-Za-z_]\w*)\s*\)|\s*\.globa?l\s+([A-Za-z_]\w*)"
)
_LABEL = re.compile(rb"([A-Za-z_]\w*):")
_ASM_MACRO = re.compile(rb"\s*\.macro\s+([A-Za-z_]\w*)")
_ASSIGN = re.compile(rb"\s*(?:PROVIDE\()?([A-Za-z_]\w*)\s*=[^=]")
_CONFIG = re.compile(rb"\s*(?:menu)?config\s+([A-Za-z0-9_]+)\s*$")
_IDL = re.compile(rb"\(\s*\"([A-Za-z_]\w*)\"")
_BODY = re.compile(rb"\b(struct|union|enum)\b[^;()=]*$|\b(struct|union|enum)\b[^;()=]*\{")
_BRACE = re.compile(rb"[{}]")
_HEADERS = (b".h", b".hpp", b".inc")


class Definition(Struct, frozen=True):
    """A name that a patch makes known, and where; ``local`` when only its own file can see it."""

    kind: Kind
    name: bytes
    path: bytes
    line: int
    local: bool = False
    text: bytes = b""
    """The line that defines it, blanks evened out: whether a patch changes it is seen by this."""
    changed: bool = False
    """The patch changes what the name is, rather than introducing it."""


def definitions(change: FileChange, side: LineOp = b"+") -> list[Definition]:
    """What the added lines (or, with ``-``, the removed ones) of a change define."""
    path = change.path if side == b"+" else (change.old_path or change.path)
    kind = language(path)
    found: list[Definition] = []
    if side == b"+" and change.kind in ("create", "copy", "rename"):
        found.append(Definition("file", path, path, 1))
    for hunk, lines in code_lines(change, side):
        if kind == "kconfig":
            for line in lines:
                if line.own and (match := _CONFIG.match(line.clean)):
                    found.append(Definition("config", b"CONFIG_" + match[1], path, line.number))
        elif kind == "idl":
            for line in lines:
                if line.own:
                    found += [
                        Definition("member", name, path, line.number)
                        for name in _IDL.findall(line.raw)
                    ]
        elif kind == "asm":
            found += _asm(lines, path)
        elif kind == "c":
            found += _c(lines, path, hunk.section)
    return found


def _asm(lines: list[CodeLine], path: bytes) -> Iterator[Definition]:
    script = path.endswith(b".lds.S")
    for line in lines:
        if not line.own:
            continue
        text = line.clean
        if match := _DEFINE.match(text):
            yield Definition("macro", match[1], path, line.number, local=True)
        elif match := _ENTRY.match(text):
            yield Definition("function", match[1] or match[2], path, line.number)
        elif match := _ASM_MACRO.match(text):
            yield Definition("macro", match[1], path, line.number, local=True)
        elif script and (match := _ASSIGN.match(text)):
            yield Definition("variable", match[1], path, line.number)
        elif match := _LABEL.match(text):
            yield Definition("function", match[1], path, line.number, local=True)


def _c(lines: list[CodeLine], path: bytes, section: bytes) -> Iterator[Definition]:
    header = path.endswith(_HEADERS)
    body = _BodyTracker(section)
    previous = b""
    for index, line in enumerate(lines):
        text = line.clean
        inside = body.kind
        body.feed(text)
        following = lines[index + 1].clean if index + 1 < len(lines) else b""
        if line.own and not line.continued:
            for kind, name, static in _c_line(text, previous, following, inside):
                even = b" ".join(text.split())
                yield Definition(kind, name, path, line.number, static and not header, even)
        if text.strip():
            previous = text


class _BodyTracker:
    """Whether a line stands in the body of a struct, union or enum."""

    def __init__(self, section: bytes) -> None:
        match = _TAGGED.match(section) or re.match(
            rb"(?:typedef\s+)?(struct|union|enum)\b", section
        )
        opened = match is not None and b";" not in section and b"(" not in section
        self.stack: list[str] = [match[1].decode()] if match and opened else []
        self.awaiting = ""

    @property
    def kind(self) -> str:
        return self.stack[-1] if self.stack else ""

    def feed(self, text: bytes) -> None:
        match = _BODY.search(text)
        if match:
            self.awaiting = (match[1] or match[2]).decode()
        elif b";" in text or b"(" in text:
            self.awaiting = ""
        for mark in _BRACE.findall(text):
            if mark == b"{":
                self.stack.append(self.awaiting or "code")
                self.awaiting = ""
            elif self.stack:
                self.stack.pop()


def _c_line(
    text: bytes, previous: bytes, following: bytes, inside: str
) -> Iterator[tuple[Kind, bytes, bool]]:
    if match := _DEFINE.match(text):
        # A macro in a .c file is seen there alone, like a static function.
        yield "macro", match[1], True
        return
    if DIRECTIVE.match(text) or not text.strip():
        return
    tagged = _TAGGED.match(text)
    if tagged and (tagged[3] or following.lstrip().startswith(b"{")):
        yield "type", tagged[2], not text.startswith((b"typedef", tagged[1]))
        return
    if text[:1] in b" \t":
        if inside in ("struct", "union") and (match := _MEMBER.match(text)):
            yield "member", match[1] or match[2], False
        elif inside == "enum" and (match := _CONSTANT.match(text)):
            yield "constant", match[1], False
        return
    if text.startswith(b"}"):
        if match := _TYPE_END.match(text):
            yield "type", match[1], False
        return
    yield from _at_margin(text, previous)


def _at_margin(text: bytes, previous: bytes) -> Iterator[tuple[Kind, bytes, bool]]:
    """A declaration that begins in the first column, where house styles put those of a file."""
    first = WORD.match(text)
    if first is None or first[0] in KEYWORDS - {b"typedef"}:
        return
    if first[0] == b"typedef":
        if match := _TYPEDEF.match(text):
            yield "type", match[1], False
        return
    static = re.search(rb"\bstatic\b", text[:80]) is not None
    if match := _DEFINER.match(text):
        words = WORD.findall(match[1])
        made = pasted_made(text) or [("variable", name) for name in words[:1]]
        for kind, name in made:
            yield kind, name, static
        return
    match = _FUNCTION.match(text)
    if match:
        name = match[2]
        if name not in KEYWORDS and not name.startswith(b"__attribute") and not name.isupper():
            yield "function", name, static
        return
    match = _BARE_CALL.match(text)
    if match:
        # static int
        # name(...)
        if _TYPE_LINE.match(previous) and previous[:1] not in b" \t":
            yield "function", match[1], re.search(rb"\bstatic\b", previous) is not None
        return
    declared = re.split(rb"[=;\[]", text, maxsplit=1)
    if len(declared) == 2 and b"(" not in declared[0] and b"," not in declared[0]:
        words = WORD.findall(declared[0])
        while len(words) > 1 and words[-1].startswith(b"__"):
            words.pop()
        if len(words) > 1 and words[-2] not in (b"struct", b"union", b"enum"):
            yield "variable", words[-1], static
