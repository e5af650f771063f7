# SPDX-License-Identifier: GPL-2.0-or-later
"""Times side by side: A B C, A B C, ..., so that a machine that drifts drifts for all of them."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Timed = Callable[[], float]
"""Does the work once and returns the seconds that count; making ready and cleaning up do not."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The seconds of one contestant, run by run."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The figure to quote."""
        return statistics.median(self.seconds)

    def ratio(self, other: Sample) -> float:
        """How many times as long as ``other``: the median of the ratios pair by pair."""
        return statistics.median(a / b for a, b in zip(self.seconds, other.seconds, strict=True))


def race(contestants: Mapping[str, Timed], runs: int) -> dict[str, Sample]:
    """Run each contestant in turn, ``runs`` rounds after one that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(runs + 1):
        for name, timed in contestants.items():
            taken = timed()
            if number:
                seconds[name].append(taken)
    return {name: Sample(name, tuple(taken)) for name, taken in seconds.items()}


def clocked(work: Callable[[], object]) -> float:
    """Seconds of wall time that ``work`` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def processor(work: Callable[[], object]) -> float:
    """Seconds of processor time that the processes took which ``work`` started and waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
