# SPDX-License-Identifier: GPL-2.0-or-later
"""What people get wrong in a core like this, as changes to its source.

Each operator yields edits for one function.  They are taken from the defects that reviews of such code
find: a check, a lock or a giving back that is missing, the wrong one of two things that look alike, a
result that is lost, a step too early or too late.  The text between the edits stays as it is, and
lines keep their numbers.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.mutation.source import Call, Function, Source, Span, Statement


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the tokens of a span by a text."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class World:
    """What an operator may know beyond the function: structures and families of constants."""

    fields: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """For each ``struct x``: its members and their types."""
    families: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For each constant: the others that one may take it for."""


Operator = Callable[[Source, Function, World], Iterator[Edit]]
OPERATORS: dict[str, Operator] = {}

_RELEASES = re.compile(r".*(?:close|free|unlock|put|release|remove|undo)\w*")
_LOCK, _UNLOCK = re.compile(r"_?spin_lock\w*"), re.compile(r"_?spin_unlock\w*")
_COPY_IN, _COPY_OUT = re.compile(r"_*copy_from_\w+"), re.compile(r"_*copy_to_\w+")
SILENT = ("ASSERT", "printk")
"""An assertion that holds changes nothing, and what is printed is nobody's translation."""
_RESULT = re.compile(r"rc|ret|err|result")
_ERRNO = re.compile(r"E[A-Z0-9]{2,}")
_NARROWER = {
    "uint64_t": "uint32_t",
    "uint32_t": "uint16_t",
    "evtchn_port_t": "uint16_t",
    "unsigned int": "uint16_t",
    "unsigned long": "uint32_t",
    "long": "unsigned int",
    "int": "unsigned int",
    "compat_pfn_t": "uint16_t",
    "mfn_t": "uint32_t",
}
_RELATED = {
    "<": ("<=",),
    "<=": ("<",),
    ">": (">=",),
    ">=": (">",),
}
_OTHER = {
    "==": ("!=",),
    "!=": ("==",),
    "+": ("-",),
    "*": ("+",),
    "/": ("%",),
    "%": ("/",),
    "<<": (">>",),
    "|": ("&",),
    "&&": ("||",),
    "||": ("&&",),
}
_ERROR_SWAP = {
    "EFAULT": "EINVAL",
    "EINVAL": "ENOSYS",
    "ENOENT": "EINVAL",
    "EPERM": "EINVAL",
    "ENOMEM": "EFAULT",
    "EOPNOTSUPP": "EINVAL",
    "E2BIG": "EINVAL",
}


def _operator(name: str) -> Callable[[Operator], Operator]:
    def register(operator: Operator) -> Operator:
        OPERATORS[name] = operator
        return operator

    return register


def _stop(source: Source, span: Span) -> Edit:
    return Edit(span, ";")


def _plain_calls(source: Source, function: Function) -> Iterator[tuple[Statement, Call]]:
    """Statements that are one call and nothing else."""
    for statement in function.walk():
        if statement.kind != "plain":
            continue
        call = next(source.calls(statement.span), None)
        if call is not None and call.name in SILENT:
            continue
        if call is not None and call.span == Span(statement.span.first, statement.span.last - 1):
            yield statement, call


# --- What is missing --------------------------------------------------------------------------------


@_operator("check dropped")
def _check_dropped(source: Source, function: Function, world: World) -> Iterator[Edit]:
    """``if ( bad ) return -E;`` gone, or only the first or the last of what it asks."""
    for statement in function.walk():
        if statement.kind != "if" or statement.head is None or statement.otherwise is not None:
            continue
        if any(s.kind in ("return", "break", "goto") for s in statement.body[0].walk()):
            yield _stop(source, statement.span)


@_operator("condition part dropped")
def _part_dropped(source: Source, function: Function, world: World) -> Iterator[Edit]:
    for span in _conditions(source, function):
        parts = _split(source, span, ("&&", "||"))
        if len(parts) > 1:
            for gone in range(len(parts)):
                kept = [source.cut(p) for i, p in enumerate(parts) if i != gone]
                operator = source.tokens[parts[0].last + 1].text
                yield Edit(span, f" {operator} ".join(kept))


