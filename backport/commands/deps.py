# SPDX-License-Identifier: GPL-2.0-or-later
"""``deps``: what patches need that a branch lacks."""

from __future__ import annotations

from typing import Annotated

import typer

from backport.commands import options as opt


def deps(
    commits: opt.Commits = None,
    branch: opt.Branch = None,
    series: opt.SeriesSrc = None,
    repo: opt.RepoDir = None,
    upstream: opt.Upstream = None,
    closure: Annotated[
        bool,
        typer.Option(
            "--closure", help="Also what the blockers need in their turn; its size comes first."
        ),
    ] = False,
    json: opt.Json = None,
) -> None:
    """Show what each patch needs that the branch lacks, why, and what to do about it."""
    from backport.commands.here import open_repo
    from backport.planning.plan import combine
    from backport.report.deps import needs_json, show_needs
    from backport.report.out import check_json, write_json
    from backport.report.pager import paged
    from backport.report.tally_line import counting
    from backport.survey.deps import find_needs

    found = open_repo(repo)
    settings = opt.settings_of(found, branch, upstream=upstream)
    name = opt.branch_of(settings)
    check_json(json)
    sources = opt.sources_of(found, settings, series, commits)
    patches = combine(found, sources, settings, found.tree(found.branch_tip(name))).patches
    with counting("looked at") as count:
        needs = find_needs(found, name, settings.upstream, patches, count, closure=closure)
    write_json(json, needs_json(name, needs) if json else {})
    if json != "-":
        with paged(found.environment, found.git.config):
            show_needs(name, needs)
