# SPDX-License-Identifier: GPL-2.0-or-later
"""A record for each branch of one command, in its order: a document without one would hide that branch.

Of a branch that this command has worked on it is what was heard; of others it is what the list of branches
has: what an earlier command came to, or that it waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from backport.branches.carrying import Carried
from backport.branches.endings import Halt
from backport.branches.roster import CellState, Ending, Part
from backport.errors import (
    BackportError,
    CannotTest,
    Conflict,
    ExitCode,
    MissingPrerequisite,
    StepFailed,
    UsageError,
)
from backport.export.run_record import Fortune, RunRecord, StepRecord
from series.model import escaped

_FORTUNES = {
    CellState.APPLIED: Fortune.APPLIED,
    CellState.RESOLVED: Fortune.RESOLVED,
    CellState.ALREADY: Fortune.ALREADY,
    CellState.SKIPPED: Fortune.SKIPPED,
    CellState.CONFLICT: Fortune.STOPPED,
    CellState.DOUBT: Fortune.STOPPED,
    CellState.OPEN: Fortune.NOT_REACHED,
}
_ERRORS: dict[int, type[BackportError]] = {
    ExitCode.FAILED: StepFailed,
    ExitCode.CONFLICT: Conflict,
    ExitCode.PREREQUISITE: MissingPrerequisite,
    ExitCode.CANNOT_TEST: CannotTest,
}


def branch_records(
    carried: Carried, heard: Mapping[str, RunRecord]
) -> Iterator[tuple[Part, RunRecord]]:
    """Newest first; ``heard`` are those of the branches that were worked on, by part."""
    for part in carried.roster.parts:
        record, halt = heard.get(part.part), carried.halts.get(part.part)
        if record is None:
            yield part, _unheard(part, halt)
        elif halt is not None and record.error is None:
            # Every step was proven, and then the branch could not be moved.
            yield part, replace(record, tip=record.onto, error=_error(halt))
        else:
            yield part, record


def _unheard(part: Part, halt: Halt | None) -> RunRecord:
    if halt is not None:
        return RunRecord("apply", part.short, (), error=_error(halt))
    over = part.result
    if over is None:
        return _not_reached(part, "not begun: it waits to be continued")
    if over.ending is Ending.DROPPED:
        return _not_reached(part, "dropped by an earlier command")
    steps = tuple(
        StepRecord(
            number,
            cell.subject,
            _FORTUNES[cell.state],
            cell.how,
            cell.commit,
            tuple(map(escaped, (*cell.notes, *cell.verdicts))),
        )
        for number, cell in enumerate(over.cells, 1)
    )
    failed = over.ending is Ending.FAILED
    error = _error(Halt(over.error, over.hint, over.exit_code)) if failed else None
    note = "an earlier command has worked on this branch"
    return RunRecord(
        "apply", part.short, steps, over.old, over.new, over.proven, error=error, notes=(note,)
    )


def _not_reached(part: Part, why: str) -> RunRecord:
    return RunRecord("apply", part.short, (StepRecord(1, "", Fortune.NOT_REACHED, why),))


def _error(halt: Halt) -> BackportError:
    return _ERRORS.get(halt.exit_code, UsageError)(halt.error, halt.hint)
