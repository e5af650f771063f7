# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a change uses a name or a file: calls, members, options, includes, objects of a Makefile.

A declaration is no use, nor is a comment or a string; a member counts only as ``.name`` or ``->name``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from series.model import FileChange
from series.symbols.lexer import DIRECTIVE, KEYWORDS, WORD, CodeLine, code_lines, language, own_text
from series.symbols.pasted import may_paste, pasted_used

_NAMED = re.compile(rb"#\s*(?:define|undef|ifdef|ifndef)$")
_EXPRESSION = re.compile(
    rb"\s*(?:depends on|select|imply|if|visible if|default|def_bool|def_tristate|range"
    rb"|(?:bool|tristate|prompt|int|hex|string)\b.*\bif)\b(.*)"
)
_INCLUDE = re.compile(rb"\s*#\s*include\s*[<\"]([^>\"]+)[>\"]")
_SOURCE = re.compile(rb"\s*source\s+\"?([^\"\s]+)")
_MAKE_WORD = re.compile(rb"[\w./+-]+")
_OBJECT_LINE = re.compile(
    rb"\s*(?:(?:obj|lib|subdir|extra|targets|always|hostprogs|OBJS?)\b|[\w./$()-]+-[yo]\b)[^=]*[:+?]?=(.*)",
    re.IGNORECASE,
)
_FILE_WORD = {"c": b"include", "asm": b"include", "kconfig": b"source"}
"""What a change that names a file must hold."""
_NOT_A_TYPE = KEYWORDS | frozenset(b"and or not in is".split())
_QUALIFIERS = frozenset(
    b"static extern const volatile inline struct union enum unsigned signed".split()
)


class Use(Struct, frozen=True):
    """A name as an added line uses it."""

    name: bytes
    path: bytes
    line: int
    form: Literal["call", "member", "plain", "config", "file"]


def uses(change: FileChange, wanted: frozenset[bytes] | set[bytes]) -> list[Use]:
    """Where the added lines of a change use names of ``wanted``.

    What these lines declare in a function, or as a parameter, is meant by them and nobody else's.
    """
    path = change.path
    kind = language(path)
    if kind == "other" or (kind != "kconfig" and _none_of(wanted, own_text(change))):
        return []
    found: list[Use] = []
    local: set[bytes] = set()
    for _, lines in code_lines(change):
        for line in lines:
            if not line.own:
                continue
            if kind == "kconfig":
                found += _kconfig_uses(line, path, wanted)
            elif kind == "make":
                found += [
                    Use(word, path, line.number, "config")
                    for word in WORD.findall(line.clean)
                    if word.startswith(b"CONFIG_") and word in wanted
                ]
            elif kind in ("c", "asm"):
                words = WORD.findall(line.clean)
                if not wanted.isdisjoint(words):
                    found += _code_uses(line, path, wanted, assembler=kind == "asm")
                    if kind == "c":
                        local.update(_local(line.clean, wanted))
                found += [
                    Use(name, path, line.number, "plain")
                    for name in pasted_used(line.clean)
                    if name in wanted
                ]
    return [use for use in found if use.name not in local or use.form not in ("plain", "call")]


def _none_of(wanted: frozenset[bytes] | set[bytes], text: bytes) -> bool:
    """Whether a text surely uses no name of ``wanted``: most changes use none, and need no reading."""
    return wanted.isdisjoint(WORD.findall(text)) and not may_paste(text)


def _local(text: bytes, wanted: frozenset[bytes] | set[bytes]) -> Iterator[bytes]:
    """The names that a line of code declares where no other file can see them."""
    if DIRECTIVE.match(text):
        return
    for match in WORD.finditer(text):
        before, after = text[: match.start()].rstrip(), text[match.end() :].lstrip()
        inside = text[:1] in b" \t" or b"(" in before
        if inside and match[0] in wanted and _declares(before, after):
            yield match[0]


def _kconfig_uses(
    line: CodeLine, path: bytes, wanted: frozenset[bytes] | set[bytes]
) -> Iterator[Use]:
    match = _EXPRESSION.match(line.clean)
    for word in WORD.findall(match[1]) if match else ():
        name = b"CONFIG_" + word
        if name in wanted:
            yield Use(name, path, line.number, "config")


def _code_uses(
    line: CodeLine, path: bytes, wanted: frozenset[bytes] | set[bytes], *, assembler: bool
) -> Iterator[Use]:
    """What stands before a name in C is its type, in assembler the instruction that uses it."""
    text = line.clean
    directive = DIRECTIVE.match(text)
    if directive and directive[1] == b"include":
        return
    for match in WORD.finditer(text):
        name = match[0]
        if name not in wanted:
            continue
        before = text[: match.start()].rstrip()
        after = text[match.end() :].lstrip()
        if before.endswith((b".", b"->")) and not before.endswith(b".."):
            yield Use(name, path, line.number, "member")
        elif name.startswith(b"CONFIG_"):
            yield Use(name, path, line.number, "config")
        elif not (
            _NAMED.search(before) if directive else not assembler and _declares(before, after)
        ):
            yield Use(name, path, line.number, "call" if after.startswith(b"(") else "plain")


def _declares(before: bytes, after: bytes) -> bool:
    """Whether a name after ``before`` is being declared: a type stands before it."""
    bare = before.rstrip(b"* \t")
    match = re.search(rb"([A-Za-z_]\w*)$", bare)
    if match is None or match[1] in _NOT_A_TYPE or match[1] in (b"struct", b"union", b"enum"):
        return False
    if len(bare) < len(before):
        # a * b: a product, unless a declaration's end or start is in sight.
        words = bare[: match.start()].split()
        return after[:1] in (b";", b"=", b",", b")", b"(", b"[") and (
            match[1] in _QUALIFIERS or all(word in _QUALIFIERS for word in words)
        )
    return after[:1] in (b";", b"=", b",", b")", b"(", b"[", b":", b"")


def file_uses(change: FileChange) -> list[Use]:
    """Paths, or ends of paths, that the added lines include, source or build."""
    path = change.path
    kind = language(path)
    if _FILE_WORD.get(kind, b"") not in own_text(change):
        return []
    here = path.rsplit(b"/", 1)[0] + b"/" if b"/" in path else b""
    found: list[Use] = []
    for _, lines in code_lines(change):
        for line in lines:
            if not line.own:
                continue
            if kind in ("c", "asm") and line.clean.lstrip().startswith(b"#"):
                if match := _INCLUDE.match(line.raw):
                    found.append(Use(match[1], path, line.number, "file"))
            elif kind == "kconfig" and (match := _SOURCE.match(line.raw)):
                found.append(Use(match[1], path, line.number, "file"))
            elif kind == "make" and (match := _OBJECT_LINE.match(line.clean)):
                for word in _MAKE_WORD.findall(match[1]):
                    if word.endswith(b".o"):
                        found += [
                            Use(here + word[:-1] + end, path, line.number, "file")
                            for end in (b"c", b"S")
                        ]
                    else:
                        found.append(
                            Use(here + word.rstrip(b"/") + b"/Makefile", path, line.number, "file")
                        )
    return found
