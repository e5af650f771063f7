# SPDX-License-Identifier: GPL-2.0-or-later
"""What validation says of a step, as values."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Any

from msgspec import Struct

from series.model import Oid

IDLE = "ran, but changed no file"
"""The summary of a build command that has built nothing."""


class State(Enum):
    """The answer of one validator to one step."""

    PASSED = "passed"
    FAILED = "failed"
    CANNOT_TELL = "could not be judged"
    ABSENT = "not there yet"
    """What is to be validated does not exist at this step."""


class Validator(StrEnum):
    """Who judges a step."""

    BUILD = "build"
    OBJECT = "object"
    """The core, call by call."""
    BOOT = "boot"
    """The linked image."""
    BEHAVIOUR = "behaviour"
    """What an earlier step could do and this one cannot."""


class Verdict(Struct, frozen=True):
    """One validator's answer.  ``lines`` say why: the compiler's words, the findings."""

    validator: Validator
    state: State
    summary: str
    lines: tuple[str, ...] = ()
    seconds: float = 0.0
    cached: bool = False
    data: dict[str, Any] | None = None
    """What the validator found, in full, for ``--json``."""
    how: str = ""
    """How the verdict was reached: the commands that were run, why it was the full build."""

    @property
    def failed(self) -> bool:
        """True when the validator found the step wanting."""
        return self.state is State.FAILED


class StepVerdict(Struct, frozen=True):
    """All verdicts on one step."""

    number: int
    commit: Oid
    subject: str
    verdicts: tuple[Verdict, ...]

    @property
    def failed(self) -> bool:
        """True when a validator found the step wanting."""
        return any(verdict.failed for verdict in self.verdicts)

    @property
    def state(self) -> State:
        """The worst of the answers; a validator that had nothing to look at does not count."""
        for state in (State.FAILED, State.CANNOT_TELL, State.PASSED):
            if any(verdict.state is state for verdict in self.verdicts):
                return state
        return State.ABSENT

    @property
    def seconds(self) -> float:
        """Time spent, none for what came from the cache."""
        return sum(verdict.seconds for verdict in self.verdicts if not verdict.cached)

    def explain(self, most: int = 12) -> str:
        """Why it failed, or could not be judged: for a person."""
        out: list[str] = []
        for verdict in self.verdicts:
            if verdict.state in (State.FAILED, State.CANNOT_TELL):
                out.append(f"  {verdict.validator}: {verdict.summary}")
                out += [f"    {line}" for line in verdict.lines[:most]]
                if len(verdict.lines) > most:
                    out.append(f"    ... and {len(verdict.lines) - most} more lines")
        return "\n".join(out)
