# SPDX-License-Identifier: GPL-2.0-or-later
"""What a backtest found: a table a person reads, and rows for a program."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backport.backtest.course import Row
    from backport.backtest.engine import Answer
    from backport.backtest.tasks import LeftOut

FORMAT = 1
_COLUMNS = ("identical", "different", "doubt", "conflict")


def backtest_json(rows: Sequence[Row], left_out: Sequence[LeftOut]) -> dict[str, Any]:
    """A row a task, and the tasks that could not be done."""
    return {
        "format": FORMAT,
        "tasks": [
            {
                "branch": row.task.branch,
                "backport": row.task.backport,
                "upstream": row.task.upstream,
                **_answered(row.answer),
                "git": row.git.value,
                "ms": round(row.answer.seconds * 1000, 3),
                "day_old": _answered(row.old),
            }
            for row in rows
        ],
        "left_out": [
            {
                "branch": one.task.branch,
                "backport": one.task.backport,
                "upstream": one.task.upstream,
                "why": one.why,
            }
            for one in left_out
        ],
    }


def _answered(answer: Answer) -> dict[str, Any]:
    named = {True: "right", False: "wrong", None: None}
    return {
        "outcome": answer.outcome.value,
        "doubted": answer.doubted.value if answer.doubted is not None else None,
        "proposal": named[answer.proposal],
        "how": answer.how or answer.finer,
        "doubts": list(answer.doubts),
    }


def show_backtest(rows: Sequence[Row], left_out: Sequence[LeftOut]) -> None:
    """Print the table: per branch, in all, and beside git."""
    for line in lines(rows, left_out):
        print(line)


def lines(rows: Sequence[Row], left_out: Sequence[LeftOut]) -> Iterator[str]:
    """The lines of the table."""
    if not rows:
        yield "no backport could be done again"
    else:
        width = max(len("versions a day old"), *(len(row.task.branch) for row in rows))
        yield f"{'':{width}}  tasks" + "".join(f"{name:>18}" for name in _COLUMNS) + "   proposals"
        for branch in dict.fromkeys(row.task.branch for row in rows):
            some = [row.answer for row in rows if row.task.branch == branch]
            yield _line(branch, some, width)
        yield _line("all", [row.answer for row in rows], width)
        yield _line("versions a day old", [row.old for row in rows], width)
        merged = Counter(row.git.value for row in rows)
        yield f"{'git':{width}}  {len(rows):5}" + _cells(merged, len(rows))
        yield ""
        yield from _classes(rows)
        taken = statistics.median(row.answer.seconds for row in rows)
        yield f"engine: {taken * 1000:.1f} ms a task (median)"
    for why, count in Counter(one.why for one in left_out).most_common(8):
        yield f"left out: {count}: {why}"


def _line(name: str, answers: Sequence[Answer], width: int) -> str:
    counts = Counter(answer.outcome.value for answer in answers)
    right = sum(answer.proposal is True for answer in answers)
    wrong = sum(answer.proposal is False for answer in answers)
    cells = _cells(counts, len(answers))
    return f"{name:{width}}  {len(answers):5}{cells}   {right} right, {wrong} wrong"


def _cells(counts: Counter[str], whole: int) -> str:
    return "".join(
        f"{f'{counts[name]} ({100 * counts[name] / whole:.1f}%)':>18}" for name in _COLUMNS
    )


def _classes(rows: Iterable[Row]) -> Iterator[str]:
    """How each class of answers did."""
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        answer = row.answer
        if answer.outcome == "conflict":
            if answer.proposal is not None:
                name = "right" if answer.proposal else "wrong"
                counts.setdefault(f"proposal: {answer.finer}", Counter())[name] += 1
            continue
        real = answer.doubted or answer.outcome
        kind = "doubt" if answer.doubted is not None else "automatic"
        how = answer.how if answer.how in _WAYS else "as another branch has it"
        counts.setdefault(f"{kind}: {how}", Counter())[
            "right" if real == "identical" else "wrong"
        ] += 1
    for name, found in sorted(counts.items()):
        yield f"  {name:52} {found['right']:5} right {found['wrong']:4} wrong"
    yield ""


_WAYS = frozenset(
    (
        "exact",
        "already there",
        "merged",
        "merged with the branch's names",
        "merged line by line",
        "by context",
        "with fuzz",
    )
)
