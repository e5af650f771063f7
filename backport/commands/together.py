# SPDX-License-Identifier: GPL-2.0-or-later
"""The verbs of a run onto several branches: what they print, and how they end."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import typer

from backport import interrupts

if TYPE_CHECKING:
    from backport.branches.carrying import Carried
    from backport.branches.matrix import Matrix
    from backport.branches.roster import Part, Roster
    from backport.commands.for_ci import Reports
    from backport.config import Settings
    from backport.export.listener import Listener
    from backport.export.run_record import RunRecord
    from backport.gateway.repository import Repo
    from backport.run.journal import RunState
    from backport.run.request import Progress, Result


class Screen:
    """Tells a person how it goes, branch by branch."""

    def __init__(self, repo: Repo, *, keep_going: bool, quiet: bool) -> None:
        self._repo = repo
        self._keep_going = keep_going
        self._quiet = quiet
        self._begun = time.monotonic()
        self._heard: Listener | None = None
        self._before: RunState | None = None
        self.records: dict[str, RunRecord] = {}
        """By part: what the documents are made of."""
        self.settings: dict[str, Settings] = {}
        """By part: what its steps were proven by, if they were."""

    @contextlib.contextmanager
    def branch(self, part: Part, place: int, total: int) -> Iterator[Progress]:
        """The run onto a branch begins or goes on."""
        from backport.config import level_of
        from backport.export.listener import Listener
        from backport.levels import Level
        from backport.report.progress import Reporter
        from backport.run.journal import Journal

        self._begun = time.monotonic()
        print(f"{part.short} ({place} of {total})", file=sys.stderr)
        state = Journal(self._repo.state_dir, part.part).read()
        self._before = state
        validating = state is not None and level_of(state.settings)[0] is not Level.NONE
        with Reporter(validating=validating, ends_at_failure=not self._keep_going) as progress:
            self._heard = Listener(progress)
            yield self._heard

    def done(self, part: Part, result: Result) -> None:
        """It came to its end."""
        from backport.export.listener import finished
        from backport.report.page import say
        from backport.report.summary import summary

        if self._heard is not None:
            self.records[part.part] = finished(self._heard, result)
            self.settings[part.part] = result.state.settings
        self._heard = None
        if not self._quiet:
            say(summary(result, time.monotonic() - self._begun))
            sys.stdout.flush()

    def stopped(self, part: Part, error: Exception) -> None:
        """It did not."""
        from backport.errors import BackportError, UsageError
        from backport.export.listener import stopped
        from backport.export.run_record import RunRecord
        from backport.report.several import show_stop
        from backport.run.journal import Journal

        if part.part not in self.records:
            known = error if isinstance(error, BackportError) else UsageError(str(error))
            after = Journal(self._repo.state_dir, part.part).readable()
            self.records[part.part] = (
                stopped(self._heard, part.short, self._before, after, known)
                if self._heard is not None
                else RunRecord("apply", part.short, (), error=known)
            )
        self._heard = None
        show_stop(part, str(error), getattr(error, "hint", ""))

    def waits(self, part: Part, newer: Part) -> None:
        """It was not begun."""
        self.note(f"{part.branch} waits for {newer.branch} (--no-wait goes on)")

    def note(self, text: str) -> None:
        """Something that the user should know."""
        print(f"note: {text}", file=sys.stderr)


def carry(
    repo: Repo,
    go: Callable[[Screen], Carried],
    json: str | None,
    reports: Reports,
    ctx: typer.Context,
    *,
    keep_going: bool,
) -> None:
    """Run it, show the matrix, and end with its exit code."""
    from backport.branches.roster import RosterFile
    from backport.errors import BackportError, Interrupted
    from backport.export.run_record import RunRecord
    from backport.report.out import check_json, write_json
    from backport.report.summary import stopped_json

    check_json(json)
    reports.begin(ctx)
    screen = Screen(repo, keep_going=keep_going, quiet=json == "-")
    try:
        carried = go(screen)
    except KeyboardInterrupt:
        raise _interrupted(RosterFile(repo)) from None
    except BackportError as error:
        if interrupts.came() and not isinstance(error, Interrupted):
            raise _interrupted(RosterFile(repo)) from None
        write_json(json, stopped_json(error, None) if json else {})
        failed = RunRecord("apply", "several branches", (), error=error)
        reports.write_all(ctx, repo, lambda: [failed])
        raise
    matrix = matrix_of(repo, carried.roster, carried)
    _show(matrix, json, lambda: _report(repo, carried, screen, reports, ctx))


def _report(
    repo: Repo, carried: Carried, screen: Screen, reports: Reports, ctx: typer.Context
) -> None:
    """The documents, with all branches, and notes on what has moved."""
    from backport.branches.roster import Ending
    from backport.export.branch_records import branch_records

    made = tuple(branch_records(carried, screen.records)) if reports.wanted else ()
    reports.write_all(ctx, repo, lambda: [record for _, record in made])
    for part, record in made:
        moved = part.result is not None and part.result.ending is Ending.MOVED
        settings = screen.settings.get(part.part)
        if reports.notes and moved and settings is not None:
            reports.note(repo, record, settings)


def matrix_of(repo: Repo, roster: Roster, carried: Carried | None = None) -> Matrix:
    """Where the branches stand."""
    from backport.branches.matrix import Matrix, look
    from backport.branches.publishing import push_commands

    columns = look(repo, roster, carried.halts if carried is not None else {})
    push = push_commands(repo, columns, atomic=roster.atomic)
    return Matrix(columns, roster.atomic, push)


def _show(matrix: Matrix, json: str | None, report: Callable[[], None]) -> None:
    from backport.errors import BackportError, Unreported
    from backport.report.out import write_json
    from backport.report.several import matrix_json, show_matrix

    try:
        write_json(json, matrix_json(matrix) if json else {})
        report()
        if json != "-":
            print()
            show_matrix(matrix)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (BackportError, OSError) as error:
        moved = [f"{x.short} to {x.new[:12]}" for x in matrix.columns if x.new and x.new != x.old]
        if not moved:
            raise
        why = error.message if isinstance(error, BackportError) else f"stdout: {error.strerror}"
        raise Unreported(
            f"moved: {', '.join(moved)}; but the report of that could not be written: {why}",
            "`git log` shows them; `backport status` shows what is not over",
        ) from error
    if matrix.exit_code:
        raise typer.Exit(int(matrix.exit_code))


def _interrupted(file: object) -> Exception:
    from backport.branches.roster import Ending, RosterFile
    from backport.errors import Interrupted

    assert isinstance(file, RosterFile)
    roster = file.read()
    if roster is None:
        return Interrupted("interrupted before the runs had begun; nothing was changed")
    moved = [x.short for x in roster.parts if x.result and x.result.ending is Ending.MOVED]
    left = f"moved before that: {', '.join(moved)}" if moved else "no branch has moved"
    again = "`backport continue` goes on with the others, `backport abort` drops them"
    return Interrupted(f"interrupted; {left}", again)


def status(repo: Repo, json: str | None) -> bool:
    """Show the matrix, if there is one."""
    from backport.branches.roster import RosterFile
    from backport.report.out import write_json
    from backport.report.several import matrix_json, show_columns
    from backport.run.journal import Journal

    roster = RosterFile(repo).read()
    if roster is None:
        return False
    matrix = matrix_of(repo, roster)
    write_json(json, {"phase": "several", **matrix_json(matrix)} if json else {})
    if json != "-":
        show_columns(matrix)
        owner = Journal(repo.state_dir).owner()
        if owner is not None:
            print(f"running in process {owner}")
    return True


def abort(repo: Repo, branch: str | None) -> None:
    """Drop what is not over, and say what has become of each branch."""
    from backport.branches.life import abort as abort_runs
    from backport.branches.roster import Ending

    done = abort_runs(repo, branch)
    if not done.readable:
        print("the list of branches could not be read; the runs that were not over are dropped")
    for part, put_back in done.parts:
        if put_back is None:
            moved = part.result is not None and part.result.ending is Ending.MOVED
            new = part.result.new if part.result is not None else None
            left = f"had moved, and stays at {(new or '')[:12]}" if moved else "was over before"
        else:
            left = "had moved, and is put back" if put_back else "was not moved"
        print(f"{part.short}: {left}")
