# SPDX-License-Identifier: GPL-2.0-or-later
"""``emulate``: one object file, outside any repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from backport.commands import options as opt

if TYPE_CHECKING:
    from emu.profile import Profile


def emulate(
    file: Annotated[
        Path | None,
        typer.Argument(help="The core's object file, or a linked image.", metavar="FILE"),
    ] = None,
    profile: opt.Profile = None,
    depth: Annotated[
        Literal["scenarios", "explore"],
        typer.Option(help="Run the scenarios alone, or make every interaction fail as well."),
    ] = "explore",
    only: Annotated[
        str, typer.Option("--only", metavar="SCENARIO", help="Run this one scenario again.")
    ] = "",
    unreached: Annotated[
        bool, typer.Option("--unreached", help="List every source line that was never reached.")
    ] = False,
    probe: Annotated[
        Path | None,
        typer.Option(
            help="The compiled probe of the same tree, for its constants and types.",
            metavar="OBJECT",
        ),
    ] = None,
    print_probe: Annotated[
        bool, typer.Option("--print-probe", help="Print the probe's source and exit.")
    ] = False,
    why: Annotated[
        bool,
        typer.Option(
            "--why", help="Show what is known of the tree, and from where; judge nothing."
        ),
    ] = False,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Boot an image on the profile's other machines as well."),
    ] = False,
    budget: Annotated[
        int | None,
        typer.Option(
            "--budget",
            metavar="SECONDS",
            min=1,
            help="Time for those other machines (default: 60); what it is too short for is named.",
        ),
    ] = None,
    accept: opt.Accept = None,
    json: opt.Json = None,
) -> None:
    """Emulate one object's core, or boot one image, and show what it does."""
    from backport.config import Settings
    from backport.counted import counted
    from backport.errors import UsageError
    from backport.report.emulated import show_report
    from backport.report.out import write_json
    from backport.validate.emulation import judge_boot, judge_object
    from backport.verdicts import State
    from emu.object import emulate_object
    from emu.object.probe import differences, probe_source, read_probe
    from emu.profile import load_profile, with_layouts

    named = profile or Settings().profile
    chosen = load_profile(named)
    if print_probe:
        typer.echo(probe_source(chosen), nl=False)
        return
    if file is None:
        raise UsageError("no FILE given", "the core's object file, or a linked image")
    data = _read(file)
    if deep and not is_image(data):
        raise UsageError(f"{file}: --deep is for a linked image", "an object is not booted")
    if budget is not None and not deep:
        raise UsageError("--budget is the time of --deep", "give both, or neither")
    if probe is not None:
        answers = read_probe(_read(probe), chosen)
        for line in differences(chosen, answers.constants):
            typer.echo(f"{line}: using the tree's", err=True)
        chosen = with_layouts(load_profile(named, answers.constants), answers.layouts)
    given = tuple(accept or ())
    if why:
        _show_facts(data, chosen, str(file), json)
        return
    if is_image(data):
        from backport.report.booted import show_boot
        from emu.booted.emulate import emulate_image
        from emu.booted.variants import SECONDS

        seconds = (budget or SECONDS) if deep else 0
        if deep:
            boots = counted(len(chosen.boot.variants), "boot")
            typer.echo(f"deep: {boots} on other machines, {seconds} s at most (--budget)", err=True)
        boot = emulate_image(data, chosen, only=only or None, deep=seconds)
        verdict = judge_boot(boot, given)
        write_json(json, boot.to_json() if json else {})
        if json != "-":
            show_boot(boot, verdict, str(file))
    else:
        report = emulate_object(data, chosen, depth=depth, only=only or None)
        verdict = judge_object(report, given)
        write_json(json, report.to_json() if json else {})
        if json != "-":
            show_report(report, verdict, str(file), unreached=unreached)
    if verdict.how:
        typer.echo(verdict.how, err=True)
    if verdict.state is State.FAILED:
        raise typer.Exit(1)
    if verdict.state is not State.PASSED:
        raise typer.Exit(125)


def _show_facts(data: bytes, profile: Profile, name: str, json: str | None) -> None:
    from backport.report.facts import show_facts
    from backport.report.out import write_json
    from emu.booted.facts import image_facts
    from emu.object.facts import object_facts

    facts = (image_facts if is_image(data) else object_facts)(data, profile)
    write_json(json, {"facts": [fact.to_json() for fact in facts]})
    if json != "-":
        show_facts(facts, name)


def _read(file: Path) -> bytes:
    from backport.errors import UsageError

    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error


def is_image(data: bytes) -> bool:
    """A linked ELF file (e_type ET_EXEC or ET_DYN), as opposed to an object."""
    return data[:4] == b"\x7fELF" and data[16:18] in (b"\x02\x00", b"\x03\x00")
