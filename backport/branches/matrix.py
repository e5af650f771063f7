# SPDX-License-Identifier: GPL-2.0-or-later
"""Where each branch of a command stands, patch by patch: for the summary, ``status`` and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from backport.branches.endings import Halt, cells_of, halt_of
from backport.branches.roster import Cell, Ending, Part, Roster, RosterFile
from backport.errors import BackportError, ExitCode
from backport.gateway.repository import Repo
from backport.levels import Phase
from backport.planning.plan import Plan, combine
from backport.run.doubting import open_doubts
from backport.run.journal import RunState
from backport.run.refusals import unsettled_error
from backport.run.stop import Stop
from series.errors import SeriesError
from series.model import Oid, shown


class Standing(StrEnum):
    """Where one branch stands."""

    MOVED = "moved"
    FAILED = "failed"
    DROPPED = "dropped"
    STOPPED = "stopped"
    """On a conflict."""
    WAITS = "waits"
    """For a newer branch, or with ``--atomic`` for the others; or it was interrupted."""


class Column(Struct, frozen=True):
    """One branch: the ref that moves from ``old`` to ``new``, and its patches."""

    branch: str
    target: str
    standing: Standing
    old: Oid | None
    new: Oid | None
    cells: tuple[Cell, ...]
    proven: str = ""
    error: str = ""
    hint: str = ""
    exit_code: int = 0
    worktree: str | None = None
    stop: Stop | None = None
    doubts: tuple[str, ...] = ()
    """Why what it waits with may be wrong for the branch."""
    waits_for: str | None = None

    @property
    def is_bare(self) -> bool:
        """Whether the branch was made, and nothing was put on it."""
        made = self.standing is Standing.MOVED and self.old is None
        return made and not any(cell.commit for cell in self.cells)

    @property
    def short(self) -> str:
        """The branch that moves, for a person."""
        return self.target.removeprefix("refs/heads/")


class Matrix(Struct, frozen=True):
    """The branches, newest first, and how to publish those that have moved."""

    columns: tuple[Column, ...]
    atomic: bool
    push: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be continued."""
        return all(x.standing not in (Standing.STOPPED, Standing.WAITS) for x in self.columns)

    @property
    def exit_code(self) -> int:
        """Of the whole: 3 where a conflict waits; else what the newest branch that did not move came to."""
        if any(x.standing is Standing.STOPPED for x in self.columns):
            return ExitCode.CONFLICT
        return next((x.exit_code for x in self.columns if x.exit_code), ExitCode.DONE)


def look(repo: Repo, roster: Roster, halts: Mapping[str, Halt]) -> tuple[Column, ...]:
    """The columns of a roster; only what is on disk is read."""
    file = RosterFile(repo)
    found: list[Column] = []
    for part in roster.parts:
        if part.result is not None:
            found.append(_over(part))
            continue
        state = file.journal(part).read()
        halt = halts.get(part.part, Halt())
        newer = next(
            (
                one.branch
                for one in roster.parts[: roster.parts.index(part)]
                if not one.is_over and one.group == part.group
            ),
            None,
        )
        found.append(_open(repo, part, state, halt, newer if roster.waits else None))
    return tuple(found)


def _over(part: Part) -> Column:
    result = part.result
    assert result is not None
    standing = {
        Ending.MOVED: Standing.MOVED,
        Ending.FAILED: Standing.FAILED,
        Ending.DROPPED: Standing.DROPPED,
    }[result.ending]
    return Column(
        part.branch,
        part.target,
        standing,
        result.old,
        result.new,
        result.cells,
        result.proven,
        result.error,
        result.hint,
        result.exit_code,
    )


def _open(repo: Repo, part: Part, state: RunState | None, halt: Halt, newer: str | None) -> Column:
    if state is None:
        return Column(part.branch, part.target, Standing.DROPPED, None, None, ())
    stands = state.phase is Phase.STOPPED and state.clash is not None
    begun = state.phase is not Phase.PLAN
    subjects = _subjects(repo, state) if begun else ()
    doubts = open_doubts(state)
    if doubts and not stands and not halt.error:
        halt = halt_of(unsettled_error(state, subjects))
    return Column(
        part.branch,
        part.target,
        Standing.STOPPED if stands else Standing.WAITS,
        state.old,
        None,
        cells_of(state, subjects) if begun else (),
        error=halt.error,
        hint=halt.hint,
        exit_code=halt.exit_code,
        worktree=state.worktree,
        stop=state.clash if stands else None,
        doubts=doubts,
        waits_for=None if begun else newer,
    )


def _subjects(repo: Repo, state: RunState) -> tuple[str, ...]:
    try:
        series = combine(repo, state.sources, state.settings, repo.tree(state.onto))
        plan = Plan(series, state.items)
        return tuple(shown(plan.patch(repo, item).subject) for item in state.items)
    except (BackportError, SeriesError):
        return tuple(map(str, state.items))
