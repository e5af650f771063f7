# SPDX-License-Identifier: GPL-2.0-or-later
"""``refresh``: a quilt series carried to a new upstream release."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backport.commands import options as opt


def refresh(
    series: Annotated[
        Path,
        typer.Option("--series", "-s", metavar="FILE", help="The series file of a quilt series."),
    ],
    onto: Annotated[
        str, typer.Option("--onto", metavar="REV", help="The release that it is to go on.")
    ],
    repo: opt.RepoDir = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", "-t", metavar="DIR", help="Write the refreshed series as this new folder."
        ),
    ] = None,
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place", "-i", help="Replace the folder of the series, all of it at once."
        ),
    ] = False,
    result: Annotated[
        str | None,
        typer.Option(
            "--result",
            metavar="NAME",
            help="A branch that apply --to has made of the series, with its conflicts resolved.",
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            "--drop",
            metavar="NAME",
            help="Leave out this patch, or those that a pattern names; may be repeated.",
        ),
    ] = None,
    fuzz: opt.Fuzz = None,
    partial: opt.Partial = None,
    json: opt.Json = None,
) -> None:
    """Carry a quilt series to a new release: what fits stays byte for byte, what is there is dropped."""
    from collections import Counter

    from backport.commands.here import open_repo
    from backport.counted import counted
    from backport.errors import UsageError
    from backport.export.refreshing import Fare
    from backport.export.refreshing import refresh as carry
    from backport.report.out import check_json, write_json
    from backport.report.page import say

    if to is not None and in_place:
        raise UsageError("give one of --to and --in-place")
    if to is not None and to.is_dir() and any(to.iterdir()):
        raise UsageError(f"--to {to}: there are files in it", "name a folder that is not there yet")
    check_json(json)
    found = open_repo(repo)
    settings = opt.settings_of(found, None, fuzz=fuzz, partial=partial)
    done = carry(found, settings, series, onto, result, to, in_place=in_place, drop=drop or ())
    write_json(
        json,
        {
            "onto": found.commit(onto),
            "patches": [
                {
                    "name": one.name,
                    "fate": one.fare,
                    "why": one.why,
                    "there_already": list(one.parts),
                }
                for one in done
            ],
        },
    )
    if json == "-":
        return
    for one in done:
        if one.fare is not Fare.KEPT:
            why = f": {one.why}" if one.why else ""
            say(f"{one.fare} {one.name}{why}")
            for part in one.parts:
                say(f"  {part}")
    counts = Counter(one.fare for one in done)
    said = ", ".join(f"{counts[fare]} {fare}" for fare in Fare if counts[fare])
    written = (
        f"written to {to or series.parent}, and quilt pushes all of it"
        if to or in_place
        else "nothing was written: --to DIR or --in-place"
    )
    say(f"{counted(len(done), 'patch')} onto {onto}: {said}; {written}")