@_operator("guard dropped")
def _guard_dropped(source: Source, function: Function, world: World) -> Iterator[Edit]:
    """``if ( !rc ) step();`` becomes ``step();``."""
    for statement in function.walk():
        if statement.kind != "if" or statement.head is None or statement.otherwise is not None:
            continue
        inner = statement.body[0]
        if inner.kind in ("plain", "block"):
            yield Edit(statement.span, source.cut(inner.span))


@_operator("lock dropped")
def _lock_dropped(source: Source, function: Function, world: World) -> Iterator[Edit]:
    for statement, call in _plain_calls(source, function):
        if _LOCK.fullmatch(call.name):
            yield _stop(source, statement.span)


@_operator("unlock dropped")
def _unlock_dropped(source: Source, function: Function, world: World) -> Iterator[Edit]:
    for statement, call in _plain_calls(source, function):
        if _UNLOCK.fullmatch(call.name):
            yield _stop(source, statement.span)


@_operator("not given back")
def _not_given_back(source: Source, function: Function, world: World) -> Iterator[Edit]:
    for statement, call in _plain_calls(source, function):
        if _RELEASES.fullmatch(call.name) and not _UNLOCK.fullmatch(call.name):
            yield _stop(source, statement.span)


@_operator("call dropped")
def _call_dropped(source: Source, function: Function, world: World) -> Iterator[Edit]:
    for statement, call in _plain_calls(source, function):
        known = (_LOCK, _UNLOCK, _RELEASES)
        if not any(k.fullmatch(call.name) for k in known):
            yield _stop(source, statement.span)


@_operator("assignment dropped")
def _assignment_dropped(source: Source, function: Function, world: World) -> Iterator[Edit]:
    names = {d.at for d in function.declared}
    for statement in function.walk():
        if statement.kind != "plain" or any(i in names for i, _ in source.within(statement.span)):
            continue
        if _top_level(source, statement.span, ("=",)):
            yield _stop(source, statement.span)


@_operator("initialiser dropped")
def _initialiser_dropped(source: Source, function: Function, world: World) -> Iterator[Edit]:
    """Of a local variable, whole or one member of it."""
    for declared in function.declared:
        at = declared.at + 1
        if source.tokens[at].text != "=":
            continue
        value = at + 1
        if source.tokens[value].text != "{":
            last = value
            while source.tokens[last + 1].text not in (",", ";"):
                last = source.matching.get(last + 1, last + 1)
            yield Edit(Span(at, last), "")
            continue
        close = source.matching[value]
        yield Edit(Span(at, close), "")
        for member in source.listed(value + 1, close):
            name = source.tokens[member.first + 1].text
            if source.tokens[member.first].text == ".":
                yield Edit(member, f".{name} = 0")
        members = list(source.listed(value + 1, close))
        if len(members) > 1:
            for gone in range(len(members)):
                kept = ", ".join(source.cut(m) for i, m in enumerate(members) if i != gone)
                yield Edit(Span(value, close), f"{{ {kept} }}")


@_operator("copy dropped")
def _copy_dropped(source: Source, function: Function, world: World) -> Iterator[Edit]:
    """A copy to or from the guest that does not take place."""
    for call in source.calls(function.span):
        if not function.macro and (_COPY_IN.fullmatch(call.name) or _COPY_OUT.fullmatch(call.name)):
            yield Edit(call.span, "0")


@_operator("stac or clac dropped")
def _access_dropped(source: Source, function: Function, world: World) -> Iterator[Edit]:
    for index, token in source.within(function.span):
        if token.text in ("STAC", "CLAC"):
            yield Edit(Span(index, index), '""')
        elif function.name in ("STAC", "CLAC") and token.text in ('"stac"', '"clac"'):
            other = '"clac"' if token.text == '"stac"' else '"stac"'
            yield Edit(Span(index, index), other)


@_operator("fault not caught")
def _fault_not_caught(source: Source, function: Function, world: World) -> Iterator[Edit]:
    """No entry in the exception table, or a fixup that tells nothing."""
    if not function.macro:
        return
    for call in source.calls(function.span):
        if call.name == "_ASM_EXTABLE":
            yield Edit(call.span, '""')
    for index, token in source.within(function.span):
        if token.kind == "string" and "movl %3, %0" in token.text:
            yield Edit(Span(index, index), token.text.replace("movl %3, %0", "nop"))


