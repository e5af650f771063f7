# SPDX-License-Identifier: GPL-2.0-or-later
"""``check``: what is staged, a commit, or every commit of a range."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from backport.commands import options as opt
from backport.commands.for_ci import Reports
from backport.commands.parsing import OPTIONAL_RANGE
from backport.levels import Level

if TYPE_CHECKING:
    from backport.config import Settings
    from backport.gateway.repository import Repo
    from backport.verdicts import State


def check(
    ctx: typer.Context,
    repo: opt.RepoDir = None,
    commit: Annotated[
        str | None,
        typer.Option("--commit", metavar="REV", help="Check this commit (for `git bisect run`)."),
    ] = None,
    commits: Annotated[
        str | None,
        typer.Option(
            "--range",
            "-r",
            metavar=OPTIONAL_RANGE,
            help="Check every commit of a range; without A..B, those that upstream does not have.",
        ),
    ] = None,
    message: Annotated[
        Path | None,
        typer.Option(
            "--message",
            metavar="FILE",
            help="Check a commit message: the commits that it names exist, are on upstream, and"
            " have the subject that it quotes.",
        ),
    ] = None,
    pushed: Annotated[
        str | None,
        typer.Option("--pushed", metavar="REMOTE", help="As a pre-push hook.", hidden=True),
    ] = None,
    validate: opt.Validate = None,
    build: opt.Build = None,
    sandbox: opt.Sandboxed = None,
    audit: opt.Audited = None,
    profile: opt.Profile = None,
    accept: opt.Accept = None,
    keep_going: opt.KeepGoing = False,
    jobs: opt.Jobs = None,
    json: opt.Json = None,
    junit: opt.Junit = None,
    sarif: opt.Sarif = None,
    annotations: opt.Annotate = None,
    html: opt.Html = None,
    notes: opt.Notes = False,
) -> None:
    """Check what is staged: patches parse, their order holds, the core still translates."""
    from backport.commands.here import open_repo, refuse_hook_of_another
    from backport.errors import UsageError
    from backport.report.out import write_json

    if repo is None:
        refuse_hook_of_another()
    asked = [one for one in (commit, commits, message, pushed) if one is not None]
    if len(asked) > 1:
        raise UsageError("give one of --commit, --range and --message")
    reports = Reports(junit, sarif, annotations, html, notes)
    if reports.wanted and (message is not None or pushed is not None):
        raise UsageError(
            "a message is not a step: --junit, --sarif, --annotations, --html and --notes do not fit it"
        )
    if notes and not asked:
        raise UsageError(
            "--notes: what is staged is no commit yet", "--range A..B, or --commit REV"
        )
    reports.begin(ctx)
    if not reports.wanted and not asked and _nothing_to_do(repo, validate, build, profile, json):
        return
    from backport.export import listener
    from backport.report import checked as report
    from backport.report.progress import Reporter
    from backport.run import checks
    from backport.validate.prover import Target
    from series.model import shown

    begun = time.monotonic()

    found = open_repo(repo)
    settings = opt.settings_of(
        found,
        None,
        validate=validate,
        build=build,
        sandbox=sandbox,
        audit=audit,
        profile=profile,
        accept=tuple(accept or ()),
        jobs=jobs,
    )
    if message is not None:
        _check_message(found, message, settings, json)
    elif pushed is not None:
        _check_pushed(found, pushed, settings)
    elif commits is not None:
        with Reporter(validating=True) as progress:
            checked = checks.check_range(
                found, _needing_build(settings), commits, progress, keep_going=keep_going
            )
        write_json(json, report.range_json(checked))
        reports.write(
            ctx, found, lambda: listener.checked(commits, checked, _since(begun)), settings
        )
        if json != "-":
            report.show_range(checked)
        _exit_with(*(verdict.state for verdict in checked.verdicts), wrong=bool(checked.complaints))
    elif commit is not None:
        oid = found.commit(commit)
        subject = shown(found.message(oid).split(b"\n", 1)[0])
        verdict = checks.check_commit(found, _needing_build(settings), oid, subject)
        write_json(json, report.commit_json(verdict))
        one = checks.Checked(1, (verdict,), (), "", (Target(1, oid, subject),))
        reports.write(ctx, found, lambda: listener.checked(commit, one, _since(begun)), settings)
        if json != "-":
            report.show_commit(verdict)
        _exit_with(verdict.state)
    else:
        staged = checks.check_staged(found, settings)
        write_json(json, report.staged_json(staged))
        reports.write(ctx, found, lambda: listener.checked_staged(staged, _since(begun)))
        if json != "-":
            report.show_staged(staged)
        # A hook lets pass what cannot be judged: else it would stop every commit to such a tree.
        _exit_with(wrong=bool(staged.looked.complaints) or staged.failed)


def _since(begun: float) -> float:
    return time.monotonic() - begun


def _check_message(repo: Repo, file: Path, settings: Settings, json: str | None) -> None:
    from msgspec import to_builtins

    from backport.report.checked import show_message
    from backport.report.out import write_json
    from backport.run.message_check import check_message

    done = check_message(repo, file.read_bytes(), settings.upstream)
    write_json(json, to_builtins(done))
    if json != "-":
        show_message(done)
    _exit_with(wrong=bool(done.wrong))


def _check_pushed(repo: Repo, remote: str, settings: Settings) -> None:
    """Every commit that is pushed; what cannot be judged is said and lets pass, as before a commit."""
    import sys

    from backport.report import checked as report
    from backport.report.progress import Reporter
    from backport.run import checks
    from backport.run.pushed import pushed_ranges
    from backport.verdicts import State

    wrong = False
    for one in pushed_ranges(repo, remote, settings.upstream, sys.stdin):
        if one.commits is None:
            report.show_unknown_start(one.branch)
            continue
        with Reporter(validating=True) as progress:
            checked = checks.check_range(repo, settings, one.commits, progress, keep_going=False)
        report.show_range(checked)
        failed = any(verdict.state is State.FAILED for verdict in checked.verdicts)
        wrong = wrong or failed or bool(checked.complaints)
    _exit_with(wrong=wrong)


def _nothing_to_do(
    repo: Path | None,
    validate: Level | None,
    build: str | None,
    profile: str | None,
    json: str | None,
) -> bool:
    """Whether nothing that is staged concerns the checks; that is said, and nothing else is loaded."""
    from backport.commands.here import environment
    from backport.report.out import write_json
    from backport.report.unconcerned import show_unconcerned, unconcerned_json
    from backport.run.unconcerned import unconcerned

    around = environment()
    index = around.get("GIT_INDEX_FILE")
    env = around.for_git() | ({"GIT_INDEX_FILE": index} if index else {})
    why = unconcerned(repo or Path(), env, validate, build, profile)
    if why is None:
        return False
    write_json(json, unconcerned_json())
    if json != "-":
        show_unconcerned(why)
    return True


def _needing_build(settings: Settings) -> Settings:
    """An explicit check without a build command is an error, not a silent pass."""
    if settings.validate is None and settings.build is None:
        return replace(settings, validate=Level.OBJECT)
    return settings


def _exit_with(*states: State, wrong: bool = False) -> None:
    from backport.errors import ExitCode
    from backport.verdicts import State

    if wrong or State.FAILED in states:
        raise typer.Exit(int(ExitCode.FAILED))
    if State.CANNOT_TELL in states:
        raise typer.Exit(int(ExitCode.CANNOT_TEST))
