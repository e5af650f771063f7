# SPDX-License-Identifier: GPL-2.0-or-later
"""C source as tokens, statements, calls and declarations: enough to change it on purpose.

A mutation must look like something that a person wrote, so operators work on statements and arguments
and not on lines.  The grammar is the one of a tree's own code, not all of C: functions at the outermost
level, statements in them, macros as runs of tokens.  Directives are passed over, so what stands under
``#ifdef`` and under its ``#else`` is read as if both were there.  All offsets are into the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Kind = Literal["name", "number", "string", "mark"]

_TOKEN = re.compile(
    r"(?P<skip>\s+|\\\n|/\*.*?\*/|//[^\n]*)"
    r"|(?P<define>^[ \t]*\#[ \t]*define[ \t]+(?P<macro>\w+)(?:\([^)]*\))?)"
    r"|(?P<directive>^[ \t]*\#(?:[^\\\n]|\\\n|\\.)*)"
    r"|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<number>\.?\d(?:\w|\.)*)"
    r"|(?P<string>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')"
    r"|(?P<mark>->|\+\+|--|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|\.\.\.|.)",
    re.DOTALL | re.MULTILINE,
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_HEADED = ("if", "for", "while", "switch")
_NO_CALL = {*_HEADED, "return", "sizeof", "typeof", "case", "do", "else", "asm", "volatile"}
_TYPE_WORDS = {
    *("unsigned", "signed", "long", "int", "short", "char", "bool", "void", "const", "static"),
    *("volatile", "struct", "union", "enum", "extern", "inline"),
}


@dataclass(frozen=True, slots=True)
class Token:
    """One token and where it stands."""

    kind: Kind
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Span:
    """A run of tokens [first, last] of a source, by index."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; ``kind`` is its keyword, ``block``, ``label`` or ``plain``."""

    kind: str
    span: Span
    head: Span | None = None
    """Between the parentheses of if, for, while and switch."""
    body: tuple[Statement, ...] = ()
    otherwise: Statement | None = None

    def walk(self) -> Iterator[Statement]:
        """This statement and all within it."""
        yield self
        for inner in self.body:
            yield from inner.walk()
        if self.otherwise is not None:
            yield from self.otherwise.walk()


@dataclass(frozen=True, slots=True)
class Call:
    """A call and its arguments; the span is the whole expression."""

    name: str
    span: Span
    arguments: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Declared:
    """A parameter or a local variable."""

    name: str
    type: str
    """Its words and stars, ``const`` and ``static`` left out."""
    at: int
    """The token that names it."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function's body, or a macro's (``statements`` is empty then)."""

    name: str
    span: Span
    statements: tuple[Statement, ...] = ()
    declared: tuple[Declared, ...] = ()
    macro: bool = False

    def walk(self) -> Iterator[Statement]:
        """Every statement, outer ones first."""
        for statement in self.statements:
            yield from statement.walk()


@dataclass
class Source:
    """A file, read once."""

    path: str
    text: str
    tokens: list[Token] = field(init=False)
    functions: list[Function] = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = []
        macros = _Macros(self.text)
        for match in _TOKEN.finditer(self.text):
            kind = match.lastgroup
            if kind == "macro" or match["define"]:
                macros.begin(match["macro"], match.end(), len(self.tokens))
            elif kind in ("name", "number", "string", "mark"):
                macros.end_before(match.start(), len(self.tokens))
                self.tokens.append(Token(kind, match[0], match.start(), match.end()))  # type: ignore[arg-type]  # the groups are the kinds
        macros.end_before(len(self.text) + 1, len(self.tokens))
        self.functions = [*macros.found, *_Reader(self, macros.inside).functions()]

    @cached_property
    def matching(self) -> dict[int, int]:
        """Index of each opening bracket's closing one."""
        found: dict[int, int] = {}
        open_: list[int] = []
        for index, token in enumerate(self.tokens):
            if token.kind != "mark":
                continue
            if token.text in _CLOSING:
                open_.append(index)
            elif open_ and token.text == _CLOSING[self.tokens[open_[-1]].text]:
                found[open_.pop()] = index
        return found

    def cut(self, span: Span) -> str:
        """The text of a span, as it stands."""
        return self.text[self.tokens[span.first].start : self.tokens[span.last].end]

    def plain(self, span: Span) -> str:
        """The tokens of a span with single spaces between them."""
        return " ".join(t.text for t in self.tokens[span.first : span.last + 1])

    def within(self, span: Span) -> Iterator[tuple[int, Token]]:
        """Index and token of all in a span."""
        for index in range(span.first, span.last + 1):
            yield index, self.tokens[index]

    def calls(self, span: Span) -> Iterator[Call]:
        """Every call in a span, outer ones first."""
        for index, token in self.within(span):
            after = index + 1
            if (
                token.kind == "name"
                and token.text not in _NO_CALL
                and after <= span.last
                and self.tokens[after].text == "("
                and after in self.matching
            ):
                end = self.matching[after]
                yield Call(token.text, Span(index, end), tuple(self.listed(after + 1, end)))

    def listed(self, first: int, end: int) -> Iterator[Span]:
        """The parts between top-level commas of [first, end)."""
        begin = index = first
        while index < end:
            if self.tokens[index].text in _CLOSING:
                index = self.matching.get(index, end)
            elif self.tokens[index].text == ",":
                if index > begin:
                    yield Span(begin, index - 1)
                begin = index + 1
            index += 1
        if end > begin:
            yield Span(begin, end - 1)

    def line(self, index: int) -> int:
        """Line number of a token."""
        return self.text.count("\n", 0, self.tokens[index].start) + 1


