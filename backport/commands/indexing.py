# SPDX-License-Identifier: GPL-2.0-or-later
"""``index``: what the branches state of each other, kept, so that a pick need not read history."""

from __future__ import annotations

from typing import Annotated

import typer

from backport.commands import options as opt


def index(
    repo: opt.RepoDir = None,
    upstream: opt.Upstream = None,
    drop: Annotated[bool, typer.Option("--drop", help="Remove the index.")] = False,
    json: opt.Json = None,
) -> None:
    """Read what stable branches have of each other once; build the index, or bring it up to date."""
    import time

    from backport.commands.here import open_repo
    from backport.history.index.ledger import index_path
    from backport.history.index.update import update
    from backport.history.siblings import branch_tips, sibling_pairs
    from backport.report.out import check_json, write_json
    from backport.report.tally_line import counting

    found = open_repo(repo)
    check_json(json)
    path = index_path(found)
    if drop:
        was = path.is_file()
        for name in (path.name, f"{path.name}-journal"):
            path.with_name(name).unlink(missing_ok=True)
        write_json(json, {"dropped": was})
        if json != "-":
            print(f"{path} is removed" if was else "there is no index")
        return
    settings = opt.settings_of(found, None, upstream=upstream)
    begun = time.monotonic()
    pairs = list(sibling_pairs(found))
    top, tips = None, branch_tips(found)
    if settings.upstream is not None:
        top = found.branch_tip(settings.upstream)
        pairs += [(tip, top) for tip in tips if tip != top]
    with counting("history read") as count:
        done = update(found, pairs, count, top, tips)
    seconds = time.monotonic() - begun
    sides = done.kept_sides
    document = {
        "kept": done.kept,
        "made": done.made,
        "dropped": done.dropped,
        "bytes": done.size,
        "commits": sides.commits,
        "commits_read": sides.read_commits,
        "rebuilt": done.rebuilt,
        "seconds": round(seconds, 3),
    }
    write_json(json, document)
    if json != "-":
        why = f"; made anew: {done.rebuilt}" if done.rebuilt else ""
        print(
            f"{done.made + done.kept} pairs of branches, {done.made} read, {done.kept} known,"
            f" {done.dropped} dropped\n{sides.commits} commits of {sides.branches} branches and"
            f" upstream, {sides.read_commits} read; {done.size / 1024:.0f} KiB in {seconds:.1f} s{why}"
        )
