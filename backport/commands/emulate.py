# SPDX-License-Identifier: GPL-2.0-or-later
"""``emulate``: one object file, outside any repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from backport.commands import options as opt


def emulate(
    file: Annotated[Path, typer.Argument(help="The core's object file (.o).", metavar="FILE.o")],
    profile: opt.Profile = None,
    depth: Annotated[
        Literal["scenarios", "explore"],
        typer.Option(help="The scenario table alone, or every failure of every interaction too."),
    ] = "explore",
    only: Annotated[
        str, typer.Option("--only", metavar="SCENARIO", help="Run this one scenario again.")
    ] = "",
    accept: opt.Accept = None,
    json: opt.Json = None,
) -> None:
    """Emulate the hypercall translation core of one object and show what it does."""
    from backport.config import Settings
    from backport.emulate import verdict_of
    from backport.errors import UsageError
    from backport.report.emulated import show_report
    from backport.report.out import write_json
    from backport.verdicts import State
    from emu.object import emulate_object
    from emu.profile import load_profile

    try:
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    chosen = load_profile(profile or Settings().profile)
    report = emulate_object(data, chosen, depth=depth, only=only or None)
    write_json(json, report.to_json() if json else {})
    verdict = verdict_of(report, tuple(accept or ()))
    if json != "-":
        show_report(report, verdict, str(file))
    if verdict.state is State.FAILED:
        raise typer.Exit(1)
    if verdict.state is not State.PASSED:
        raise typer.Exit(125)
