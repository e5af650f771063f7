# SPDX-License-Identifier: GPL-2.0-or-later
"""The ladder over the steps, and what each step changed, for a person.

One line a step, with its commit, as wide as the terminal; under it, where there is something to say, what
was gained (``+``), lost (``-``) or became otherwise (``~``).  A table of operations that is there for the
first time is folded: one line for all operations that are treated alike.  At the end the ladder once more,
with the step that first reached each milestone.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from backport.counted import counted
from backport.report.page import page_width
from backport.validate.behaviour import Seen
from emu.findings.ladder import Change, Kind

_CASES = 2
"""Told of each operation."""
_MANY = 4
"""More operations than that with the same to tell share a line."""
_INDENT = " " * 6
_ID = 12
"""Digits of a commit's id."""
_NARROWEST = 10
"""Columns for a subject, on any terminal."""
_SIGNS = {
    Kind.MILESTONE_GAINED: "+",
    Kind.MILESTONE_LOST: "-",
    Kind.NEW: "+",
    Kind.GONE: "-",
    Kind.FOUND: "!",
    Kind.CURED: "+",
}


def show_behaviour(steps: Sequence[Seen], *, every: bool = False) -> None:
    """A paragraph a step; steps without a visible change in one line."""
    width = page_width()
    for step in steps:
        rung = _rung(step)
        head = f"{step.number:>3}  {_id(step)}"
        room = max(_NARROWEST, width - len(head) - len(rung) - 4)
        print(f"{head}  {_cut(step.subject, room):<{room}}  {rung}".rstrip())
        if step.error:
            print(f"{_INDENT}{step.error}")
        if step.since is not None and step.since != step.number - 1 and step.changes:
            since = next((_id(s) for s in steps if s.number == step.since), "")
            line = f"against step {step.since} ({since}), the last before it that boots:"
            print(f"{_INDENT}{line}")
        for line in _told(step.changes, every):
            print(textwrap.fill(line, width, initial_indent=_INDENT, subsequent_indent=_INDENT * 2))
        if step.warning:
            print(f"{_INDENT}WARNING: {step.warning}")
    for line in _ladder(steps):
        print(line)


def _rung(step: Seen) -> str:
    if step.report is None:
        return step.state
    reached = [m.name for m in step.report.ladder if m.reached]
    return f"{len(reached)}/{len(step.report.ladder)} {reached[-1] if reached else ''}".rstrip()


def _told(changes: Sequence[Change], every: bool) -> list[str]:
    """What is the same for both kinds of guest is said once, of an operation its first cases, and
    operations that took the same turn together."""
    new = [change for change in changes if change.kind is Kind.NEW]
    folded = () if every or len(new) <= _MANY else new
    said: list[tuple[Change, str, str]] = []
    told: dict[str, int] = {}
    left = 0
    for change, text, modes in _once([change for change in changes if change not in folded]):
        operation = change.operation
        # A case that only needs another operation first says nothing of its own.
        if not every and operation and (told.get(operation, 0) >= _CASES or "not reached" in text):
            left += 1
            continue
        told[operation] = told.get(operation, 0) + 1
        said.append((change, text, modes))
    turns = Counter(_turn(change) for change, _, _ in said if change.operation)
    lines: list[str] = []
    for change, text, modes in said:
        turn = _turn(change)
        if not every and change.operation and turns[turn] > _MANY:
            alike = (c.operation for c, _, _ in said if c.operation and _turn(c) == turn)
            lines.append(f"~ {change.old} -> {change.new}: {', '.join(dict.fromkeys(alike))}")
            turns[turn] = -1
        elif turns[turn] >= 0:
            sign = _SIGNS.get(change.kind, "-" if change.worse else "~")
            lines.append(f"{sign} {text}{f' [{modes}]' if modes else ''}")
    lines += _fold(folded)
    return lines + ([f"  and {left} more cases of these operations (--all)"] if left else [])


def _turn(change: Change) -> tuple[Kind, str, str]:
    return change.kind, change.old, change.new


def _once(changes: Sequence[Change]) -> Iterator[tuple[Change, str, str]]:
    """Each change, its text, and the kinds of guest it is the same for."""
    said: dict[tuple[str, str], tuple[Change, list[str]]] = {}
    for change in changes:
        scenario, slash, mode = change.subject.rpartition("/")
        text = change.explain()
        if slash:
            text = text.replace(change.subject, scenario)
        modes = said.setdefault((change.operation, text), (change, []))[1]
        if slash:
            modes.append(mode)
    for (_, text), (change, modes) in said.items():
        yield change, text, ", ".join(modes)


def _fold(new: Sequence[Change]) -> Iterator[str]:
    """A table's first appearance: of each operation its first case, and those treated alike as one."""
    first: dict[str, str] = {}
    for change in new:
        first.setdefault(change.operation, change.new)
    for treatment in dict.fromkeys(first.values()):
        names = [name for name, how in first.items() if how == treatment]
        yield f"+ {treatment}: {', '.join(names)}"
    if len(new) > len(first):
        yield f"  {counted(len(new), 'case')} of {counted(len(first), 'operation')} (--all)"


def _ladder(steps: Sequence[Seen]) -> Iterator[str]:
    """When each milestone was first reached, and how many steps have no place on the ladder."""
    last = next((step.report for step in reversed(steps) if step.report), None)
    if last is None:
        return
    yield ""
    for milestone in last.ladder:
        first = next((s for s in steps if _has(s, milestone.name)), None)
        at = "never" if first is None else f"step {first.number}" if first.number else "the start"
        commit = "" if first is None else _id(first)
        lost = "" if milestone.reached or first is None else ", no longer at the end"
        yield f"{at:>10}  {commit:{_ID}}  {milestone.name}{lost}"
    states = Counter(step.state for step in steps)
    changed = sum(1 for step in steps if step.changes)
    said = ", ".join(f"{count} {state}" for state, count in states.most_common())
    change = "step changes" if changed == 1 else "steps change"
    yield f"{counted(len(steps), 'tree')}: {said}; {changed} {change} what the guest can see"


def _has(step: Seen, name: str) -> bool:
    return step.report is not None and any(m.name == name and m.reached for m in step.report.ladder)


def _id(step: Seen) -> str:
    return step.commit[:_ID]


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"
