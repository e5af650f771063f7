# SPDX-License-Identifier: GPL-2.0-or-later
"""``status``: where a run stands."""

from __future__ import annotations

from pathlib import Path

from backport.commands import options as opt
from backport.counted import counted


def status(repo: opt.RepoDir = None, json: opt.Json = None) -> None:
    """Show where a run stands."""
    from backport.report.out import write_json

    if not _may_run(repo):
        write_json(json, {"phase": None})
        if json != "-":
            print("no run in progress")
        return
    from backport.commands.here import open_repo
    from backport.report.summary import conflict_json, missing_json
    from backport.run import undo_plan
    from backport.run.doubting import open_doubts
    from backport.run.journal import SEVERAL, Journal

    found = open_repo(repo)
    if (found.state_dir / SEVERAL).exists():
        from backport.commands import together

        if together.status(found, json):
            return
    journal = Journal(found.state_dir)
    state = journal.read()
    if undo_plan.waits(found) and not journal.owner():
        write_json(json, {"phase": "undo"})
        if json != "-":
            print(
                "an undo was interrupted: `backport undo` finishes it, `backport abort` takes it back"
            )
        return
    if state is None:
        write_json(json, {"phase": None})
        if json != "-":
            print("no run in progress")
        return
    clash, doubts = state.clash, open_doubts(state)
    write_json(
        json,
        {
            "phase": state.phase,
            "branch": state.branch,
            "target": state.target,
            "done": len(state.steps),
            "total": len(state.items),
            "tip": state.tip,
            "conflict": conflict_json(state),
            "missing": missing_json(state),
            "doubts": list(doubts),
            "worktree": state.worktree,
        },
    )
    if json == "-":
        return
    branch = state.target.removeprefix("refs/heads/")
    if state.target != state.branch:
        branch += f", to be created from {state.branch.removeprefix('refs/heads/')}"
    owner = journal.owner()
    total = counted(len(state.items), "patch") if state.items else "? patches"
    print(f"{branch}: {len(state.steps)} of {total}, phase {state.phase}")
    if clash is not None and state.worktree is not None:
        from backport.report.page import say
        from backport.run import conflict
        from backport.run.stop import help_lines

        folder = Path(state.worktree)
        if not folder.is_dir():
            say(f"stopped on {clash.what}; {conflict.gone(folder)}:")
            say(f"  {conflict.SKIP_OR_ABORT}")
            return
        say(f"stopped on {clash.what}, laid out in {state.worktree}:")
        left = conflict.unresolved(found, folder)
        laid = clash.laid_by_path
        names = {path: laid[path].path if path in laid else path for path, _ in clash.clashes}
        marks = {path: "unresolved" if name in left else "resolved" for path, name in names.items()}
        for line in help_lines(clash, state.branch.removeprefix("refs/heads/"), marks):
            say(line)
        say(f"{clash.way_on}; or `backport skip`, or `backport abort`{clash.other_way_on}")
    elif owner is not None:
        print(f"running in process {owner}")
    elif doubts:
        from backport.report.page import say
        from backport.run.refusals import TAKE_OR_ABORT

        say(
            f"stopped: {counted(len(doubts), 'step')} may be wrong since a later patch was decided:"
        )
        for doubt in doubts:
            say(f"  {doubt}")
        say(TAKE_OR_ABORT)
    else:
        print("interrupted: `backport continue` or `backport abort`")


def _may_run(repo: Path | None) -> bool:
    """False where there is certainly no run: most of what reads one need not be loaded then."""
    from backport.commands.here import environment
    from backport.gateway.stage import Stage

    common = Stage(repo or Path(), environment().for_git()).common_dir()
    left = ("run/state.json", "branches.json", "undoing.json")
    return common is None or any((common / "backport" / name).exists() for name in left)