@_operator("falls through")
def _falls_through(source: Source, function: Function, world: World) -> Iterator[Edit]:
    """A case without its break or its return."""
    for statement in function.walk():
        if statement.kind != "switch":
            continue
        inner = statement.body[0].body
        for one, following in itertools.pairwise(inner):
            if one.kind == "break" and following.kind == "label":
                yield _stop(source, one.span)
            elif one.kind == "return" and following.kind == "label":
                yield Edit(Span(one.span.first, one.span.first), "")


@_operator("case dropped")
def _case_dropped(source: Source, function: Function, world: World) -> Iterator[Edit]:
    for statement in function.walk():
        if statement.kind != "switch":
            continue
        inner = statement.body[0].body
        for one, following in itertools.pairwise(inner):
            if one.kind == "label" and source.tokens[one.span.first].text == "case":
                end = following.span.last if following.kind == "return" else one.span.last
                yield Edit(Span(one.span.first, end), "")


# --- What is wrong ----------------------------------------------------------------------------------


@_operator("condition negated")
def _condition_negated(source: Source, function: Function, world: World) -> Iterator[Edit]:
    for span in _conditions(source, function):
        yield Edit(span, f"!( {source.cut(span)} )")


@_operator("error code lost")
def _error_lost(source: Source, function: Function, world: World) -> Iterator[Edit]:
    for statement in function.walk():
        if statement.kind == "return" and statement.span.last - statement.span.first == 2:
            at = statement.span.first + 1
            if _RESULT.fullmatch(source.tokens[at].text):
                yield Edit(Span(at, at), "0")
    for index, token in source.within(function.span):
        if _ERRNO.fullmatch(token.text) and source.tokens[index - 1].text == "-":
            yield Edit(Span(index - 1, index), "0")
    for statement, _ in _assigned_results(source, function):
        value = Span(statement.span.first + 2, statement.span.last)
        if source.tokens[value.first + 1].text == "(":
            yield Edit(Span(statement.span.first, statement.span.first + 1), "")


@_operator("error code wrong")
def _error_wrong(source: Source, function: Function, world: World) -> Iterator[Edit]:
    for index, token in source.within(function.span):
        if token.text in _ERROR_SWAP and source.tokens[index - 1].text == "-":
            yield Edit(Span(index, index), _ERROR_SWAP[token.text])
            yield Edit(Span(index - 1, index), token.text)


@_operator("off by one")
def _off_by_one(source: Source, function: Function, world: World) -> Iterator[Edit]:
    for index, token in source.within(function.span):
        for other in _RELATED.get(token.text, ()):
            yield Edit(Span(index, index), other)
        if token.kind == "number" and not function.macro and token.text.isdigit():
            yield Edit(Span(index, index), str(int(token.text) + 1))
    for statement in function.walk():
        if statement.kind == "for" and statement.head is not None:
            parts = _split(source, statement.head, (";",))
            if len(parts) == 3:
                head = "; ".join(source.cut(part) for part in parts[:2])
                yield Edit(
                    statement.head, f"{head}; {source.cut(parts[2])}, {source.cut(parts[2])}"
                )


@_operator("wrong operator")
def _wrong_operator(source: Source, function: Function, world: World) -> Iterator[Edit]:
    if function.macro:
        return
    for index, token in source.within(function.span):
        before = source.tokens[index - 1]
        binary = before.kind in ("name", "number") or before.text in (")", "]")
        if binary and before.text not in ("return", "case"):
            for other in _OTHER.get(token.text, ()):
                yield Edit(Span(index, index), other)


@_operator("wrong constant")
def _wrong_constant(source: Source, function: Function, world: World) -> Iterator[Edit]:
    """One of the same family (``EVTCHNOP_send`` for ``EVTCHNOP_close``), or true for false."""
    for index, token in source.within(function.span):
        if token.text in ("true", "false"):
            yield Edit(Span(index, index), "false" if token.text == "true" else "true")
        for other in world.families.get(token.text, ())[:2]:
            yield Edit(Span(index, index), other)


@_operator("argument swapped")
def _argument_swapped(source: Source, function: Function, world: World) -> Iterator[Edit]:
    for call in source.calls(function.span):
        for one, other in zip(call.arguments, call.arguments[1:], strict=False):
            first, second = source.cut(one), source.cut(other)
            if first != second:
                yield Edit(Span(one.first, other.last), f"{second}, {first}")


