# SPDX-License-Identifier: GPL-2.0-or-later
"""``plan``: the order a series goes on in, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from backport.commands import options as opt


def plan(
    commits: opt.Commits = None,
    branch: opt.Branch = None,
    series: opt.SeriesSrc = None,
    repo: opt.RepoDir = None,
    upstream: opt.Upstream = None,
    sibling: opt.SiblingBranch = None,
    prerequisites: opt.Wanted = None,
    partial: opt.Partial = None,
    author: opt.Author = None,
    strip: opt.Strip = None,
    keep: opt.Kept = None,
    trailers: opt.Trailers = None,
    guard: opt.Guard = None,
    allow: opt.Allowed = None,
    fuzz: opt.Fuzz = None,
    base: opt.Base = None,
    only: opt.Only = None,
    why: Annotated[
        bool, typer.Option("--why", help="Show all the evidence for the place of each patch.")
    ] = False,
    json: opt.Json = None,
) -> None:
    """Show the order of a series and why; change nothing."""
    from backport.commands.here import open_repo
    from backport.report.out import write_json
    from backport.report.pager import paged
    from backport.report.planned import plan_json, show_plan
    from backport.run.preview import foresee
    from backport.run.relating import relate

    found = open_repo(repo)
    settings = opt.settings_of(
        found,
        branch,
        upstream=upstream,
        sibling=tuple(sibling or ()),
        prerequisites=prerequisites,
        partial=partial,
        author=author,
        strip=strip,
        keep=keep,
        trailers=trailers,
        guard=tuple(guard or ()),
        allow=tuple(allow or ()),
        fuzz=fuzz,
        base=base,
        only=tuple(only or ()),
    )
    name = opt.branch_of(settings)
    sources = opt.sources_of(found, settings, series, commits)
    outlook = foresee(found, found.branch_tip(name), sources, settings, whole=True)
    write_json(json, plan_json(outlook) if json else {})
    if json != "-":
        relation = relate(found, outlook.state.onto, outlook)
        with paged(found.environment, found.git.config):
            show_plan(outlook, relation, name, why=why)
    if outlook.exit_code:
        raise typer.Exit(outlook.exit_code)
