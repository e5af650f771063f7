# SPDX-License-Identifier: GPL-2.0-or-later
"""``bisect``: which patch broke it, and which one repairs it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from backport.commands import options as opt
from backport.levels import Level

if TYPE_CHECKING:
    from backport.config import Settings
    from backport.gateway.repository import Repo
    from backport.validate.prover import Target
    from series.model import Oid


def bisect(
    branch: opt.Branch = None,
    series: opt.SeriesSrc = None,
    repo: opt.RepoDir = None,
    commits: Annotated[
        Optional[str],  # noqa: UP045 - typer evaluates it at run time
        typer.Option("--range", metavar="A..B", help="Bisect commits instead of a series."),
    ] = None,
    command: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--command",
            metavar="CMD",
            help="Ask this instead of the build: 0 good, 125 cannot tell.",
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Try every step, in order.")] = False,
    upstream: opt.Upstream = None,
    validate: opt.Validate = None,
    build: opt.Build = None,
    profile: opt.Profile = None,
    accept: opt.Accept = None,
    prerequisites: opt.Wanted = None,
    partial: opt.Partial = None,
    jobs: opt.Jobs = None,
    json: opt.Json = None,
) -> None:
    """Find the first patch at which the build, the emulation or a command fails."""
    from backport.commands.here import open_repo
    from backport.errors import CannotTest, ExitCode
    from backport.report.out import write_json
    from backport.report.page import fold, page_width
    from backport.report.progress import Reporter
    from backport.run.journal import Journal
    from backport.validate import bisect as core
    from backport.validate.prover import Prover, Target
    from backport.verdicts import State, StepVerdict

    found = open_repo(repo)
    settings = opt.settings_of(
        found,
        branch,
        upstream=upstream,
        validate=Level.BUILD if command else validate,
        build=command or build,
        profile=profile,
        accept=tuple(accept or ()),
        prerequisites=prerequisites,
        partial=partial,
        jobs=jobs,
    )
    start, targets = _targets(found, settings, series, commits)
    steps = [Target(0, start, "the branch itself"), *targets]
    verdicts: dict[int, StepVerdict] = {}
    if settings.validate is None:
        settings = replace(settings, validate=Level.OBJECT if settings.build else Level.BUILD)
    lock = Journal(found.state_dir).locked()
    with lock, Prover(found, settings) as prover, Reporter(validating=True) as progress:
        for note in prover.notes:
            progress.note(note)
        known = {}
        for step in steps:
            cached = prover.known(step)
            if cached is not None:
                verdicts[step.number] = cached
                known[step.number] = cached.state
        progress.phase("bisect", len(steps) - len(known))

        def test(number: int) -> State:
            verdicts[number] = prover.prove_one(steps[number], whole=False)
            progress.verdict(number, len(targets), verdicts[number])
            return verdicts[number].state

        if every:
            for number in range(len(steps)):
                if number not in known:
                    known[number] = test(number)
        result = core.search(len(targets), test, known)
    subjects = [target.subject for target in targets]
    document = {
        "first_bad": result.first_bad,
        "last_good": result.last_good,
        "repaired_by": result.repaired_by,
        "commit": steps[result.first_bad].commit if result.first_bad is not None else None,
        "tested": result.tested,
        "from_cache": len(known),
        "untested": list(result.untested),
        "untestable": list(result.untestable),
        "subjects": subjects,
    }
    write_json(json, document)
    if json != "-":
        print(core.describe(result, subjects))
        if result.first_bad is not None:
            print(fold(verdicts[result.first_bad].explain(), page_width()))
    if result.untestable and result.first_bad is not None:
        raise typer.Exit(int(ExitCode.CANNOT_TEST))
    if result.first_bad is not None:
        raise typer.Exit(int(ExitCode.FAILED))
    if all(verdict.state is State.CANNOT_TELL for verdict in verdicts.values()):
        raise CannotTest("no step could be tested", "see what the build says: --validate build")


def _targets(
    repo: Repo, settings: Settings, series: list[str] | None, commits: str | None
) -> tuple[Oid, list[Target]]:
    from backport.errors import Conflict, MissingPrerequisite
    from backport.planning.sources import find_source, read_source
    from backport.run.preview import foresee
    from backport.validate.prover import Target
    from series.model import shown

    if commits is not None:
        source = find_source(repo, commits)
        patches = read_source(repo, source).patches
        assert source.range is not None
        targets = [
            Target(n, patch.commit, shown(patch.subject))
            for n, patch in enumerate(patches, 1)
            if patch.commit is not None
        ]
        return source.range[0], targets
    onto = repo.commit(opt.branch_of(settings))
    outlook = foresee(repo, onto, opt.sources_of(repo, settings, series), settings)
    if outlook.blockers:
        raise MissingPrerequisite(
            "the series lacks a prerequisite", "`backport plan` names it; --prerequisites take"
        )
    if outlook.stopped is not None:
        raise Conflict(
            f"{outlook.stopped[0].name} does not go on", "`backport apply` lays the conflict out"
        )
    made = [
        (step, outlook.plan.patch(repo, step.item)) for step in outlook.state.steps if step.commit
    ]
    return onto, [
        Target(n, step.commit, shown(patch.subject))
        for n, (step, patch) in enumerate(made, 1)
        if step.commit is not None
    ]
