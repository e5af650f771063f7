# SPDX-License-Identifier: GPL-2.0-or-later
"""``provenance``: where each commit of a branch comes from."""

from __future__ import annotations

from typing import Annotated

import typer

from backport.commands import options as opt


def provenance(
    branch: opt.Branch = None,
    repo: opt.RepoDir = None,
    upstream: opt.Upstream = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="REV",
            help="Only commits after REV (default: since it left upstream).",
        ),
    ] = None,
    interdiff: Annotated[
        bool, typer.Option("--interdiff", help="Show what was adapted, as git range-diff does.")
    ] = False,
    debt: Annotated[
        bool, typer.Option("--debt", help="Only what is nowhere upstream, or of unknown origin.")
    ] = False,
    json: opt.Json = None,
) -> None:
    """Show where each commit comes from, what was adapted, and what is nowhere upstream yet."""
    from backport.commands.here import open_repo
    from backport.report.out import check_json, write_json
    from backport.report.pager import paged
    from backport.report.provenance import pedigree_json, show_pedigree
    from backport.report.tally_line import counting
    from backport.survey.provenance import interdiff as between
    from backport.survey.provenance import trace

    found = open_repo(repo)
    settings = opt.settings_of(found, branch, upstream=upstream)
    name = opt.branch_of(settings)
    check_json(json)
    with counting("traced") as count:
        pedigree = trace(found, name, settings.upstream, count, since=since, lint=settings.lint)
    diffs = {one.commit: between(found, one) for one in pedigree.descents} if interdiff else {}
    write_json(json, pedigree_json(pedigree, diffs) if json else {})
    if json != "-":
        with paged(found.environment, found.git.config):
            show_pedigree(pedigree, diffs, only_debt=debt)
