# SPDX-License-Identifier: GPL-2.0-or-later
"""``check``: what is staged, a commit, or every commit of a range."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from backport.commands import options as opt
from backport.levels import Level

if TYPE_CHECKING:
    from backport.config import Settings
    from backport.verdicts import State


def check(
    repo: opt.RepoDir = None,
    commit: Annotated[
        str | None,
        typer.Option("--commit", metavar="REV", help="Check this commit (for `git bisect run`)."),
    ] = None,
    commits: Annotated[
        str | None,
        typer.Option("--range", "-r", metavar="A..B", help="Check every commit of a range."),
    ] = None,
    validate: opt.Validate = None,
    build: opt.Build = None,
    profile: opt.Profile = None,
    accept: opt.Accept = None,
    keep_going: opt.KeepGoing = False,
    jobs: opt.Jobs = None,
    json: opt.Json = None,
) -> None:
    """Check what is staged: patches parse, their order holds, the core still translates."""
    from backport.commands.here import open_repo
    from backport.errors import UsageError
    from backport.report import checked as report
    from backport.report.out import write_json
    from backport.report.progress import Reporter
    from backport.run import checks
    from series.model import shown

    if commit is not None and commits is not None:
        raise UsageError("give either --commit or --range, not both")
    found = open_repo(repo)
    settings = opt.settings_of(
        found,
        None,
        validate=validate,
        build=build,
        profile=profile,
        accept=tuple(accept or ()),
        jobs=jobs,
    )
    if commits is not None:
        with Reporter(validating=True) as progress:
            checked = checks.check_range(
                found, _needing_build(settings), commits, progress, keep_going=keep_going
            )
        write_json(json, report.range_json(checked))
        if json != "-":
            report.show_range(checked)
        _exit_with(*(verdict.state for verdict in checked.verdicts), wrong=bool(checked.complaints))
    elif commit is not None:
        oid = found.commit(commit)
        subject = shown(found.message(oid).split(b"\n", 1)[0])
        verdict = checks.check_commit(found, _needing_build(settings), oid, subject)
        write_json(json, report.commit_json(verdict))
        if json != "-":
            report.show_commit(verdict)
        _exit_with(verdict.state)
    else:
        staged = checks.check_staged(found, settings)
        write_json(json, report.staged_json(staged))
        if json != "-":
            report.show_staged(staged)
        # A hook lets pass what cannot be judged: else it would stop every commit to such a tree.
        _exit_with(wrong=bool(staged.looked.complaints) or staged.failed)


def _needing_build(settings: Settings) -> Settings:
    """An explicit check without a build command is an error, not a silent pass."""
    return replace(settings, validate=settings.validate or Level.OBJECT)


def _exit_with(*states: State, wrong: bool = False) -> None:
    from backport.errors import ExitCode
    from backport.verdicts import State

    if wrong or State.FAILED in states:
        raise typer.Exit(int(ExitCode.FAILED))
    if State.CANNOT_TELL in states:
        raise typer.Exit(int(ExitCode.CANNOT_TEST))
