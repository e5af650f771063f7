# SPDX-License-Identifier: GPL-2.0-or-later
"""A suspend loses nothing.

Public sched.h, SCHEDOP_shutdown with SHUTDOWN_suspend: it "returns 1 if suspend was cancelled or the
domain was merely checkpointed, and 0 if it is resuming in a new domain".  A suspend that was cancelled
has not happened.  A new domain has its memory alone, so what the image had asked of L0 for itself it has to
ask for again; ports and mapped frames are its guest's affair, who knows that they are gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from emu.findings.invariant import Invariant
from emu.rules.base import Broken, Rule

SUSPEND = "SCHEDOP_shutdown"
RESUMED, CANCELLED = 0, 1
"""What L0 answers."""


class Standing(Protocol):
    """How a domain stands: each thing in words, with its state."""

    @property
    def own(self) -> Mapping[str, str]:
        """What the image has set up for itself."""

    @property
    def other(self) -> Mapping[str, str]:
        """What a new domain does not have."""

    @property
    def rights(self) -> Sequence[str]:
        """To what a new domain does not have."""


@dataclass(frozen=True, slots=True)
class Suspension:
    """A suspend that came back."""

    answer: int
    before: Standing
    after: Standing


class Suspends(Protocol):
    @property
    def suspension(self) -> Suspension | None:
        """None where there was none, or where it did not come back as it may."""


class StateKept(Rule[Suspends]):
    name = Invariant.SUSPEND
    reason = (
        "who comes back from a suspend goes on as before: nothing tells him what to ask for again"
    )

    def check(self, seen: Suspends) -> Iterator[Broken]:
        suspension = seen.suspension
        if suspension is None:
            return
        before, after = suspension.before, suspension.after
        if suspension.answer == CANCELLED:
            for old, new in ((before.own, after.own), (before.other, after.other)):
                yield from map(Broken, _changed(old, new))
            return
        for what in before.own:
            if what not in after.own:
                yield Broken(f"{what} is not set up again after a suspend")
        for what in after.rights:
            yield Broken(f"the guest keeps {what} after a suspend, and what it was for is gone")


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for what in dict.fromkeys((*old, *new)):
        if old.get(what) != new.get(what):
            was, now = old.get(what, "not there"), new.get(what, "not there")
            yield f"{what} was {was}, and is {now} after a cancelled suspend"
