# SPDX-License-Identifier: GPL-2.0-or-later
"""``undo``: the last move taken back."""

from __future__ import annotations

from typing import Annotated

import typer

from backport.commands import options as opt


def undo(
    repo: opt.RepoDir = None,
    branches: Annotated[
        list[str] | None,
        typer.Option(
            "--branch",
            "-b",
            metavar="NAME",
            help="Take back the last move of this branch alone (default: the last move of all, with"
            " every branch that it moved); may be repeated.",
        ),
    ] = None,
    json: opt.Json = None,
) -> None:
    """Take back the last move, of all branches that one run moved, if nothing has been built on it."""
    from backport.commands.here import open_repo
    from backport.report.out import check_json, write_json
    from backport.report.page import say
    from backport.run.undoing import undo as take_back

    check_json(json)
    done = take_back(open_repo(repo), branches or ())
    write_json(
        json,
        {
            "undone": [
                {"ref": ref.ref, "from": ref.new, "to": ref.old, "what": one.what}
                for one in done.moves
                for ref in one.refs
            ],
            "already": [{"ref": ref.ref, "from": ref.new, "to": ref.old} for ref in done.already],
        },
    )
    if json == "-":
        return
    for ref in done.already:
        was = f"was at {ref.old[:12]}" if ref.old else "was gone"
        say(f"{ref.name} {was} already")
    for one in done.moves:
        for ref in one.refs:
            back = f"is back at {ref.old[:12]}" if ref.old else "is removed again"
            say(f"{ref.name} {back}; `git show {ref.new[:12]}` has what it was ({one.what})")
