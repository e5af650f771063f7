# SPDX-License-Identifier: GPL-2.0-or-later
"""How far the run onto one branch came: its end, its patches and what stopped it, as rosters keep them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from backport.branches.roster import Cell, CellState, Ending, Outcome
from backport.errors import BackportError, ExitCode
from backport.run.journal import RunState
from backport.run.request import Result
from backport.run.steps import StepState


class Halt(Struct, frozen=True):
    """Why a branch that is not over has come no further."""

    error: str = ""
    hint: str = ""
    exit_code: int = 0


def outcome_of(result: Result) -> Outcome:
    """A run that has moved its branch, as the roster keeps it."""
    state = result.state
    return Outcome(
        Ending.MOVED,
        state.old,
        state.end,
        result.proven,
        cells=cells_of(state, result.subjects, result),
    )


_STATES: dict[StepState, CellState] = {
    StepState.APPLIED: CellState.APPLIED,
    StepState.RESOLVED: CellState.RESOLVED,
    StepState.ALREADY: CellState.ALREADY,
    StepState.SKIPPED: CellState.SKIPPED,
}


def cells_of(
    state: RunState, subjects: Sequence[str], result: Result | None = None
) -> tuple[Cell, ...]:
    """The patches of one branch, as far as its run has come; ``subjects`` are those of its items."""
    finals = state.finals
    said = {verdict.commit: verdict for verdict in (result.verdicts if result is not None else ())}
    found = []
    for number, (item, subject) in enumerate(zip(state.items, subjects, strict=True)):
        if number < len(state.steps):
            step = state.steps[number]
            verdict = said.get(step.commit) if step.commit else None
            lines = (
                tuple(
                    f"{one.validator}: {one.state.value}, {one.summary}" for one in verdict.verdicts
                )
                if verdict is not None
                else ()
            )
            commit = finals[step.commit] if step.commit else None
            found.append(
                Cell(
                    str(item),
                    subject,
                    _STATES[step.state],
                    str(step.how),
                    commit,
                    step.notes,
                    lines,
                )
            )
        elif state.clash is not None and number == len(state.steps):
            paths = ", ".join(path for path, _ in state.clash.clashes)
            doubts = "; ".join(state.clash.doubts)
            stands = CellState.DOUBT if doubts else CellState.CONFLICT
            found.append(Cell(str(item), subject, stands, doubts or f"in {paths}"))
        else:
            found.append(Cell(str(item), subject, CellState.OPEN))
    return tuple(found)


def halt_of(error: Exception) -> Halt:
    """An error as it is kept and shown."""
    code = error.exit_code if isinstance(error, BackportError) else ExitCode.USAGE
    hint = error.hint if isinstance(error, BackportError) else ""
    return Halt(str(error), hint, int(code))
