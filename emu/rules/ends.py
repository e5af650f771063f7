# SPDX-License-Identifier: GPL-2.0-or-later
"""No call may bring the domain down, neither at once nor when the guest calls again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from emu.findings.invariant import Invariant
from emu.rules.base import Broken, Call, Rule
from emu.spaces import LinearAddr


class End(NamedTuple):
    """How a call ended that did not come back."""

    kind: Invariant
    message: str
    address: LinearAddr
    report: str
    """The message, with what the image itself printed about it."""
    culprit: LinearAddr
    """Address of the BUG that led to it; else the same address."""


class Ends(Call, Protocol):
    """Whether the call came back, and a call after it."""

    @property
    def end(self) -> End | None:
        """None where the call came back."""

    @property
    def later_end(self) -> End | None:
        """None where the guest's next calls came back, or were not made."""


class Returns(Rule[Ends]):
    name = Invariant.CRASH
    reason = "no guest may bring down what it runs on"

    def check(self, seen: Ends) -> Iterator[Broken]:
        end = seen.end
        if end is None or seen.case.scenario.ends:
            return
        if end.kind is not Invariant.SHUTDOWN:
            yield Broken(f"the guest's call does not return: {end.message}", end.address)
        elif seen.plan.possible:  # after an impossible refusal, to stop is right
            yield Broken(f"the guest's call ends the domain: {end.report}", end.culprit)


class NextReturns(Rule[Ends]):
    name = Invariant.CRASH
    reason = "no guest may bring down what it runs on, with two calls no more than with one"

    def check(self, seen: Ends) -> Iterator[Broken]:
        end = seen.later_end
        if end is not None and end.kind is not Invariant.LOOP:
            yield Broken(f"the guest's next call ends the domain: {end.report}", end.culprit)


class NextLocks(Rule[Ends]):
    name = Invariant.LOCKS
    reason = "a lock that is held at return deadlocks the next caller"

    def check(self, seen: Ends) -> Iterator[Broken]:
        end = seen.later_end
        if end is not None and end.kind is Invariant.LOOP:
            yield Broken(f"the guest's next call does not return: {end.report}", end.culprit)


class Trapped(Call, Protocol):
    """The exceptions on the way."""

    def invalid_instructions(self) -> Iterable[LinearAddr]:
        """Addresses of the invalid instructions in the core's own code that it ran."""


class Traps(Rule[Trapped]):
    name = Invariant.TRAP
    reason = "an invalid instruction in the hypervisor is a BUG or a WARN"

    def check(self, seen: Trapped) -> Iterator[Broken]:
        for address in seen.invalid_instructions() if seen.plan.possible else ():
            yield Broken("an invalid instruction (BUG or WARN)", address)
