# SPDX-License-Identifier: GPL-2.0-or-later
"""``owed``: what upstream has and a stable branch should have."""

from __future__ import annotations

from typing import Annotated

import typer

from backport.commands import options as opt


def owed(
    branch: opt.Branch = None,
    repo: opt.RepoDir = None,
    upstream: opt.Upstream = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Also fixes to what the branch had before it left upstream."),
    ] = False,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Believe messages, and do not look whether each commit would go on."
        ),
    ] = False,
    ignore: Annotated[
        str | None,
        typer.Option(
            "--ignore", metavar="COMMIT", help="Remember that the branch does not take it."
        ),
    ] = None,
    because: Annotated[
        str | None, typer.Option("--because", metavar="TEXT", help="Why, with --ignore.")
    ] = None,
    json: opt.Json = None,
) -> None:
    """Show what upstream has and the branch should have: later fixes, reverts, what asks for it."""
    from backport.commands.here import open_repo
    from backport.errors import UsageError
    from backport.report.out import check_json, write_json
    from backport.report.owed import debts_json, how_to_share, show_debts
    from backport.report.pager import paged
    from backport.report.tally_line import counting
    from backport.survey.debts import look_up_debts
    from backport.survey.remembered import ignore as remember

    found = open_repo(repo)
    settings = opt.settings_of(found, branch, upstream=upstream)
    name = opt.branch_of(settings)
    if (ignore is None) != (because is None):
        raise UsageError(
            "--ignore COMMIT and --because TEXT go together", "a reason is what others ask for"
        )
    check_json(json)
    if ignore is not None and because is not None:
        commit = found.commit(ignore)
        remember(found, commit, name, because)
        write_json(json, {"ignored": commit, "branch": name, "because": because})
        if json != "-":
            print(how_to_share(commit, name, sorted(found.git("remote").split())))
        return
    with counting("owed, judged") as count:
        debts = look_up_debts(
            found, name, settings.upstream, count, base=everything, judged=not quick
        )
    write_json(json, debts_json(debts) if json else {})
    if json != "-":
        with paged(found.environment, found.git.config):
            show_debts(debts)
