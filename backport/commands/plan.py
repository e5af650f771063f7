# SPDX-License-Identifier: GPL-2.0-or-later
"""``plan``: the order a series goes on in, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from backport.commands import options as opt


def plan(
    branch: opt.Branch = None,
    series: opt.SeriesSrc = None,
    repo: opt.RepoDir = None,
    upstream: opt.Upstream = None,
    sibling: opt.SiblingBranch = None,
    prerequisites: opt.Wanted = None,
    partial: opt.Partial = None,
    only: opt.Only = None,
    why: Annotated[
        bool, typer.Option("--why", help="Under each patch, all the evidence for its place.")
    ] = False,
    json: opt.Json = None,
) -> None:
    """Show the order of a series and why; nothing is changed."""
    from backport.gateway.repository import open_repo
    from backport.report.out import write_json
    from backport.report.planned import plan_json, show_plan
    from backport.run.preview import foresee

    found = open_repo(repo)
    settings = opt.settings_of(
        found,
        branch,
        upstream=upstream,
        sibling=tuple(sibling or ()),
        prerequisites=prerequisites,
        partial=partial,
        only=tuple(only or ()),
    )
    name = opt.branch_of(settings)
    outlook = foresee(found, found.commit(name), opt.sources_of(found, settings, series), settings)
    write_json(json, plan_json(found, outlook) if json else {})
    if json != "-":
        show_plan(found, outlook, name, why=why)
    if outlook.exit_code:
        raise typer.Exit(outlook.exit_code)
