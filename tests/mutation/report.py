# SPDX-License-Identifier: GPL-2.0-or-later
"""The score, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tests.mutation.judge import BY_COMPARISON, Fate, Judged


def lines(judged: Sequence[Judged], seconds: float) -> Iterator[str]:
    """Score, a table by operator, what killed, and the survivors with their reasons."""
    fates = Counter(one.fate for one in judged)
    counted = fates[Fate.KILLED] + fates[Fate.SURVIVED]
    yield (
        f"mutation score {score(judged):.1%}: {fates[Fate.KILLED]} of {counted} killed"
        f" ({len(judged)} mutants, {fates[Fate.EQUIVALENT]} equivalent,"
        f" {fates[Fate.NOT_COMPILED]} do not compile; {seconds:.0f} s)"
    )
    yield f"  {'operator':28} killed  survived  equivalent  uncompiled"
    for operator in sorted({one.mutant.operator for one in judged}):
        row = Counter(one.fate for one in judged if one.mutant.operator == operator)
        yield (
            f"  {operator:28} {row[Fate.KILLED]:6}  {row[Fate.SURVIVED]:8}"
            f"  {row[Fate.EQUIVALENT]:10}  {row[Fate.NOT_COMPILED]:10}"
        )
    levels = [one.levels for one in judged if one.levels is not None]
    if levels:
        first, second = (sum(level[n] for level in levels) for n in (0, 1))
        yield f"  alone: object level {first}, booted {second} of {counted}"
    killers = Counter(one.by for one in judged if one.fate is Fate.KILLED)
    beside = sum(killers[name] for name in BY_COMPARISON)
    yield f"  {beside} of the killed are seen only beside the original: {', '.join(BY_COMPARISON)}"
    yield "  killed by: " + ", ".join(f"{name} {count}" for name, count in killers.most_common())
    for one in judged:
        if one.fate is Fate.SURVIVED:
            mutant = one.mutant
            yield f"  survived: {mutant.name} ({mutant.path}:{mutant.line}): {mutant.change}"
            yield f"      {one.detail or 'not explained'}"


def score(judged: Sequence[Judged]) -> float:
    """Killed, of those that compile and are not equivalent."""
    killed = sum(one.fate is Fate.KILLED for one in judged)
    counted = killed + sum(one.fate is Fate.SURVIVED for one in judged)
    return killed / counted if counted else 1.0