class _Macros:
    """Collects the bodies of ``#define``: from the macro's head to the end of its logical line."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.found: list[Function] = []
        self.inside: set[int] = set()
        self._open: tuple[str, int, int] | None = None

    def begin(self, name: str, offset: int, index: int) -> None:
        self.end_before(offset, index)
        end = offset
        while True:
            end = self._text.find("\n", end)
            if end < 0:
                end = len(self._text)
            elif self._text[end - 1] == "\\":
                end += 1
                continue
            break
        self._open = name, end, index

    def end_before(self, offset: int, index: int) -> None:
        """Tokens from ``offset`` on, the first numbered ``index``, come next."""
        if self._open is None or offset <= self._open[1]:
            return
        name, _, first = self._open
        self._open = None
        if index > first:
            self.found.append(Function(name, Span(first, index - 1), macro=True))
            self.inside.update(range(first, index))


class _Reader:
    """Statements out of tokens, by recursive descent."""

    def __init__(self, source: Source, macros: set[int]) -> None:
        self._source = source
        self._tokens = source.tokens
        self._macros = macros

    def functions(self) -> Iterator[Function]:
        index = 0
        while index < len(self._tokens):
            if index in self._macros or self._tokens[index].text != "{":
                index += 1
                continue
            end = self._source.matching.get(index, len(self._tokens) - 1)
            if self._tokens[index - 1].text == ")":
                yield self._function(index, end)
            index = end + 1

    def _function(self, index: int, end: int) -> Function:
        opening = {close: open_ for open_, close in self._source.matching.items()}[index - 1]
        statements = tuple(self._statements(index + 1, end))
        declared = list(self._parameters(opening + 1, index - 1))
        for statement in statements:
            for inner in statement.walk():
                if inner.kind == "plain":
                    declared.extend(self._locals(inner.span))
        return Function(
            self._tokens[opening - 1].text, Span(index + 1, end - 1), statements, tuple(declared)
        )

    def _statements(self, index: int, end: int) -> Iterator[Statement]:
        while index < end:
            statement = self._statement(index, end)
            yield statement
            index = statement.span.last + 1

    def _statement(self, index: int, end: int) -> Statement:
        word = self._tokens[index].text
        if word == "{":
            last = self._source.matching[index]
            return Statement(
                "block", Span(index, last), body=tuple(self._statements(index + 1, last))
            )
        if word in _HEADED:
            return self._headed(word, index, end)
        if word == "do":
            inner = self._statement(index + 1, end)
            return Statement(
                "do", Span(index, self._semicolon(inner.span.last + 1, end)), body=(inner,)
            )
        if word in ("case", "default"):
            colon = next(i for i in range(index, end) if self._tokens[i].text == ":")
            return Statement("label", Span(index, colon))
        kind = word if word in ("return", "break", "continue", "goto") else "plain"
        return Statement(kind, Span(index, self._semicolon(index, end)))

    def _headed(self, word: str, index: int, end: int) -> Statement:
        close = self._source.matching[index + 1]
        head = Span(index + 2, close - 1)
        inner = self._statement(close + 1, end)
        last = inner.span.last
        otherwise = None
        if word == "if" and last + 1 < end and self._tokens[last + 1].text == "else":
            otherwise = self._statement(last + 2, end)
            last = otherwise.span.last
        return Statement(word, Span(index, last), head, (inner,), otherwise)

    def _semicolon(self, index: int, end: int) -> int:
        while index < end and self._tokens[index].text != ";":
            index = self._source.matching.get(index, index) + 1
        return min(index, end - 1)

    def _parameters(self, first: int, end: int) -> Iterator[Declared]:
        for part in self._source.listed(first, end):
            if self._tokens[part.last].kind == "name" and part.last > part.first:
                yield Declared(
                    self._tokens[part.last].text, self._type(part.first, part.last), part.last
                )

    def _locals(self, span: Span) -> Iterator[Declared]:
        """``type name [= value] [, name ...];`` and nothing else looks like that here."""
        index = span.first
        if self._tokens[index].kind != "name":
            return
        while index < span.last and self._tokens[index].text in _TYPE_WORDS:
            index += 1
        words = index - span.first
        tagged = any(
            self._tokens[i].text in ("struct", "union", "enum") for i in range(span.first, index)
        )
        if not words or tagged:
            index += 1
        base = self._type(span.first, index)
        token = self._tokens[min(index, span.last)]
        if not (token.kind == "name" or token.text == "*"):
            return
        for part in self._source.listed(index, span.last):
            at = part.first
            while at < part.last and self._tokens[at].text == "*":
                at += 1
            stars = " *" * (at - part.first)
            if self._tokens[at].kind != "name" or (
                at < part.last and self._tokens[at + 1].text not in ("=", "[")
            ):
                return
            yield Declared(self._tokens[at].text, base + stars, at)

    def _type(self, first: int, end: int) -> str:
        words = (t.text for t in self._tokens[first:end])
        return " ".join(w for w in words if w not in ("const", "static", "inline"))
