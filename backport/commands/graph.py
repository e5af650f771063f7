# SPDX-License-Identifier: GPL-2.0-or-later
"""``graph``: which patch depends on which, with the evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from backport.commands import options as opt
from backport.counted import counted

_Format = Literal["dot", "mermaid", "json", "svg"]
_SUFFIXES: dict[str, _Format] = {
    ".dot": "dot",
    ".gv": "dot",
    ".mmd": "mermaid",
    ".md": "mermaid",
    ".json": "json",
    ".svg": "svg",
}


def graph(
    commits: opt.Commits = None,
    branch: opt.Branch = None,
    series: opt.SeriesSrc = None,
    repo: opt.RepoDir = None,
    upstream: opt.Upstream = None,
    prerequisites: opt.Wanted = None,
    partial: opt.Partial = None,
    form: Annotated[
        _Format | None,
        typer.Option("--format", help="The format (default: by the output's extension, else dot)."),
    ] = None,
    needs: Annotated[
        list[str] | None,
        typer.Option(
            "--needs",
            metavar="N|SUBJECT",
            help="Only this patch and everything it needs; may be repeated.",
        ),
    ] = None,
    needed_by: Annotated[
        list[str] | None,
        typer.Option(
            "--needed-by",
            metavar="N|SUBJECT",
            help="Only this patch and everything that needs it; may be repeated.",
        ),
    ] = None,
    less: Annotated[
        bool, typer.Option("--reduced", help="Leave out dependencies that follow from others.")
    ] = False,
    hide_independent: Annotated[
        bool,
        typer.Option(
            "--hide-independent",
            help="Leave out patches that neither need nor are needed by others.",
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write here instead of stdout."),
    ] = None,
) -> None:
    """Write the dependency graph of a series as dot, Mermaid, JSON or SVG."""
    import json

    from backport.commands.here import open_repo
    from backport.report import graph as draw
    from backport.report.out import write_text
    from backport.run.preview import foresee
    from backport.run.relating import narrow, relate

    found = open_repo(repo)
    settings = opt.settings_of(
        found, branch, upstream=upstream, prerequisites=prerequisites, partial=partial
    )
    name = opt.branch_of(settings)
    onto = found.branch_tip(name)
    sources = opt.sources_of(found, settings, series, commits)
    outlook = foresee(found, onto, sources, settings, apart=bool(needs or needed_by))
    relation = relate(found, onto, outlook)
    part = narrow(relation, needs or (), needed_by or (), less=less, connected=hide_independent)
    picture = draw.Picture(part, relation.places)
    count, whole = len(part), len(relation.graph)
    chosen = form or _SUFFIXES.get(output.suffix if output else "", "dot")
    if chosen == "dot":
        text = draw.to_dot(picture)
    elif chosen == "mermaid":
        text = draw.to_mermaid(picture)
    elif chosen == "json":
        text = json.dumps(draw.to_json(picture), indent=1) + "\n"
    else:
        named = f"{'' if count == whole else f'{count} of '}{counted(whole, 'patch')}"
        text = draw.to_svg(picture, f"{named} onto {name}")
    if output is None:
        print(text, end="")
        return
    write_text(output, text)
    left = f" ({whole - count} not shown)" if count < whole else ""
    edges = counted(part.number_of_edges(), "dependency")
    print(f"{output}: {counted(count, 'patch')}, {edges}{left}")
