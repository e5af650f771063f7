# SPDX-License-Identifier: GPL-2.0-or-later
"""What `mend` has done, for a person and for a program: which step, why it broke, and what repaired it."""

from __future__ import annotations

from typing import Any

from backport.counted import counted
from backport.mend.mending import Mended
from backport.report.page import alarm, say
from series.model import Oid, escaped


def mended_json(done: Mended, tip: Oid | None) -> dict[str, Any]:
    """For a program; ``tip`` is that of the branch that was made."""
    return {
        "failed": list(done.failed),
        "broken": [
            {
                "number": one.number,
                "subject": one.subject,
                "why": list(one.why),
                "mended": one.mended or None,
                "advice": list(one.advice),
            }
            for one in done.broken
        ],
        "steps": [
            {
                "commit": commit,
                "source": stage.source,
                "subject": stage.subject,
                "notes": list(stage.notes),
                "builds": not verdict.failed,
            }
            for stage, commit, verdict in zip(
                done.lineup.stages, done.commits, done.verdicts, strict=True
            )
        ],
        "tree": done.lineup.end,
        "notes": list(done.notes),
        "changed": done.changed,
        "tip": tip,
    }


def show_mended(done: Mended, diff: str, made: str | None) -> None:
    """For a person, the range-diff last; ``made`` is the branch that was made."""
    was, now = len(done.before), len(done.commits)
    for one in done.broken:
        say(f"{one.number} {one.subject}: did not build")
        for line in one.why:
            say(f"  {escaped(line)}")
        say(f"  mended: {one.mended}" if one.mended else alarm("  not mended"))
        for line in one.advice:
            say(f"  {line}")
    for note in done.notes:
        say(f"note: {note}")
    for stage in done.lineup.stages:
        if any("folded" in note for note in stage.notes):
            say(f"{stage.subject}: {'; '.join(n for n in stage.notes if 'folded' in n)}")
    good = now - len(done.left)
    before = was - len(done.failed)
    said = f"{before} of {counted(was, 'step')} built before, {good} of {now} now"
    end = "the last tree is the same" if done.same_end else "the last tree has what was staged"
    said += f" ({counted(done.builds, 'build')}); {end}" if done.changed else ""
    say(alarm(said) if done.left else said)
    if not done.changed:
        say("nothing was changed")
        return
    for line in diff.split("\n"):
        print(escaped(line))
    say(
        f"{made} is the mended series: {done.commits[-1][:12]}"
        if made
        else "this is a proposal: --to NAME makes a branch of it"
    )
