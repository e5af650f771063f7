# SPDX-License-Identifier: GPL-2.0-or-later
"""``report``: what the cache knows of commits, as one page; nothing is built."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from backport.commands import options as opt
from backport.commands.for_ci import Reports
from backport.commands.parsing import OPTIONAL_RANGE


def report(
    ctx: typer.Context,
    repo: opt.RepoDir = None,
    ranges: Annotated[
        list[str] | None,
        typer.Option(
            "--range",
            "-r",
            metavar=OPTIONAL_RANGE,
            help="The commits; repeated, a column a range. Without A..B, those that upstream lacks.",
        ),
    ] = None,
    validate: opt.Validate = None,
    build: opt.Build = None,
    profile: opt.Profile = None,
    accept: opt.Accept = None,
    owed: Annotated[
        list[Path] | None,
        typer.Option(
            "--owed",
            metavar="FILE",
            help="Have what `owed --json FILE` found on the page, too; repeated.",
        ),
    ] = None,
    html: opt.Html = None,
    junit: opt.Junit = None,
    sarif: opt.Sarif = None,
    annotations: opt.Annotate = None,
) -> None:
    """Write what is known of commits as one page, or for CI; nothing is built for it."""
    from backport.commands.here import open_repo
    from backport.counted import counted
    from backport.errors import UsageError
    from backport.export.listener import checked
    from backport.export.owed_list import read_owed
    from backport.run.checks import known_range
    from backport.verdicts import State

    if not ranges:
        raise UsageError("no commits given", "--range A..B; repeated for several branches")
    if owed and not html:
        raise UsageError("--owed is for the page", "--html FILE writes it")
    listed = tuple(map(read_owed, owed or ()))
    reports = Reports(junit, sarif, annotations, html, owed=listed)
    reports.begin(ctx)
    found = open_repo(repo)
    settings = opt.settings_of(
        found, None, validate=validate, build=build, profile=profile, accept=tuple(accept or ())
    )
    begun = time.monotonic()
    done = [known_range(found, settings, commits) for commits in ranges]
    names = [commits.rpartition("..")[2] or commits for commits in ranges]
    if len({*names}) < len(names):  # what reads the documents goes by the name
        names = list(ranges)
    records = [
        checked(name, one, time.monotonic() - begun, asked=False)
        for name, one in zip(names, done, strict=True)
    ]
    reports.write_all(ctx, found, lambda: records)
    for record in records:
        known = sum(step.verdict is not None for step in record.steps)
        failed = sum(step.state is State.FAILED for step in record.steps)
        count = counted(len(record.steps), "step")
        print(f"{record.target}: of {count} {known} known from the cache, {failed} of them failed")
