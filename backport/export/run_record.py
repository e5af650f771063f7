# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run, or a check of a range, came to: also where it stopped or failed, when no result exists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from backport.errors import BackportError, ExitCode
from backport.run.steps import PickClass, Step, StepState
from backport.verdicts import State, StepVerdict, Validator
from series.model import Oid


class Fortune(StrEnum):
    """What came of one patch, or of one commit that was checked."""

    APPLIED = "applied"
    ALREADY = "already there"
    RESOLVED = "resolved"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    """The run stopped at it."""
    CHECKED = "checked"
    """It was there before; nothing was applied."""
    NOT_REACHED = "not reached"


_FORTUNES = {
    StepState.APPLIED: Fortune.APPLIED,
    StepState.ALREADY: Fortune.ALREADY,
    StepState.RESOLVED: Fortune.RESOLVED,
    StepState.SKIPPED: Fortune.SKIPPED,
}


class Place(Struct, frozen=True):
    """A file of the tree, and a line in it where one is known."""

    path: str
    line: int | None = None
    column: int | None = None


class Trouble(Struct, frozen=True):
    """Something that is wrong with a step: who says so, what, and where in the tree."""

    validator: Validator | None
    """None: the patch did not go on."""
    state: State
    rule: str
    """What was broken: ``build``, an invariant, ``conflict``."""
    message: str
    lines: tuple[str, ...] = ()
    place: Place | None = None


class StepRecord(Struct, frozen=True):
    """One patch or commit: what came of it, how, and what its validation said."""

    number: int
    subject: str
    fortune: Fortune
    how: str = ""
    commit: Oid | None = None
    notes: tuple[str, ...] = ()
    verdict: StepVerdict | None = None
    troubles: tuple[Trouble, ...] = ()
    origin: Oid | None = None
    """The commit that the patch was read from, or names."""
    pick_class: PickClass | None = None
    """How far the pick may be trusted by itself; None where none went on by itself."""
    doubts: tuple[str, ...] = ()
    """Those of the notes that say why the result may be wrong for the branch."""

    @property
    def state(self) -> State | None:
        """The worst of its verdicts; None where nothing has judged it."""
        return self.verdict.state if self.verdict is not None else None


class RunRecord(Struct, frozen=True):
    """The whole of it.  ``error`` is what ended it before its end, None where it came there."""

    verb: str
    target: str
    steps: tuple[StepRecord, ...]
    onto: Oid | None = None
    tip: Oid | None = None
    proven: str = ""
    seconds: float = 0.0
    error: BackportError | None = None
    notes: tuple[str, ...] = ()
    asked: bool = False
    """Whether steps were to be validated."""

    @property
    def exit_code(self) -> int:
        """With which the command ends."""
        if self.error is not None:
            return int(self.error.exit_code)
        states = [step.state for step in self.steps]
        if State.FAILED in states or any(s.fortune is Fortune.STOPPED for s in self.steps):
            return int(ExitCode.FAILED)
        return int(ExitCode.CANNOT_TEST if State.CANNOT_TELL in states else ExitCode.DONE)

    @property
    def troubles(self) -> tuple[tuple[StepRecord, Trouble], ...]:
        """Everything that is wrong, step by step."""
        return tuple((step, trouble) for step in self.steps for trouble in step.troubles)


def fortune_of(step: Step) -> Fortune:
    """What came of an item of a run."""
    return _FORTUNES[step.state]


def with_troubles(record: RunRecord, find: Callable[[StepRecord], Sequence[Trouble]]) -> RunRecord:
    """The record with what is wrong with each step."""
    steps = (replace(s, troubles=(*s.troubles, *find(s))) for s in record.steps)
    return replace(record, steps=tuple(steps))
