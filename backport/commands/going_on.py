# SPDX-License-Identifier: GPL-2.0-or-later
"""What carries a run on, or drops it: ``continue``, ``skip``, ``abort``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from backport.commands import options as opt
from backport.commands.for_ci import Reports
from backport.commands.one_run import Out, carry, carry_several, proof_of

if TYPE_CHECKING:
    from backport.gateway.repository import Repo


def continue_(
    ctx: typer.Context,
    branch: opt.OfRun = None,
    repo: opt.RepoDir = None,
    validate: opt.Validate = None,
    build: opt.Build = None,
    sandbox: opt.Sandboxed = None,
    audit: opt.Audited = None,
    accept: opt.Accept = None,
    prerequisites: opt.Wanted = None,
    no_wait: Annotated[
        bool,
        typer.Option(
            "--no-wait", help="Go on with older branches while a newer one waits for a resolution."
        ),
    ] = False,
    keep_going: opt.KeepGoing = False,
    json: opt.Json = None,
    junit: opt.Junit = None,
    sarif: opt.Sarif = None,
    annotations: opt.Annotate = None,
    html: opt.Html = None,
    notes: opt.Notes = False,
) -> None:
    """Resume a run that stopped on a conflict or was interrupted; of several branches, all that can go on."""
    from backport.commands.here import leave_conflict, open_repo, say_where
    from backport.run.life import resume

    found = open_repo(repo)
    stood, (json, junit, sarif, html) = leave_conflict(found, json, junit, sarif, html)
    out = Out(ctx, json, Reports(junit, sarif, annotations, html, notes))
    changed = {
        "validate": validate,
        "build": build,
        "sandbox": sandbox,
        "audit": audit,
        "accept": tuple(accept or ()),
        "prerequisites": prerequisites,
    }
    given = {key: value for key, value in changed.items() if value not in (None, ())}
    proof = proof_of(keep_going)
    with say_where(stood, found):
        if _is_several(found, branch):
            from backport.branches import life as several

            waits = False if no_wait else None
            carry_several(
                found,
                lambda screen: several.resume(found, proof, screen, given, branch, waits=waits),
                out,
                keep_going=keep_going,
            )
            return
        carry(found, proof, lambda progress: resume(found, proof, progress, given), out, None)


def skip(
    ctx: typer.Context,
    branch: opt.OfRun = None,
    repo: opt.RepoDir = None,
    keep_going: opt.KeepGoing = False,
    json: opt.Json = None,
) -> None:
    """Leave out the patch that a run stopped on, and go on."""
    from backport.commands.here import leave_conflict, open_repo, say_where
    from backport.run.life import skip as skip_patch

    found = open_repo(repo)
    stood, (json,) = leave_conflict(found, json)
    proof = proof_of(keep_going)
    out = Out(ctx, json, Reports())
    with say_where(stood, found):
        if _is_several(found, branch):
            from backport.branches import life as several

            carry_several(
                found,
                lambda screen: several.skip(found, proof, screen, branch),
                out,
                keep_going=keep_going,
            )
            return
        carry(found, proof, lambda progress: skip_patch(found, proof, progress), out, None)


def abort(branch: opt.OfRun = None, repo: opt.RepoDir = None) -> None:
    """Drop the run and leave everything as it was before; of several branches, all that are not over."""
    from backport.commands.here import leave_conflict, open_repo, say_where
    from backport.run import undo_plan
    from backport.run.life import abort as abort_run

    found = open_repo(repo)
    stood, _ = leave_conflict(found)
    with say_where(stood, found):
        if _is_several(found, branch):
            from backport.commands import together

            together.abort(found, branch)
            return
        if undo_plan.waits(found):
            from backport.run.undoing import take_back_undo

            for ref in take_back_undo(found):
                print(f"aborted; {ref.name} is at {ref.new[:12]}, as before the undo")
            return
        done = abort_run(found)
    state = done.state
    if state is None:
        print("the journal could not be read and was removed; no branch has moved")
        return
    branch = state.target.removeprefix("refs/heads/")
    if done.put_back:
        left = f"had moved, and is back at {state.old[:12]}" if state.old else "is removed again"
    else:
        left = f"is unchanged at {state.old[:12]}" if state.old else "was not created"
    print(f"aborted; {branch} {left}")


def _is_several(repo: Repo, branch: str | None) -> bool:
    """Whether the run is onto several branches; a ``--branch`` that one alone is not onto is refused."""
    from backport.errors import UsageError
    from backport.run.journal import SEVERAL, Journal

    if (repo.state_dir / SEVERAL).exists():
        return True
    state = Journal(repo.state_dir).read() if branch is not None else None
    if state is not None and f"refs/heads/{branch}" not in (state.branch, state.target):
        short = state.target.removeprefix("refs/heads/")
        raise UsageError(
            f"no run onto {branch} is in progress", f"there is one onto {short} (`backport status`)"
        )
    return False
