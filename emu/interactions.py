# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything that a core asks of its world, numbered, so that each can be made to fail.

A call into L0, a model that may fail, a guest access: in the order of their happening.  Exploration
then makes the k-th of them fail, at both levels of emulation.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from emu import abi
from emu.findings.invariant import Invariant

MAX_INTERACTIONS = 10_000


class Crash(Exception):
    """The core cannot go on: ``invariant`` it broke, and how; ``deliberate`` where it stopped by itself."""

    def __init__(self, invariant: Invariant, message: str, deliberate: bool = False) -> None:
        super().__init__(invariant, message, deliberate)
        self.invariant = invariant
        self.message = message
        self.deliberate = deliberate


@dataclass(frozen=True, slots=True)
class Interaction:
    """One point at which the world may fail; ``legal`` when a real one might fail there."""

    kind: str
    legal: bool
    ignorable: bool = False
    """The caller may go on as if nothing had happened."""
    errno: int = 0
    """With which it failed."""


@dataclass(slots=True)
class Plan:
    """Which interactions are to fail: by their number, or the first of a kind."""

    numbers: frozenset[int] = frozenset()
    kinds: tuple[str, ...] = ()
    errno: int | None = None
    armed: bool = True
    """Off during the calls that only prepare the ground."""
    ignorable: bool = False
    """Whether the callee that is running now may fail without its caller's caring."""
    seen: list[Interaction] = field(default_factory=list)
    injected: list[Interaction] = field(default_factory=list)

    @property
    def possible(self) -> bool:
        """Whether nothing failed that a real world cannot let fail: after that, to stop is right."""
        return all(interaction.legal for interaction in self.injected)

    def fails(self, kind: str, legal: bool = True, errno: int = abi.ERRNO["EINVAL"]) -> int:
        """0, or the errno with which this interaction is to fail."""
        if not self.armed:
            return 0
        number = len(self.seen)
        if number >= MAX_INTERACTIONS:
            raise Crash(Invariant.BUDGET, f"more than {MAX_INTERACTIONS} interactions")
        interaction = Interaction(kind, legal, self.ignorable)
        self.seen.append(interaction)
        wanted = number in self.numbers
        if not wanted and kind in self.kinds:
            wanted = all(i.kind != kind for i in self.injected)
        if not wanted:
            return 0
        self.injected.append(Interaction(kind, legal, self.ignorable, self.errno or errno))
        return self.errno or errno
