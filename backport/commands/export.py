# SPDX-License-Identifier: GPL-2.0-or-later
"""``export``: a branch's commits as mails or as a quilt series, proven to come back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backport.commands import options as opt

if TYPE_CHECKING:
    from backport.export.mails import Cover


def export(
    repo: opt.RepoDir = None,
    branches: Annotated[
        list[str] | None,
        typer.Option(
            "--branch", "-b", metavar="NAME", help="The branch to export; may be repeated."
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="REV",
            help="Export what comes after this commit; {branch} and {version} stand for the branch's.",
        ),
    ] = None,
    mbox: Annotated[
        str | None,
        typer.Option(
            "--mbox",
            metavar="FILE",
            help="Write mails into one file ('-' for stdout); a pattern as in --since.",
        ),
    ] = None,
    folder: Annotated[
        str | None,
        typer.Option(
            "--folder",
            metavar="DIR",
            help="Write a file a mail into a new folder; a pattern as in --since.",
        ),
    ] = None,
    quilt: Annotated[
        str | None,
        typer.Option(
            "--quilt",
            metavar="DIR",
            help="Write a quilt series into a new folder; a pattern as in --since.",
        ),
    ] = None,
    cover: Annotated[
        str | None,
        typer.Option(
            "--cover",
            metavar="FILE|none",
            help="The cover letter: its first line is the subject (default: what was done, for"
            " several patches in a folder).",
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--base-commit",
            metavar="REV",
            help="What the mails say they are based on (default: --since); commits between are named"
            " as prerequisites.",
        ),
    ] = None,
    posted: Annotated[
        str | None,
        typer.Option(
            "--posted",
            metavar="SRC",
            help="What was posted before, as --series takes it: the cover letter gets a range-diff.",
        ),
    ] = None,
    reroll: Annotated[
        int | None, typer.Option("--reroll", metavar="N", min=1, help="Mark the mails as v N.")
    ] = None,
    prefix: Annotated[
        str, typer.Option("--prefix", metavar="TEXT", help="What subjects begin with in brackets.")
    ] = "PATCH",
    cc: Annotated[
        bool,
        typer.Option("--cc", help="Add a Cc: header for the authors and the people in trailers."),
    ] = False,
    json: opt.Json = None,
) -> None:
    """Write a branch's commits as mails or as a quilt series that is proven to go on again."""
    from backport.commands.here import open_repo
    from backport.counted import counted
    from backport.errors import UsageError
    from backport.export.mails import Shape
    from backport.export.outgoing import Form, Wish, export, named
    from backport.report.out import check_json, write_json
    from backport.report.page import fold, is_live, page_width
    from series.model import shown

    given = [
        (form, value) for form, value in zip(Form, (mbox, folder, quilt), strict=True) if value
    ]
    if len(given) != 1:
        raise UsageError("give one of --mbox, --folder and --quilt: where to, and as what")
    if since is None:
        raise UsageError("no start given", "--since REV: the commit that the recipients have")
    check_json(json)
    found = open_repo(repo)
    settings = opt.settings_of(found, branches[0] if branches else None)
    form, where = given[0]
    wishes = [
        Wish(
            branch,
            named(since, branch),
            form,
            named(where, branch),
            Shape(prefix, reroll, cc=cc),
            None if cover in (None, "none") else _cover(cover or ""),
            None if cover is None else cover != "none",
            named(base, branch) if base else None,
            named(posted, branch) if posted else None,
        )
        for branch in branches or [opt.branch_of(settings)]
    ]
    if len({wish.where for wish in wishes}) < len(wishes):
        raise UsageError(
            f"{where} is one place for several branches", "put {branch} or {version} in it"
        )
    done = [export(found, wish, settings) for wish in wishes]
    write_json(
        json,
        {
            "exported": [
                {
                    "branch": one.branch,
                    "where": one.where,
                    "form": one.form,
                    "patches": [
                        {"commit": patch.commit, "subject": shown(patch.subject)}
                        for patch in one.patches
                    ],
                    "notes": list(one.notes),
                }
                for one in done
            ]
        },
    )
    if json == "-":
        return
    lines = []
    for one in done:
        by = "quilt push" if form is Form.QUILT else "git am"
        count = counted(len(one.patches), "patch")
        lines.append(
            f"{one.where}: {count} of {one.branch}; {by} puts them on again, with the same trees"
        )
        lines += [f"  {note}" for note in one.notes]
    if form is not Form.QUILT and not cc:
        lines.append(
            "  no addresses were added; `git send-email` adds those in trailers, unless --suppress-cc=all"
        )
    out = sys.stderr if where == "-" else sys.stdout
    for line in lines:
        print(fold(line, page_width(out)) if is_live(out) else line, file=out)


def _cover(file: str) -> Cover:
    from backport.errors import UsageError
    from backport.export.mails import Cover

    try:
        text = Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(f"--cover {file}: {why}") from error
    subject, _, body = text.strip().partition("\n")
    if not subject:
        raise UsageError(f"--cover {file}: its first line, the subject, is empty")
    return Cover(subject, body.strip("\n"))