@_operator("wrong variable")
def _wrong_variable(source: Source, function: Function, world: World) -> Iterator[Edit]:
    """Another variable of a type that the compiler takes without a word."""
    types = {d.name: _kind(d.type) for d in function.declared}
    for index, token in source.within(function.span):
        if (
            token.kind != "name"
            or token.text not in types
            or any(d.at == index for d in function.declared)
            or source.tokens[index - 1].text in (".", "->")
        ):
            continue
        for name, kind in types.items():
            if name != token.text and kind == types[token.text]:
                yield Edit(Span(index, index), name)


@_operator("wrong field")
def _wrong_field(source: Source, function: Function, world: World) -> Iterator[Edit]:
    types = {d.name: d.type.removesuffix(" *") for d in function.declared}
    for index, token in source.within(function.span):
        if token.text not in (".", "->") or index + 1 > function.span.last:
            continue
        name = source.tokens[index + 1].text
        owner = source.tokens[index - 1].text
        fields = world.fields.get(types.get(owner, ""), {})
        if name not in fields and owner in (")", "{", ","):
            fields = next((f for f in world.fields.values() if name in f), {})
        kind = _kind(fields.get(name, ""))
        others = [f for f, t in fields.items() if f != name and kind and _kind(t) == kind]
        for other in others[:2]:
            yield Edit(Span(index + 1, index + 1), other)


@_operator("wrong size")
def _wrong_size(source: Source, function: Function, world: World) -> Iterator[Edit]:
    """Too many or too few of what is copied, the size of the pointer for that of what it points to."""
    for call in source.calls(function.span):
        if not (_COPY_IN.fullmatch(call.name) or _COPY_OUT.fullmatch(call.name)):
            continue
        last = call.arguments[-1]
        size = source.cut(last)
        if size == "1":
            yield Edit(last, "0")
            yield Edit(last, "2")
        elif "sizeof" in size:
            yield Edit(last, f"{size} / 2")
            yield Edit(last, f"{size} * 2")
    for index, token in source.within(function.span):
        if token.text == "sizeof" and source.tokens[index + 1].text == "(":
            inner = Span(index + 2, source.matching[index + 1] - 1)
            if source.tokens[inner.first].text == "*":
                yield Edit(inner, source.cut(Span(inner.first + 1, inner.last)))
            else:
                yield Edit(inner, "void *")


@_operator("type narrowed")
def _type_narrowed(source: Source, function: Function, world: World) -> Iterator[Edit]:
    """Of a local variable, of a parameter, or of a cast."""
    for declared in function.declared:
        narrow = _NARROWER.get(declared.type)
        words = len(declared.type.split())
        before = Span(declared.at - words, declared.at - 1)
        if narrow is not None and source.plain(before) == declared.type:
            yield Edit(before, narrow)
    for index, token in source.within(function.span):
        close = source.matching.get(index, 0) if token.text == "(" else 0
        if close > index + 1:
            narrow = _NARROWER.get(source.plain(Span(index + 1, close - 1)))
            if narrow is not None:
                yield Edit(Span(index + 1, close - 1), narrow)


@_operator("guest's pointer handed on")
def _pointer_handed_on(source: Source, function: Function, world: World) -> Iterator[Edit]:
    """L0 is given where the guest's structure is instead of the copy of it."""
    handles = [d.name for d in function.declared if "HANDLE" in d.type]
    for call in source.calls(function.span):
        if not handles or "hypercall" not in call.name or len(call.arguments) < 2:
            continue
        second = call.arguments[1]
        if source.tokens[second.first].text == "&":
            yield Edit(second, f"{handles[0]}.p")


# --- What comes at the wrong time -------------------------------------------------------------------


@_operator("early return")
def _early_return(source: Source, function: Function, world: World) -> Iterator[Edit]:
    """Out in front of a step that must still be done: an unlock, the last return's call."""
    results = [d.name for d in function.declared if _RESULT.fullmatch(d.name)]
    if not results:
        return
    for statement, call in _plain_calls(source, function):
        if _UNLOCK.fullmatch(call.name):
            yield Edit(
                statement.span,
                f"if ( {results[0]} ) return {results[0]}; {source.cut(statement.span)}",
            )
    for statement in function.walk():
        if statement.kind == "return" and statement.span.last > statement.span.first + 2:
            values = Span(statement.span.first + 1, statement.span.last - 1)
            if any(t.text == results[0] for _, t in source.within(values)):
                yield Edit(values, results[0])


