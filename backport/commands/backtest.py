# SPDX-License-Identifier: GPL-2.0-or-later
"""``backtest``: the engine on the repository's own past."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backport.commands import options as opt


def backtest(
    repo: opt.RepoDir = None,
    branches: Annotated[
        list[str] | None,
        typer.Option(
            "--branch", "-b", metavar="NAME", help="A stable branch to look at; may be repeated."
        ),
    ] = None,
    tasks: Annotated[
        Path | None,
        typer.Option(
            "--tasks",
            metavar="FILE",
            help="JSON lines with branch, backport and upstream; default: found on the branches.",
        ),
    ] = None,
    sample: Annotated[
        int | None, typer.Option("--sample", metavar="N", min=1, help="Only N of the tasks.")
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", help="Which ones --sample chooses.")
    ] = 0,
    upstream: opt.Upstream = None,
    jobs: opt.Jobs = None,
    json: opt.Json = None,
) -> None:
    """Do real backports again and compare with what the maintainer committed."""
    from backport.backtest.course import run
    from backport.backtest.tasks import LeftOut, Task, feasible, find_tasks, read_tasks, sampled
    from backport.commands.here import open_repo
    from backport.errors import UsageError
    from backport.report.backtested import backtest_json, show_backtest
    from backport.report.out import write_json

    found = open_repo(repo)
    settings = opt.settings_of(found, None, upstream=upstream, jobs=jobs)
    if tasks is not None:
        given = read_tasks(tasks)
        if branches:
            given = tuple(task for task in given if task.branch in branches)
    else:
        named = branches or ([settings.branch] if settings.branch else [])
        if not named:
            raise UsageError("no branch given", "--branch NAME, or --tasks FILE")
        if settings.upstream is None:
            raise UsageError("no upstream given", "--upstream REF: where the branches come from")
        given = find_tasks(found, named, settings.upstream)
    checked = list(feasible(found, sampled(given, sample, seed)))
    wanted = [one for one in checked if isinstance(one, Task)]
    left_out = [one for one in checked if isinstance(one, LeftOut)]
    done = run(found, wanted, settings.jobs)
    rows = [one for one in done if not isinstance(one, LeftOut)]
    left_out += [one for one in done if isinstance(one, LeftOut)]
    write_json(json, backtest_json(rows, left_out))
    if json != "-":
        show_backtest(rows, left_out)
