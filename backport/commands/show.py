# SPDX-License-Identifier: GPL-2.0-or-later
"""``show``: what is noted of a commit."""

from __future__ import annotations

from typing import Annotated

import typer

from backport.commands import options as opt


def show(
    commit: Annotated[str, typer.Argument(metavar="COMMIT", help="The commit.")],
    repo: opt.RepoDir = None,
    json: opt.Json = None,
) -> None:
    """Show how far a commit is proven, as --notes has noted it, and whose word that is."""
    from backport.commands.here import open_repo
    from backport.errors import ExitCode
    from backport.export.commit_notes import REF, read_note
    from backport.report.out import check_json, write_json
    from backport.report.page import say
    from series.model import shown

    check_json(json)
    found = open_repo(repo)
    oid = found.commit(commit)
    settings = opt.settings_of(found, None)
    note = read_note(found, oid, settings.notes_key)
    write_json(
        json,
        {
            "commit": oid,
            "noted": note is not None,
            "lines": [list(line) for line in note.lines] if note else [],
            "text": note.text if note else "",
            "signer": (note.signer or None) if note else None,
            "counts": note.counts if note else False,
        },
    )
    if json != "-":
        subject = shown(found.message(oid).split(b"\n", 1)[0])
        say(f"{oid[:12]} {subject}")
        if note is None:
            say(f"  nothing is noted of it in {REF}")
        else:
            for key, value in note.lines:
                say(f"  {key}: {value}")
            for line in note.text.splitlines():
                say(f"  in another form: {line}")
            if note.counts:
                say(f"  signed by {note.signer}, a key of backport.notesKey")
            elif note.signer:
                say(f"  signed by {note.signer}, which is no key of backport.notesKey: only words")
            else:
                say("  not signed: the words of whoever can write to this repository")
    if note is None:
        raise typer.Exit(int(ExitCode.CANNOT_TEST))
