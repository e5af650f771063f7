# SPDX-License-Identifier: GPL-2.0-or-later
"""``apply``, and what carries a run on: ``continue``, ``skip``, ``abort``, ``status``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct

from backport import interrupts
from backport.commands import options as opt
from backport.commands.for_ci import Reports
from backport.counted import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from backport.branches.carrying import Carried
    from backport.commands.together import Screen
    from backport.errors import Interrupted
    from backport.export.listener import Listener
    from backport.gateway.repository import Repo
    from backport.planning.given import Source
    from backport.run.journal import Journal
    from backport.run.proof import Proof
    from backport.run.request import Progress, Request, Result


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
    proof = _proof(keep_going)
    if len(requests) > 1:
        from backport.branches import carrying

        wish = carrying.Wish(tuple(requests), atomic, not no_wait)
        _together(
            found,
            lambda screen: carrying.start(found, wish, proof, screen),
            _Out(ctx, json, reports),
            keep_going=keep_going,
        )
        return
    (request,) = requests
    out = _Out(ctx, json, reports, request.to or request.branch)
    _carry(found, proof, lambda seen: start(found, request, proof, seen), out, request.settings)


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
    out = _Out(ctx, json, Reports(junit, sarif, annotations, html, notes))
    changed = {
        "validate": validate,
        "build": build,
        "sandbox": sandbox,
        "audit": audit,
        "accept": tuple(accept or ()),
        "prerequisites": prerequisites,
    }
    given = {key: value for key, value in changed.items() if value not in (None, ())}
    proof = _proof(keep_going)
    with say_where(stood, found):
        if _is_several(found, branch):
            from backport.branches import carrying

            waits = False if no_wait else None
            _together(
                found,
                lambda screen: carrying.resume(found, proof, screen, given, branch, waits=waits),
                out,
                keep_going=keep_going,
            )
            return
        _carry(found, proof, lambda progress: resume(found, proof, progress, given), out, None)


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
    proof = _proof(keep_going)
    out = _Out(ctx, json, Reports())
    with say_where(stood, found):
        if _is_several(found, branch):
            from backport.branches import carrying

            _together(
                found,
                lambda screen: carrying.skip(found, proof, screen, branch),
                out,
                keep_going=keep_going,
            )
            return
        _carry(found, proof, lambda progress: skip_patch(found, proof, progress), out, None)


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


def status(repo: opt.RepoDir = None, json: opt.Json = None) -> None:
    """Show where a run stands."""
    from backport.report.out import write_json

    if not _may_run(repo):
        write_json(json, {"phase": None})
        if json != "-":
            print("no run in progress")
        return
    from backport.commands.here import open_repo
    from backport.report.summary import conflict_json, missing_json
    from backport.run import undo_plan
    from backport.run.journal import SEVERAL, Journal

    found = open_repo(repo)
    if (found.state_dir / SEVERAL).exists():
        from backport.commands import together

        if together.status(found, json):
            return
    journal = Journal(found.state_dir)
    state = journal.read()
    if undo_plan.waits(found) and not journal.owner():
        write_json(json, {"phase": "undo"})
        if json != "-":
            print(
                "an undo was interrupted: `backport undo` finishes it, `backport abort` takes it back"
            )
        return
    if state is None:
        write_json(json, {"phase": None})
        if json != "-":
            print("no run in progress")
        return
    clash = state.clash
    write_json(
        json,
        {
            "phase": state.phase,
            "branch": state.branch,
            "target": state.target,
            "done": len(state.steps),
            "total": len(state.items),
            "tip": state.tip,
            "conflict": conflict_json(state),
            "missing": missing_json(state),
            "doubts": list(clash.doubts) if clash is not None else [],
            "worktree": state.worktree,
        },
    )
    if json == "-":
        return
    branch = state.target.removeprefix("refs/heads/")
    if state.target != state.branch:
        branch += f", to be created from {state.branch.removeprefix('refs/heads/')}"
    owner = journal.owner()
    total = counted(len(state.items), "patch") if state.items else "? patches"
    print(f"{branch}: {len(state.steps)} of {total}, phase {state.phase}")
    if clash is not None and state.worktree is not None:
        from backport.report.page import say
        from backport.run import conflict
        from backport.run.stop import help_lines

        folder = Path(state.worktree)
        if not folder.is_dir():
            say(f"stopped on {clash.what}; {conflict.gone(folder)}:")
            say(f"  {conflict.SKIP_OR_ABORT}")
            return
        say(f"stopped on {clash.what}, laid out in {state.worktree}:")
        left = conflict.unresolved(found, folder)
        laid = clash.laid_by_path
        names = {path: laid[path].path if path in laid else path for path, _ in clash.clashes}
        marks = {path: "unresolved" if name in left else "resolved" for path, name in names.items()}
        for line in help_lines(clash, state.branch.removeprefix("refs/heads/"), marks):
            say(line)
        say(f"{clash.way_on}; or `backport skip`, or `backport abort`{clash.other_way_on}")
    elif owner is not None:
        print(f"running in process {owner}")
    else:
        print("interrupted: `backport continue` or `backport abort`")


def _may_run(repo: Path | None) -> bool:
    """False where there is certainly no run: most of what reads one need not be loaded then."""
    from backport.commands.here import environment
    from backport.gateway.stage import Stage

    common = Stage(repo or Path(), environment().for_git()).common_dir()
    left = ("run/state.json", "branches.json", "undoing.json")
    return common is None or any((common / "backport" / name).exists() for name in left)


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


def _together(repo: Repo, go: Callable[[Screen], Carried], out: _Out, *, keep_going: bool) -> None:
    from backport.commands import together

    together.carry(repo, go, out.json, out.reports, out.ctx, keep_going=keep_going)


def _proof(keep_going: bool) -> Proof:
    from backport.run.proof import Proof

    return Proof(keep_going)


class _Out(Struct, frozen=True):
    """Where the result goes besides the screen; ``name`` is the branch as the user has named it."""

    ctx: typer.Context
    json: str | None
    reports: Reports
    name: str = ""


def _carry(
    repo: Repo, proof: Proof, go: Callable[[Progress], Result], out: _Out, settings: object
) -> None:
    from backport.errors import BackportError, RunInProgress, Unreported
    from backport.report.out import check_json, write_json
    from backport.report.page import say
    from backport.report.progress import Reporter
    from backport.report.summary import stopped_json, summary, to_json
    from backport.run.journal import Journal

    json, reports = out.json, out.reports
    check_json(json)
    reports.begin(out.ctx)
    begun = time.monotonic()
    journal = Journal(repo.state_dir)
    before = journal.readable() if reports.wanted else None
    heard: Listener | None = None
    try:
        validating = _validating(repo, settings)
        with Reporter(validating=validating, ends_at_failure=not proof.keep_going) as progress:
            heard = _listening(progress) if reports.wanted else None
            result = go(heard or progress)
    except KeyboardInterrupt:
        raise _interrupted(repo, journal) from None
    except BackportError as error:
        if interrupts.came():  # a git that ran in the foreground was interrupted with us
            raise _interrupted(repo, journal) from None
        state, failed = journal.readable(), error
        write_json(json, stopped_json(error, state) if json else {})
        # The state of another run, which is in the way, is not what this one came to.
        known = (None, None) if isinstance(error, RunInProgress) else (before, state)
        if heard is not None:
            from backport.export.listener import stopped

            record = stopped(heard, out.name, *known, failed)
            reports.write(out.ctx, repo, lambda: record)
        raise
    seconds = time.monotonic() - begun
    try:
        write_json(json, to_json(result, seconds) if json else {})
        if heard is not None:
            from backport.export.listener import finished

            ended = finished(heard, result)
            reports.write(out.ctx, repo, lambda: ended, result.state.settings)
        if json != "-":
            say(summary(result, seconds))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (BackportError, OSError) as error:
        why = error.message if isinstance(error, BackportError) else f"stdout: {error.strerror}"
        branch, tip = result.state.target.removeprefix("refs/heads/"), result.tip[:12]
        raise Unreported(
            f"{branch} has moved to {tip}, but the report of that could not be written: {why}",
            f"the run is done: `git log {branch}` shows it",
        ) from error


def _listening(progress: Progress) -> Listener:
    from backport.export.listener import Listener

    return Listener(progress)


def _interrupted(repo: Repo, journal: Journal) -> Interrupted:
    """What is left of a run that the user has interrupted."""
    from backport.errors import Interrupted
    from backport.run.moving import has_moved

    if has_moved(repo, journal):
        return Interrupted(
            "interrupted; the branch has moved", "`backport continue` clears up what is left"
        )
    if not journal.file.exists():
        return Interrupted("interrupted before the run had begun; nothing was changed")
    again = "`backport continue` resumes the run, `backport abort` drops it"
    return Interrupted("interrupted; no branch has moved", again)


def _validating(repo: Repo, settings: object) -> bool:
    from backport.config import Settings, level_of
    from backport.levels import Level
    from backport.run.journal import Journal

    if settings is None:
        state = Journal(repo.state_dir).read()
        settings = state.settings if state else Settings()
    assert isinstance(settings, Settings)
    return level_of(settings)[0] is not Level.NONE
