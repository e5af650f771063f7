# SPDX-License-Identifier: GPL-2.0-or-later
"""How a run comes to its end other than at the guest, and the bounds of each run.

Every verdict depends on the image alone: a bound in time only says that it is time to look closer.
"""

from __future__ import annotations

from dataclasses import dataclass

from emu.findings.invariant import Invariant
from emu.spaces import LinearAddr


class Ended(Exception):
    """The image cannot go on: ``kind`` of end, what happened, at which address."""

    def __init__(self, kind: Invariant, message: str, address: LinearAddr) -> None:
        super().__init__(kind, message, address)
        self.kind = kind
        self.message = message
        self.address = address


class TooSlow(Exception):
    """The time was up: run it again, counted, for a verdict that is the same on every machine."""


class OutOfTime(Exception):
    """The time that the user gave is over, which says nothing about the image."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one run: ``seconds`` of the processor below, from a quarter of which on it is looked at closely;
    ``instructions`` where that was not enough; ``patience`` in seconds of the machine's own time."""

    seconds: float
    instructions: int
    patience: int


SLOWEST = 20
"""Times the seconds of a run: that long its instructions are counted, where each may be a trap that takes the
machine below a thousand times as long.  What is not done then could not be judged."""
BOOT = Bounds(seconds=6.0, instructions=150_000_000, patience=300)
"""A real boot takes about 60 million instructions and 0.2 seconds of its own time."""
CALL = Bounds(seconds=1.2, instructions=3_000_000, patience=60)
"""Of one hypercall; a panic that waits five seconds before it restarts takes half a million."""
