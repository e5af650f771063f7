# SPDX-License-Identifier: GPL-2.0-or-later
"""``bisect``: which patch broke it, and which one repairs it."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec.structs import replace

from backport.commands import options as opt
from backport.commands.parsing import OPTIONAL_RANGE
from backport.levels import Level


def bisect(
    picked: opt.Commits = None,
    branch: opt.Branch = None,
    series: opt.SeriesSrc = None,
    repo: opt.RepoDir = None,
    commits: Annotated[
        str | None,
        typer.Option(
            "--range",
            "-r",
            metavar=OPTIONAL_RANGE,
            help="Bisect commits, not a series; without A..B, those that upstream does not have.",
        ),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option(
            "--command",
            metavar="CMD",
            help="Run this instead of the build: exit 0 is good, 125 skips the step.",
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Test every step, in order.")] = False,
    upstream: opt.Upstream = None,
    validate: opt.Validate = None,
    build: opt.Build = None,
    sandbox: opt.Sandboxed = None,
    audit: opt.Audited = None,
    profile: opt.Profile = None,
    accept: opt.Accept = None,
    prerequisites: opt.Wanted = None,
    partial: opt.Partial = None,
    jobs: opt.Jobs = None,
    json: opt.Json = None,
) -> None:
    """Find the first patch at which the build, the emulation or a command fails."""
    from backport.commands.here import open_repo
    from backport.errors import CannotTest, ExitCode
    from backport.report.bisected import bisect_json, show_bisect
    from backport.report.out import write_json
    from backport.report.progress import Reporter
    from backport.run import bisection as core
    from backport.run.range import read_line
    from backport.verdicts import State

    found = open_repo(repo)
    settings = opt.settings_of(
        found,
        branch,
        upstream=upstream,
        validate=Level.BUILD if command else validate,
        build=command or build,
        sandbox=sandbox,
        audit=audit,
        profile=profile,
        accept=tuple(accept or ()),
        prerequisites=prerequisites,
        partial=partial,
        jobs=jobs,
    )
    if commits is not None:
        given = read_line(found, commits)
        start, targets = given.start, given.targets
    else:
        start = found.branch_tip(opt.branch_of(settings))
        targets = core.series_targets(
            found, start, opt.sources_of(found, settings, series, picked), settings
        )
    if settings.validate is None and settings.build is None:
        settings = replace(settings, validate=Level.BUILD)
    with Reporter(validating=True) as progress:
        done = core.bisect(found, settings, start, targets, progress, every=every)
    write_json(json, bisect_json(done))
    if json != "-":
        show_bisect(done)
    if all(verdict.state is State.CANNOT_TELL for verdict in done.verdicts.values()):
        raise CannotTest("no step could be tested", "see why it does not build: --validate build")
    if done.found.untestable:
        raise typer.Exit(int(ExitCode.CANNOT_TEST))
    if done.found.first_bad is not None:
        raise typer.Exit(int(ExitCode.FAILED))
