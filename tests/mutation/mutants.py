# SPDX-License-Identifier: GPL-2.0-or-later
"""From operators to mutants: named, without doubles, and the same ones every time."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.mutation.operators import OPERATORS, SILENT, Edit, World
from tests.mutation.source import Source

_STRUCT = re.compile(r"\bstruct\s+(\w+)\s*\{([^{}]*)\}", re.DOTALL)
_MEMBER = re.compile(r"([\w\s]+?[\s*]+)(\w+(?:\s*,\s*\w+)*)\s*;")
_CONSTANT = re.compile(r"^[ \t]*#[ \t]*define[ \t]+([A-Za-z_]\w*)[ \t]+\S", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed file.  ``name`` is operator, function and number within them."""

    name: str
    operator: str
    path: str
    line: int
    before: str
    after: str
    text: str

    @property
    def change(self) -> str:
        """What was made of what, on one line."""
        return f"{_shortened(self.before)} => {_shortened(self.after)}"


def mutants(sources: Sequence[Source], world: World) -> Iterator[Mutant]:
    """Every mutant of every function; a text that two operators make is taken once."""
    for source in sources:
        seen = {source.text}
        for function in source.functions:
            silent = [c.span for c in source.calls(function.span) if c.name in SILENT]
            for operator, make in OPERATORS.items():
                number = 0
                for edit in make(source, function, world):
                    inner = edit.span
                    if any(s.first <= inner.first and inner.last <= s.last for s in silent):
                        continue
                    text = changed(source, edit)
                    if text in seen:
                        continue
                    seen.add(text)
                    number += 1
                    yield Mutant(
                        f"{operator}: {function.name} {number}",
                        operator,
                        source.path,
                        source.line(edit.span.first),
                        source.cut(edit.span),
                        edit.text,
                        text,
                    )


def select(found: Sequence[Mutant], limit: int | None) -> list[Mutant]:
    """``limit`` of them: operators in turn, and within each its functions in turn."""
    if limit is None or len(found) <= limit:
        return list(found)
    turns: Counter[tuple[str, str]] = Counter()
    rounds: Counter[tuple[str, int]] = Counter()
    ranked = []
    for index, mutant in enumerate(found):
        function = mutant.name.rpartition(" ")[0]
        turn = turns[mutant.operator, function]
        turns[mutant.operator, function] += 1
        place = rounds[mutant.operator, turn]
        rounds[mutant.operator, turn] += 1
        ranked.append((turn, place, index))
    by_operator: Counter[str] = Counter()
    order = []
    for _, _, index in sorted(ranked):
        operator = found[index].operator
        order.append((by_operator[operator], index))
        by_operator[operator] += 1
    return [found[index] for index in sorted(index for _, index in sorted(order)[:limit])]


def draw(found: Sequence[Mutant], limit: int | None, seed: int) -> list[Mutant]:
    """``limit`` of them, each as likely as another; in the order of the source."""
    if limit is None or len(found) <= limit:
        return list(found)
    chosen = sorted(random.Random(seed).sample(range(len(found)), limit))
    return [found[index] for index in chosen]


def world_of(texts: Sequence[str]) -> World:
    """Structures and constants that the headers define."""
    fields: dict[str, Mapping[str, str]] = {}
    families: dict[str, tuple[str, ...]] = {}
    for text in texts:
        code = _COMMENT.sub("", text)
        for name, body in _STRUCT.findall(code):
            fields[f"struct {name}"] = _members(body)
        names = _CONSTANT.findall(code)
        for name in names:
            prefix = name.split("_")[0] + "_"
            same = [n for n in names if n != name and n.startswith(prefix) and "_" in name]
            at = names.index(name)
            families[name] = tuple(sorted(same, key=lambda n: abs(names.index(n) - at)))
    return World(fields, families)


def _members(body: str) -> dict[str, str]:
    found = {}
    for type_name, names in _MEMBER.findall(body):
        for name in names.split(","):
            found[name.strip()] = _SPACES.sub(" ", type_name).strip()
    return found


def changed(source: Source, edit: Edit) -> str:
    """The text after an edit."""
    start, end = source.tokens[edit.span.first].start, source.tokens[edit.span.last].end
    lost = source.text.count("\n", start, end) - edit.text.count("\n")
    # Lines keep their numbers: they stand in debug information and in the frames of BUG().
    return source.text[:start] + edit.text + "\n" * max(lost, 0) + source.text[end:]


def _shortened(text: str, most: int = 90) -> str:
    flat = _SPACES.sub(" ", text).strip() or "nothing"
    return flat if len(flat) <= most else flat[: most - 3] + "..."
