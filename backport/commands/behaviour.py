# SPDX-License-Identifier: GPL-2.0-or-later
"""``behaviour``: what each patch of a range changed, seen by booting it."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec.structs import replace

from backport.commands import options as opt
from backport.levels import Level


def behaviour(
    commits: Annotated[
        str, typer.Argument(metavar="A..B", help="The commits; A itself is the start.")
    ],
    repo: opt.RepoDir = None,
    reference: Annotated[
        str | None,
        typer.Option("--reference", metavar="REV", help="Compare the last commit with this one."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Show every case of every operation.")
    ] = False,
    build: opt.Build = None,
    sandbox: opt.Sandboxed = None,
    audit: opt.Audited = None,
    profile: opt.Profile = None,
    accept: opt.Accept = None,
    jobs: opt.Jobs = None,
    json: opt.Json = None,
) -> None:
    """Build and boot every commit of a range; show what each changed for the guest."""
    from backport.commands.here import open_repo
    from backport.errors import CannotTest, ExitCode
    from backport.report.behaviour import show_behaviour
    from backport.report.out import write_json
    from backport.report.progress import Reporter
    from backport.run.boots import boot_range

    found = open_repo(repo)
    settings = replace(
        opt.settings_of(
            found,
            None,
            build=build,
            sandbox=sandbox,
            audit=audit,
            profile=profile,
            accept=tuple(accept or ()),
            jobs=jobs,
        ),
        validate=Level.BOOT,
    )
    with Reporter(validating=True) as progress:
        steps = boot_range(found, settings, commits, progress, reference)
    write_json(json, {"steps": [step.to_json() for step in steps]})
    if json != "-":
        show_behaviour(steps, every=every)
    if not any(step.report for step in steps):
        raise CannotTest("no step could be booted", "see `backport check --range` for why")
    if any(step.warning for step in steps):
        raise typer.Exit(int(ExitCode.FAILED))
