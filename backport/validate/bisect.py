# SPDX-License-Identifier: GPL-2.0-or-later
"""Which patch broke it, and which one repairs it.

A binary search over steps whose answers are cached by content.  A series may break and be repaired
again, so good at both ends proves nothing: then the gaps are halved, widest first, until a failing
step turns up or every step has been tried.  What was not tried is said, not assumed.

Cost: log2(n) tests where the end fails, up to n where nothing does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from backport.counted import counted
from backport.verdicts import State

Test = Callable[[int], State]
"""Answers for step ``n`` of ``0..count``; 0 is the tree before the first patch."""


class Found(Struct, frozen=True):
    """``first_bad`` fails and ``last_good``, the nearest testable step before it, does not.

    ``untested`` are steps before ``last_good`` that were not tried, ``untestable`` lie between the
    two; where nothing fails, they are all steps that could not be tested.  ``repaired_by`` is the first
    step after the failing ones that is good again; None where the end fails, or cannot be tested.  It may as
    well be one of ``repair_untestable``, right before it, which could not be tested.  Of ``repair_untested``,
    between ``first_bad`` and it, nothing is known: it may be repaired, and fail again, there.
    """

    first_bad: int | None
    last_good: int | None
    repaired_by: int | None
    tested: int = 0
    untested: tuple[int, ...] = ()
    untestable: tuple[int, ...] = ()
    repair_untestable: tuple[int, ...] = ()
    repair_untested: tuple[int, ...] = ()
    end_fails: bool = False
    """The last step was tested, and fails."""

    @property
    def rests_on(self) -> tuple[int, ...]:
        """The steps by whose answers a patch is named; none where it is the branch itself that fails."""
        if not self.first_bad:
            return ()
        return (self.first_bad,) if self.last_good is None else (self.first_bad, self.last_good)


class _Steps:
    def __init__(self, count: int, test: Test, known: dict[int, State]) -> None:
        self.count = count
        self._test = test
        self.answers = dict(known)
        self.tested = 0

    def __call__(self, number: int) -> State:
        if number not in self.answers:
            self.answers[number] = self._test(number)
            self.tested += 1
        return self.answers[number]

    def good(self, number: int) -> bool:
        return self(number) in (State.PASSED, State.ABSENT)

    def bad(self, number: int) -> bool:
        return self(number) is State.FAILED


def search(count: int, test: Test, known: dict[int, State] | None = None) -> Found:
    """Find the first failing step of ``1..count``; ``known`` answers cost no test."""
    steps = _Steps(count, test, known or {})
    found = _search(steps)
    end = steps.answers.get(count)
    found = replace(found, tested=steps.tested, end_fails=end is State.FAILED)
    if found.first_bad is None or found.repaired_by is None:
        return found
    between = {n: steps.answers.get(n) for n in range(found.first_bad + 1, found.repaired_by)}
    failing = max((n for n, state in between.items() if state is State.FAILED), default=0)
    unclear = tuple(n for n, state in between.items() if n > failing and state is State.CANNOT_TELL)
    unseen = tuple(n for n, state in between.items() if state is None)
    return replace(found, repair_untestable=unclear, repair_untested=unseen)


def _search(steps: _Steps) -> Found:
    if steps.bad(0):
        return Found(0, None, _repair(steps, 0))
    bad = _some_bad(steps)
    if bad is None:
        known_good = max((n for n in steps.answers if steps.good(n)), default=None)
        unclear = (n for n, state in steps.answers.items() if n and state is State.CANNOT_TELL)
        left = _untested(steps, steps.count)
        return Found(None, known_good, None, untested=left, untestable=tuple(sorted(unclear)))
    good = max((n for n in range(bad) if n in steps.answers and steps.good(n)), default=0)
    good, bad = _narrow(steps, good, bad)
    if not steps.good(good):  # not even the start can be tested: nothing is known to be good
        return Found(bad, None, _repair(steps, bad), untestable=tuple(range(bad)))
    repaired_by, untested = _repair(steps, bad), _untested(steps, good)
    between = tuple(range(good + 1, bad))
    return Found(bad, good, repaired_by, untested=untested, untestable=between)


def _some_bad(steps: _Steps) -> int | None:
    failing = [n for n, state in steps.answers.items() if state is State.FAILED]
    if failing:
        return min(failing)
    if steps.count and steps.bad(steps.count):
        return steps.count
    while True:
        ends = sorted(steps.answers)
        gaps = [(b - a, a, b) for a, b in pairwise(ends) if b - a > 1]
        if not gaps:
            return None
        _, low, high = max(gaps, key=lambda gap: (gap[0], -gap[1]))
        middle = (low + high) // 2
        if steps.bad(middle):
            return middle


def _narrow(steps: _Steps, good: int, bad: int) -> tuple[int, int]:
    """Halve between a good and a bad step; steps that cannot be tested are walked around."""
    while True:
        middle = (good + bad) // 2
        around = sorted(range(good + 1, bad), key=lambda n: (abs(n - middle), n))
        for number in around:
            if steps.good(number):
                good = number
                break
            if steps.bad(number):
                bad = number
                break
        else:
            return good, bad


def _repair(steps: _Steps, bad: int) -> int | None:
    later = sorted(n for n, s in steps.answers.items() if n > bad and s is not State.FAILED)
    good = next((n for n in later if steps.good(n)), None)
    if good is None:
        if bad >= steps.count or not steps.good(steps.count):
            return None
        good = steps.count
    low = max(n for n, state in steps.answers.items() if n < good and state is State.FAILED)
    high = good
    while high - low > 1:
        middle = (low + high) // 2
        if steps.good(middle):
            high = middle
        else:
            low = middle
    return high


def _untested(steps: _Steps, end: int) -> tuple[int, ...]:
    return tuple(n for n in range(1, end) if n not in steps.answers)


def _one_of(steps: Sequence[int]) -> str:
    if len(steps) == 1:
        return f"step {steps[0]}"
    return f"one of the steps {', '.join(map(str, steps))}"


def describe(found: Found, subjects: Sequence[str], commits: Sequence[str] = ()) -> str:
    """The finding in words; ``subjects[n - 1]`` belongs to step n, and ``commits[n - 1]``."""

    def name(number: int) -> str:
        if number == 0:
            return "the branch itself"
        commit = f" {commits[number - 1][:12]}" if commits else ""
        return f"step {number} of {len(subjects)},{commit} {subjects[number - 1]!r},"

    if found.first_bad is None:
        left = f"; not tested: {counted(len(found.untested), 'step')}" if found.untested else ""
        said = f"no step fails ({found.tested} tested{left})"
        if found.untestable:
            which = ", ".join(map(str, found.untestable))
            said = f"no step that could be tested fails ({found.tested} tried{left}); not testable: {which}"
        return said
    lines = [f"{name(found.first_bad)} is the first that fails ({found.tested} tested)"]
    if found.first_bad == 0:
        lines = [f"the branch fails before any patch ({found.tested} tested)"]
    if found.untestable:
        lines = [
            f"the first that fails is {name(found.first_bad)} or {_one_of(found.untestable)}, which"
            " could not be tested"
        ]
    if found.untested:
        lines.append(
            f"{name(found.last_good or 0)} is good; not tested before it:"
            f" {counted(len(found.untested), 'step')} (--all tests every one)"
        )
    if found.repaired_by is not None:
        lines.append(f"repaired by {name(found.repaired_by).rstrip(',')}")
        if found.repair_untestable:
            lines[-1] += f", or by {_one_of(found.repair_untestable)}, which could not be tested"
        if found.repair_untested:
            lines.append(
                f"not tested between the two: {counted(len(found.repair_untested), 'step')}; it may be"
                " repaired and fail again there (--all tests every one)"
            )
    elif found.first_bad < len(subjects):
        unknown = "could not be tested, so whether it is repaired is open"
        lines.append(f"the last step {'fails as well' if found.end_fails else unknown}")
    return "\n".join(lines)