@_operator("steps in the wrong order")
def _wrong_order(source: Source, function: Function, world: World) -> Iterator[Edit]:
    names = {d.at for d in function.declared}
    for block in _blocks(function):
        for one, other in itertools.pairwise(block):
            span = Span(one.span.first, other.span.last)
            declares = any(i in names for i, _ in source.within(span))
            kinds = {one.kind, other.kind}
            names_both = {source.tokens[s.span.first].text for s in (one, other)}
            if (
                not declares
                and kinds <= {"plain", "if"}
                and "plain" in kinds
                and not names_both & set(SILENT)
            ):
                yield Edit(span, f"{source.cut(other.span)} {source.cut(one.span)}")


@_operator("loop ends too early")
def _loop_cut(source: Source, function: Function, world: World) -> Iterator[Edit]:
    for statement in function.walk():
        if statement.kind == "for" and statement.head is not None:
            parts = _split(source, statement.head, (";",))
            if len(parts) == 3:
                body = statement.body[0].span
                yield Edit(body, f"{{ {source.cut(body)} break; }}")
                first = source.cut(parts[0])
                number = re.search(r"\b\d+$", first)
                if number is not None:
                    yield Edit(parts[0], f"{first[: number.start()]}{int(number[0]) + 1}")


# --- Helpers ----------------------------------------------------------------------------------------


def _conditions(source: Source, function: Function) -> Iterator[Span]:
    """What is asked by if, while, for and ``? :``."""
    for statement in function.walk():
        if statement.head is None:
            continue
        if statement.kind in ("if", "while"):
            yield statement.head
        elif statement.kind == "for":
            parts = _split(source, statement.head, (";",))
            if len(parts) == 3:
                yield parts[1]
    for index, token in source.within(function.span):
        if token.text == "?" and source.tokens[index + 1].text != ":":
            first = _expression_before(source, function, index)
            if first is not None:
                yield Span(first, index - 1)
    for statement in function.walk():
        if statement.kind == "return" and _top_level(source, statement.span, ("&&", "||")):
            yield Span(statement.span.first + 1, statement.span.last - 1)


def _expression_before(source: Source, function: Function, index: int) -> int | None:
    """Where the condition of a ``?`` begins."""
    opening = {close: open_ for open_, close in source.matching.items()}
    at = index - 1
    while at >= function.span.first:
        text = source.tokens[at].text
        if text in (",", ";", "(", "[", "{", "=", "return", "?", ":"):
            return at + 1 if at + 1 < index else None
        at = opening.get(at, at) - 1
    return None


def _split(source: Source, span: Span, marks: tuple[str, ...]) -> list[Span]:
    """The parts of a span between top-level marks; of mixed ones only the first kind."""
    at = _top_level(source, span, marks)
    kinds = {source.tokens[i].text for i in at}
    if len(kinds) != 1:
        return [span]
    borders = [span.first - 1, *at, span.last + 1]
    pairs = itertools.pairwise(borders)
    return [Span(a + 1, b - 1) for a, b in pairs if b - 1 >= a + 1]


def _top_level(source: Source, span: Span, marks: tuple[str, ...]) -> list[int]:
    found = []
    index = span.first
    while index <= span.last:
        if source.tokens[index].text in marks:
            found.append(index)
        index = source.matching.get(index, index) + 1
    return found


def _assigned_results(source: Source, function: Function) -> Iterator[tuple[Statement, str]]:
    """Statements ``rc = ...;``."""
    for statement in function.walk():
        first = statement.span.first
        if (
            statement.kind == "plain"
            and statement.span.last > first + 2
            and _RESULT.fullmatch(source.tokens[first].text)
            and source.tokens[first + 1].text == "="
        ):
            yield statement, source.tokens[first].text


def _blocks(function: Function) -> Iterator[tuple[Statement, ...]]:
    yield function.statements
    for statement in function.walk():
        if statement.kind == "block":
            yield statement.body


def _kind(type_name: str) -> str:
    """Types that go for one another without a warning."""
    if type_name.endswith("*") or not type_name:
        return type_name
    if type_name.startswith(("struct", "XEN_GUEST", "compat_handle")) or "[" in type_name:
        return type_name
    return "bool" if type_name == "bool" else "integer"
