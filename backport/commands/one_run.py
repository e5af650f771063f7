# SPDX-License-Identifier: GPL-2.0-or-later
"""A run as the command line shows it: its progress, its end in words and in files, and an interruption."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import typer
from msgspec import Struct

from backport import interrupts
from backport.commands.for_ci import Reports

if TYPE_CHECKING:
    from collections.abc import Callable

    from backport.branches.carrying import Carried
    from backport.commands.together import Screen
    from backport.errors import Interrupted
    from backport.export.listener import Listener
    from backport.gateway.repository import Repo
    from backport.run.journal import Journal
    from backport.run.proof import Proof
    from backport.run.request import Progress, Result


class Out(Struct, frozen=True):
    """Where the result goes besides the screen; ``name`` is the branch as the user has named it."""

    ctx: typer.Context
    json: str | None
    reports: Reports
    name: str = ""


def carry(
    repo: Repo, proof: Proof, go: Callable[[Progress], Result], out: Out, settings: object
) -> None:
    """Have ``go`` carry a run on, show it, and write what was asked for of its end.

    ``settings`` are those of the run; None where they stand in its journal.
    """
    from backport.errors import BackportError, RunInProgress, Unreported
    from backport.report.out import check_json, write_json
    from backport.report.page import say
    from backport.report.progress import Reporter
    from backport.report.summary import stopped_json, summary, to_json
    from backport.run.journal import Journal

    json, reports = out.json, out.reports
    check_json(json)
    reports.begin(out.ctx)
    begun = time.monotonic()
    journal = Journal(repo.state_dir)
    before = journal.readable() if reports.wanted else None
    heard: Listener | None = None
    try:
        validating = _validating(repo, settings)
        with Reporter(validating=validating, ends_at_failure=not proof.keep_going) as progress:
            if reports.wanted:
                from backport.export.listener import Listener

                heard = Listener(progress)
            result = go(heard or progress)
    except KeyboardInterrupt:
        raise _interrupted(repo, journal) from None
    except BackportError as error:
        if interrupts.came():  # a git that ran in the foreground was interrupted with us
            raise _interrupted(repo, journal) from None
        state, failed = journal.readable(), error
        write_json(json, stopped_json(error, state) if json else {})
        # The state of another run, which is in the way, is not what this one came to.
        known = (None, None) if isinstance(error, RunInProgress) else (before, state)
        if heard is not None:
            from backport.export.listener import stopped

            record = stopped(heard, out.name, *known, failed)
            reports.write(out.ctx, repo, lambda: record)
        raise
    seconds = time.monotonic() - begun
    try:
        write_json(json, to_json(result, seconds) if json else {})
        if heard is not None:
            from backport.export.listener import finished

            ended = finished(heard, result)
            reports.write(out.ctx, repo, lambda: ended, result.state.settings)
        if json != "-":
            say(summary(result, seconds))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (BackportError, OSError) as error:
        why = error.message if isinstance(error, BackportError) else f"stdout: {error.strerror}"
        branch, tip = result.state.target.removeprefix("refs/heads/"), result.tip[:12]
        raise Unreported(
            f"{branch} has moved to {tip}, but the report of that could not be written: {why}",
            f"the run is done: `git log {branch}` shows it",
        ) from error


def carry_several(
    repo: Repo, go: Callable[[Screen], Carried], out: Out, *, keep_going: bool
) -> None:
    """The same for a run onto several branches."""
    from backport.commands import together

    together.carry(repo, go, out.json, out.reports, out.ctx, keep_going=keep_going)


def proof_of(keep_going: bool) -> Proof:
    """How the steps are to be proven."""
    from backport.run.proof import Proof

    return Proof(keep_going)


def _interrupted(repo: Repo, journal: Journal) -> Interrupted:
    """What is left of a run that the user has interrupted."""
    from backport.errors import Interrupted
    from backport.run.moving import has_moved

    if has_moved(repo, journal):
        return Interrupted(
            "interrupted; the branch has moved", "`backport continue` clears up what is left"
        )
    if not journal.file.exists():
        return Interrupted("interrupted before the run had begun; nothing was changed")
    again = "`backport continue` resumes the run, `backport abort` drops it"
    return Interrupted("interrupted; no branch has moved", again)


def _validating(repo: Repo, settings: object) -> bool:
    from backport.config import Settings, level_of
    from backport.levels import Level
    from backport.run.journal import Journal

    if settings is None:
        state = Journal(repo.state_dir).read()
        settings = state.settings if state else Settings()
    assert isinstance(settings, Settings)
    return level_of(settings)[0] is not Level.NONE
