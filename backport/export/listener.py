# SPDX-License-Identifier: GPL-2.0-or-later
"""Gathers what a run tells while it goes on, so that one which fails leaves a record of its steps, too."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from backport.errors import BackportError
from backport.export.run_record import Fortune, Place, RunRecord, StepRecord, Trouble, fortune_of
from backport.run.journal import RunState
from backport.run.request import Progress, Result
from backport.run.steps import Step
from backport.verdicts import State, StepVerdict
from series.model import Oid, Patch, escaped, shown

if TYPE_CHECKING:  # the prover's whole room, which a run without validation does not need
    from backport.run.checks import Checked, Staged
    from backport.validate.staged import Complaint


class Listener:
    """A `Progress` that hands everything on to another one and remembers it."""

    def __init__(self, behind: Progress) -> None:
        self._behind = behind
        self._begun = time.monotonic()
        self.total = 0
        self.steps: dict[int, tuple[str, Step, Oid | None]] = {}
        self.verdicts: dict[int, StepVerdict] = {}
        self.notes: list[str] = []

    def phase(self, name: str, total: int) -> None:
        """Handed on."""
        self._behind.phase(name, total)

    def step(self, number: int, total: int, patch: Patch, step: Step) -> None:
        """A patch has been dealt with."""
        self.total = total
        self.steps[number] = (shown(patch.subject), step, patch.commit)
        self._behind.step(number, total, patch, step)

    def under_way(self, number: int, total: int, subject: str, what: str) -> None:
        """Handed on."""
        self._behind.under_way(number, total, subject, what)

    def verdict(self, number: int, total: int, verdict: StepVerdict) -> None:
        """A step has been validated; the last answer counts."""
        self.verdicts[number] = verdict
        self._behind.verdict(number, total, verdict)

    def note(self, text: str) -> None:
        """Something that the user should know."""
        self.notes.append(escaped(text))
        self._behind.note(text)

    @property
    def seconds(self) -> float:
        """Since it began to listen."""
        return time.monotonic() - self._begun


def finished(heard: Listener, result: Result) -> RunRecord:
    """A run that came to its end."""
    state, finals = result.state, result.state.finals
    verdicts = {verdict.commit: verdict for verdict in result.verdicts}
    steps = tuple(
        _step(
            number,
            subject,
            replace(step, commit=finals[step.commit] if step.commit else None),
            verdicts.get(step.commit) if step.commit else None,
            heard.steps[number][2] if number in heard.steps else None,
        )
        for number, (step, subject) in enumerate(zip(state.steps, result.subjects, strict=True), 1)
    )
    return RunRecord(
        "apply",
        state.target.removeprefix("refs/heads/"),
        steps,
        state.onto,
        state.end,
        result.proven,
        heard.seconds,
        notes=(*map(escaped, result.plan.notes), *heard.notes),
        asked=bool(result.verdicts),
    )


def stopped(
    heard: Listener,
    branch: str,
    before: RunState | None,
    after: RunState | None,
    error: BackportError,
) -> RunRecord:
    """A run that ended early: ``before`` is its journal as it was, ``after`` as it is now, if any."""
    steps: list[StepRecord] = []
    state = after or before
    for number, step in enumerate(state.steps if state is not None else (), 1):
        if number not in heard.steps:
            verdict = heard.verdicts.get(number)
            subject = verdict.subject if verdict is not None else str(step.item)
            steps.append(_step(number, subject, step, verdict))
    for number, (subject, step, origin) in heard.steps.items():
        steps.append(_step(number, subject, step, heard.verdicts.get(number), origin))
    clash = after.clash if after is not None else None
    if clash is not None:
        troubles = tuple(
            Trouble(None, State.FAILED, "conflict", reason, place=Place(path))
            for path, reason in clash.clashes
        )
        troubles += tuple(Trouble(None, State.FAILED, "doubt", why) for why in clash.doubts)
        steps.append(
            StepRecord(
                len(steps) + 1,
                f"the patch that the run stopped on ({clash.item})",
                Fortune.STOPPED,
                error.message.partition("\n")[0],
                troubles=troubles,
            )
        )
    total = max(heard.total, len(state.items) if state is not None else 0)
    steps += [
        StepRecord(number, "", Fortune.NOT_REACHED) for number in range(len(steps) + 1, total + 1)
    ]
    target = state.target.removeprefix("refs/heads/") if state is not None else branch
    return RunRecord(
        "apply",
        target,
        tuple(steps),
        state.onto if state is not None else None,
        state.tip if state is not None else None,
        seconds=heard.seconds,
        error=error,
        notes=tuple(heard.notes),
        asked=bool(heard.verdicts),
    )


def checked(name: str, done: Checked, seconds: float, *, asked: bool = True) -> RunRecord:
    """Commits that were there already, each with its verdict, and what is wrong with patches in them.

    ``asked``: a commit without a verdict was not reached; else nothing is known of it.
    """
    unknown = Fortune.NOT_REACHED if asked else Fortune.CHECKED
    verdicts = {verdict.commit: verdict for verdict in done.verdicts}
    steps = tuple(
        StepRecord(
            target.number,
            target.subject,
            Fortune.CHECKED if target.commit in verdicts else unknown,
            commit=target.commit,
            verdict=verdicts.get(target.commit),
            troubles=tuple(_complaint(c) for oid, c in done.complaints if oid == target.commit),
        )
        for target in done.targets
    )
    tip = done.targets[-1].commit if done.targets else None
    asked = asked and bool(done.verdicts)
    return RunRecord("check", name, steps, None, tip, done.proven, seconds, asked=asked)


def checked_staged(done: Staged, seconds: float) -> RunRecord:
    """What is staged, as one step."""
    troubles = tuple(map(_complaint, done.looked.complaints))
    step = StepRecord(1, "what is staged", Fortune.CHECKED, troubles=troubles, verdict=done.verdict)
    asked = done.verdict is not None
    return RunRecord("check", "the index", (step,), proven=done.why, seconds=seconds, asked=asked)


def _complaint(complaint: Complaint) -> Trouble:
    place = Place(complaint.path)
    return Trouble(None, State.FAILED, "patch", escaped(complaint.what), place=place)


def _step(
    number: int,
    subject: str,
    step: Step,
    verdict: StepVerdict | None,
    origin: Oid | None = None,
) -> StepRecord:
    return StepRecord(
        number,
        subject,
        fortune_of(step),
        str(step.how),
        step.commit,
        tuple(map(escaped, step.notes)),
        verdict,
        origin=origin,
        pick_class=step.pick_class,
        doubts=tuple(map(escaped, step.doubts)),
    )
