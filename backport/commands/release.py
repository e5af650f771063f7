# SPDX-License-Identifier: GPL-2.0-or-later
"""``release``: a stable branch is counted, numbered, tagged and announced."""

from __future__ import annotations

from typing import Annotated

import typer

from backport.commands import options as opt


def release(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="As 4.10.1 or 4.10.1-rc1.")],
    branch: opt.Branch = None,
    repo: opt.RepoDir = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="REV",
            help="The last release (default: the last tag behind the branch).",
        ),
    ] = None,
    tag: Annotated[
        str | None,
        typer.Option(
            "--tag", metavar="NAME", help="The tag (default: named as the last one, with VERSION)."
        ),
    ] = None,
    prove: Annotated[
        bool, typer.Option("--prove", help="Prove the commits that the cache does not know.")
    ] = False,
    markdown: Annotated[
        str | None,
        typer.Option("--markdown", metavar="FILE", help="Write what is new as Markdown."),
    ] = None,
    mail: Annotated[
        str | None, typer.Option("--mail", metavar="FILE", help="Write what is new as a mail.")
    ] = None,
    upstream: opt.Upstream = None,
    validate: opt.Validate = None,
    build: opt.Build = None,
    sandbox: opt.Sandboxed = None,
    audit: opt.Audited = None,
    profile: opt.Profile = None,
    accept: opt.Accept = None,
    jobs: opt.Jobs = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Show what would be made; change nothing.")
    ] = False,
    json: opt.Json = None,
) -> None:
    """Make a release of a branch: say what is proven, bump the version, tag it, write what is new."""
    from backport.commands.here import open_repo
    from backport.counted import counted
    from backport.release import making
    from backport.release.announcement import to_mail, to_markdown
    from backport.report.out import check_file, check_json, write_for, write_json
    from backport.report.page import say
    from backport.report.progress import Reporter
    from backport.verdicts import State

    check_json(json)
    check_file("--markdown", markdown)
    check_file("--mail", mail)
    found = open_repo(repo)
    settings = opt.settings_of(
        found,
        branch,
        upstream=upstream,
        validate=validate,
        build=build,
        sandbox=sandbox,
        audit=audit,
        profile=profile,
        accept=tuple(accept or ()),
        jobs=jobs,
    )
    name = opt.branch_of(settings)
    with Reporter(validating=prove) as progress:
        planned = making.plan(found, settings, name, version, since, tag, progress, prove=prove)
        made = None if dry_run else making.make(found, settings, planned, progress)
    contents = planned.contents
    if markdown:
        write_for("--markdown", markdown, to_markdown(contents, planned.tag).encode())
    if mail:
        who = found.committer().who
        sender = f"{who.name.decode('utf-8', 'replace')} <{who.email.decode('utf-8', 'replace')}>"
        write_for("--mail", mail, to_mail(contents, planned.tag, sender))
    good = contents.count(State.PASSED, State.ABSENT)
    write_json(
        json,
        {
            "branch": name,
            "version": version,
            "tag": planned.tag,
            "since": contents.last,
            "bump": planned.bump.said if planned.bump else None,
            "tip": made[0] if made else None,
            "tag_object": made[1] if made else None,
            "proven": good,
            "changes": [
                {
                    "commit": one.commit,
                    "subject": one.subject,
                    "area": one.area,
                    "advisories": list(one.advisories),
                    "origin": one.origin or None,
                    "adapted": one.adapted,
                    "state": one.state.value if one.state else None,
                }
                for one in contents.entries
            ],
            "debts": list(contents.debts),
        },
    )
    if json == "-" or "-" in (markdown, mail):
        return
    changes = counted(len(contents.entries), "change")
    say(f"{name} since {contents.last}: {changes}, {len(contents.security)} for security")
    say(f"  proven: {good} of {len(contents.entries)} ({contents.proven})")
    if good < len(contents.entries) and not prove:
        say("  the others are not known to the cache: --prove proves them")
    if settings.upstream is None:
        say("  debt: not looked for, since backport.upstream is not set")
    for debt in contents.debts:
        say(f"  debt: {debt}")
    said = planned.bump.said if planned.bump else ""
    say(f"  version: {said or 'no line of the tree is changed'}")
    if made is None:
        say(f"would be tagged {planned.tag}; nothing was changed")
    else:
        say(f"{planned.tag} is made at {made[0][:12]}; nothing was pushed:")
        say(f"  git push origin {name} {planned.tag}")
        say("`backport undo` takes it back")
