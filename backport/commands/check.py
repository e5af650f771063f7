# SPDX-License-Identifier: GPL-2.0-or-later
"""``check``: what is staged, a commit, or every commit of a range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

from backport.commands import options as opt

if TYPE_CHECKING:
    from backport.config import Settings
    from backport.gateway.repository import Repo
    from backport.verdicts import StepVerdict
    from series.model import Oid


def check(
    repo: opt.RepoDir = None,
    commit: Annotated[
        Optional[str],  # noqa: UP045 - typer evaluates it at run time
        typer.Option("--commit", metavar="REV", help="Check this commit (for `git bisect run`)."),
    ] = None,
    commits: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--range", metavar="A..B", help="Check every commit of a range."),
    ] = None,
    validate: opt.Validate = None,
    build: opt.Build = None,
    profile: opt.Profile = None,
    accept: opt.Accept = None,
    keep_going: opt.KeepGoing = False,
    jobs: opt.Jobs = None,
    json: opt.Json = None,
) -> None:
    """Check what is staged: patches parse, their order holds, the core still translates."""
    from backport.commands.here import open_repo
    from backport.errors import UsageError

    if commit is not None and commits is not None:
        raise UsageError("--commit and --range exclude each other")
    found = open_repo(repo)
    settings = opt.settings_of(
        found,
        None,
        validate=validate,
        build=build,
        profile=profile,
        accept=tuple(accept or ()),
        jobs=jobs,
    )
    if commits is not None:
        _check_range(found, settings, commits, keep_going, json)
    elif commit is not None:
        _check_commit(found, settings, found.commit(commit), json)
    else:
        _check_staged(found, settings, json)


def _check_staged(repo: Repo, settings: Settings, json: str | None) -> None:
    from backport.gateway.changed_paths import changed_paths
    from backport.gateway.index import staged_tree
    from backport.gateway.trees import TreeView
    from backport.report.out import write_json
    from backport.report.page import fold, page_width
    from backport.report.summary import verdict_json
    from backport.validate import staged as core

    head = repo.head()
    tree = staged_tree(repo, repo.environment.get("GIT_INDEX_FILE"))
    changed = changed_paths(repo, repo.tree(head).id if head else None, tree)
    looked = core.look_at_patches(repo, TreeView(repo.objects, tree), changed)
    verdict: StepVerdict | None = None
    why = "the core is not touched"
    if not looked.complaints and changed:
        verdict, why = _check_core(
            repo, settings, TreeView(repo.objects, tree), head, list(changed)
        )
    write_json(
        json,
        {
            "patches": looked.patches,
            "series": looked.series,
            "complaints": [{"path": c.path, "what": c.what} for c in looked.complaints],
            "verdicts": verdict_json(verdict),
        },
    )
    if json != "-":
        for complaint in looked.complaints:
            where = "" if complaint.what.startswith(complaint.path) else f"{complaint.path}: "
            print(f"{where}{complaint.what}")
        if verdict is not None:
            print(f"core: {verdict.state.value}: {', '.join(v.summary for v in verdict.verdicts)}")
            if text := verdict.explain():
                print(fold(text, page_width()))
        elif not looked.complaints:
            print(f"checked: {len(changed)} paths, {looked.patches} patches; {why}")
    if looked.complaints:
        raise typer.Exit(1)
    _exit_with(verdict, hook=True)


def _check_core(
    repo: Repo, settings: Settings, tree: object, head: Oid | None, changed: list[bytes]
) -> tuple[StepVerdict | None, str]:
    from backport.config import level_of
    from backport.gateway.trees import TreeView
    from backport.levels import Level
    from backport.run.journal import Journal
    from backport.validate.prover import Prover, Target
    from backport.validate.staged import reaches_core
    from emu.profile import load_profile

    assert isinstance(tree, TreeView)
    level, why = level_of(settings)
    if level is Level.NONE or head is None:
        return None, why
    source = load_profile(settings.profile).core_source.encode()
    if level is Level.OBJECT and not reaches_core(tree, source, changed):
        return None, "nothing that reaches the core"
    who = repo.committer()
    staged = repo.write_commit(tree.id, head, who, who, b"staged\n")
    with Journal(repo.state_dir).locked(), Prover(repo, settings) as prover:
        return prover.prove_one(Target(1, staged, "what is staged"), whole=False), ""


def _check_commit(repo: Repo, settings: Settings, commit: Oid, json: str | None) -> None:
    from backport.report.out import write_json
    from backport.report.page import fold, page_width
    from backport.report.summary import verdict_json
    from backport.run.journal import Journal
    from backport.validate.prover import Prover, Target

    subject = repo.message(commit).split(b"\n", 1)[0].decode("utf-8", "replace")
    with Journal(repo.state_dir).locked(), Prover(repo, _needing_build(settings)) as prover:
        verdict = prover.prove_one(Target(1, commit, subject))
    write_json(json, {"commit": commit, "verdicts": verdict_json(verdict)})
    if json != "-":
        said = ", ".join(f"{v.validator}: {v.summary}" for v in verdict.verdicts)
        print(f"{verdict.state.value}: {commit[:12]} {subject}: {said}")
        if text := verdict.explain():
            print(fold(text, page_width()))
    _exit_with(verdict)


def _check_range(
    repo: Repo, settings: Settings, commits: str, keep_going: bool, json: str | None
) -> None:
    from backport.gateway.changed_paths import changed_paths
    from backport.planning.sources import find_source, read_source
    from backport.report.out import write_json
    from backport.report.progress import Reporter
    from backport.report.summary import verdict_json
    from backport.run.journal import Journal
    from backport.validate import staged as core
    from backport.validate.prover import Prover, Target
    from backport.verdicts import State
    from series.model import shown

    source = find_source(repo, commits)
    patches = read_source(repo, source).patches
    targets = [
        Target(n, patch.commit, shown(patch.subject))
        for n, patch in enumerate(patches, 1)
        if patch.commit is not None
    ]
    complaints = []
    for patch in patches:
        if patch.commit is None:
            continue
        tree = repo.tree(patch.commit)
        old = repo.tree(patch.parent).id if patch.parent else None
        looked = core.look_at_patches(repo, tree, changed_paths(repo, old, tree.id))
        complaints += [(patch.commit, complaint) for complaint in looked.complaints]
    with (
        Journal(repo.state_dir).locked(),
        Reporter(validating=True) as progress,
        Prover(repo, _needing_build(settings)) as prover,
    ):
        for note in prover.notes:
            progress.note(note)
        progress.phase("check", len(targets))

        def tell(verdict: StepVerdict) -> None:
            progress.verdict(verdict.number, len(targets), verdict)

        verdicts = prover.prove(targets, tell, keep_going=keep_going)
    write_json(
        json,
        {
            "complaints": [{"commit": c, "path": x.path, "what": x.what} for c, x in complaints],
            "commits": [
                {"commit": v.commit, "subject": v.subject, "verdicts": verdict_json(v)}
                for v in verdicts
            ],
        },
    )
    failed = [v for v in verdicts if v.failed]
    unclear = [v for v in verdicts if v.state is State.CANNOT_TELL]
    if json != "-":
        for where, complaint in complaints:
            print(f"{where[:12]}: {complaint.path}: {complaint.what}")
        left = len(targets) - len(verdicts)
        print(
            f"{len(verdicts)} of {len(targets)} commits checked: {len(failed)} fail,"
            f" {len(unclear)} cannot be told" + (f"; {left} not reached" if left else "")
        )
    if failed or complaints:
        raise typer.Exit(1)
    if unclear:
        raise typer.Exit(125)


def _needing_build(settings: Settings) -> Settings:
    """An explicit check without a build command is an error, not a silent pass."""
    from dataclasses import replace

    from backport.levels import Level

    if settings.validate is None:
        return replace(settings, validate=Level.OBJECT)
    return settings


def _exit_with(verdict: StepVerdict | None, *, hook: bool = False) -> None:
    from backport.verdicts import State

    if verdict is None:
        return
    if verdict.state is State.FAILED:
        raise typer.Exit(1)
    if verdict.state is State.CANNOT_TELL and not hook:
        raise typer.Exit(125)
