# SPDX-License-Identifier: GPL-2.0-or-later
"""``apply``: a run begins, onto one branch or several; or it is rehearsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from backport.commands import options as opt
from backport.commands.for_ci import Reports
from backport.commands.one_run import Out, carry, carry_several, proof_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backport.gateway.repository import Repo
    from backport.planning.given import Source
    from backport.run.request import Request


def apply(
    ctx: typer.Context,
    commits: opt.Commits = None,
    branch: opt.BranchNames = None,
    branches: Annotated[
        str | None,
        typer.Option(
            "--branches",
            metavar="PATTERN",
            help="All branches that a shell pattern matches, as 'staging-4.*'.",
        ),
    ] = None,
    series: opt.SeriesForEach = None,
    repo: opt.RepoDir = None,
    upstream: opt.Upstream = None,
    sibling: opt.SiblingBranch = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            "-t",
            metavar="NAME",
            help="Put the result on this new branch and leave the other alone; {branch} in it is the"
            " branch's name.",
        ),
    ] = None,
    atomic: Annotated[
        bool,
        typer.Option("--atomic", help="Of several branches move all or none."),
    ] = False,
    no_wait: Annotated[
        bool,
        typer.Option(
            "--no-wait", help="Go on with older branches while a newer one waits for a resolution."
        ),
    ] = False,
    validate: opt.Validate = None,
    build: opt.Build = None,
    sandbox: opt.Sandboxed = None,
    audit: opt.Audited = None,
    profile: opt.Profile = None,
    accept: opt.Accept = None,
    prerequisites: opt.Wanted = None,
    record: opt.Recorded = None,
    keep_going: opt.KeepGoing = False,
    partial: opt.Partial = None,
    author: opt.Author = None,
    strip: opt.Strip = None,
    keep: opt.Kept = None,
    trailers: opt.Trailers = None,
    signoff: opt.Signoff = None,
    guard: opt.Guard = None,
    allow: opt.Allowed = None,
    fuzz: opt.Fuzz = None,
    base: opt.Base = None,
    only: opt.Only = None,
    jobs: opt.Jobs = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", "-n", help="Show what would be applied and built; change nothing."
        ),
    ] = False,
    json: opt.Json = None,
    junit: opt.Junit = None,
    sarif: opt.Sarif = None,
    annotations: opt.Annotate = None,
    html: opt.Html = None,
    notes: opt.Notes = False,
) -> None:
    """Put a series on a stable branch, and prove every step."""
    from backport.branches.choosing import newest_first, sort_sources, target_name
    from backport.commands.here import open_repo
    from backport.errors import UsageError
    from backport.run.life import start
    from backport.run.request import Request

    found = open_repo(repo)
    configured = found.settings().get("branch", ())[-1:]
    names = newest_first(found, branch or (() if branches else configured), branches, to)
    given = {
        "upstream": upstream,
        "sibling": tuple(sibling or ()),
        "validate": validate,
        "build": build,
        "sandbox": sandbox,
        "audit": audit,
        "profile": profile,
        "accept": tuple(accept or ()),
        "prerequisites": prerequisites,
        "partial": partial,
        "author": author,
        "strip": strip,
        "keep": keep,
        "trailers": trailers,
        "signoff": signoff,
        "guard": tuple(guard or ()),
        "allow": tuple(allow or ()),
        "fuzz": fuzz,
        "base": base,
        "only": tuple(only or ()),
        "record": record,
        "jobs": jobs,
    }
    sources = sort_sources(series or (), names)
    read: dict[tuple[str, ...], tuple[Source, ...]] = {}  # stdin, for one, can be read once
    requests = []
    for name in names or ("",):
        settings = opt.settings_of(found, name or None, **given)
        name = opt.branch_of(settings)
        own = sources.of(name)
        picked = tuple(commits or ()) if name not in sources.alone else ()
        if (*own, *picked) not in read:
            read[*own, *picked] = opt.sources_of(found, settings, list(own), list(picked))
        target = target_name(to, name, several=len(names) > 1)
        requests.append(Request(name, read[*own, *picked], settings, target))
    reports = Reports(junit, sarif, annotations, html, notes)
    if dry_run:
        if reports.wanted:
            raise UsageError(
                "--dry-run proves nothing: --junit, --sarif, --annotations, --html and --notes have"
                " nothing to say",
                "--json has the plan",
            )
        _rehearse(found, requests, json)
        return
    proof = proof_of(keep_going)
    if len(requests) > 1:
        from backport.branches import life as several

        wish = several.Wish(tuple(requests), atomic, not no_wait)
        carry_several(
            found,
            lambda screen: several.start(found, wish, proof, screen),
            Out(ctx, json, reports),
            keep_going=keep_going,
        )
        return
    (request,) = requests
    out = Out(ctx, json, reports, request.to or request.branch)
    carry(found, proof, lambda seen: start(found, request, proof, seen), out, request.settings)


def _rehearse(repo: Repo, requests: Sequence[Request], json: str | None) -> None:
    from backport.report.out import write_json
    from backport.report.rehearsed import rehearsal_json, show_rehearsal
    from backport.run.rehearsal import rehearse

    found = [rehearse(repo, one.branch, one.sources, one.settings) for one in requests]
    documents = [rehearsal_json(one) if json else {} for one in found]
    if len(found) > 1:
        named = [
            {"branch": one.branch, **doc} for one, doc in zip(requests, documents, strict=True)
        ]
        documents = [{"branches": named}]
    write_json(json, documents[0])
    if json != "-":
        for request, one in zip(requests, found, strict=True):
            show_rehearsal(one, request.to or request.branch)
        if len(found) > 1:
            print("each branch by itself: what one gets from a newer one is known when that has it")
    code = next((one.outlook.exit_code for one in found if one.outlook.exit_code), 0)
    if code:
        raise typer.Exit(code)
