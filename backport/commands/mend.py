# SPDX-License-Identifier: GPL-2.0-or-later
"""``mend``: a series in which every step builds."""

from __future__ import annotations

from typing import Annotated

import typer

from backport.commands import options as opt
from backport.commands.parsing import OPTIONAL_RANGE
from backport.levels import Level


def mend(
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
            help="Mend commits, not a series; without A..B, those that upstream does not have.",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", "-t", metavar="NAME", help="Put the mended series on this new branch."
        ),
    ] = None,
    staged: Annotated[
        bool,
        typer.Option(
            "--staged", help="Give what is staged to the commits that it belongs to (HEAD's)."
        ),
    ] = False,
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
    """Move patches, or the few lines that repair others, until every step builds; the last tree stays."""
    from backport.commands.here import open_repo
    from backport.errors import ExitCode, UsageError
    from backport.gateway.index import staged_tree
    from backport.mend import mending
    from backport.report.mended import mended_json, show_mended
    from backport.report.out import check_json, write_json
    from backport.report.progress import Reporter
    from backport.run.bisection import series_targets
    from backport.run.life import new_branch
    from backport.run.range import read_line, without_merges

    found = open_repo(repo)
    check_json(json)
    ref = new_branch(found, to) if to else None
    settings = opt.settings_of(
        found,
        branch,
        upstream=upstream,
        validate=validate or Level.BUILD,
        build=build,
        sandbox=sandbox,
        audit=audit,
        profile=profile,
        accept=tuple(accept or ()),
        prerequisites=prerequisites,
        partial=partial,
        jobs=jobs,
    )
    if settings.build is None:
        raise UsageError("mend needs a build command", "--build CMD, or git config backport.build")
    if commits is not None:
        given = without_merges(found, read_line(found, commits))
        start, targets = given.start, given.targets
    else:
        start = found.branch_tip(opt.branch_of(settings))
        targets = series_targets(
            found, start, opt.sources_of(found, settings, series, picked), settings
        )
    tree = None
    if staged:
        if not targets or found.head() != targets[-1].commit:
            raise UsageError("--staged: what is staged is a change to HEAD", "--range A..HEAD")
        tree = staged_tree(found)
    if not targets:
        raise UsageError("there is no commit to mend")
    with Reporter(validating=True) as progress:
        done = mending.mend(found, settings, start, targets, progress, staged=tree)
    tip = mending.taken(found, done, ref) if ref is not None and done.changed else None
    diff = mending.compared(found, done) if done.changed else ""
    write_json(json, mended_json(done, tip))
    if json != "-":
        show_mended(done, diff, to if tip else None)
    if done.left:
        raise typer.Exit(int(ExitCode.FAILED))
