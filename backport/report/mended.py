# SPDX-License-Identifier: GPL-2.0-or-later
"""What `mend` has done, for a person and for a program: which step, why it broke, and what repaired it."""

from __future__ import annotations

import re
from typing import Any

from backport.counted import counted
from backport.mend.mending import Mended
from backport.report.page import alarm, say
from series.model import Oid, escaped

_SAME = re.compile(r" *\d+: +[0-9a-f]+ = +\d+: +[0-9a-f]+ ")
_FEW = 2
"""Patches in a row that are the same, and are shown one by one."""


def mended_json(done: Mended, tip: Oid | None) -> dict[str, Any]:
    """For a program; ``tip`` is that of the branch that was made."""
    return {
        "failed": list(done.failed),
        "untried": list(done.untried),
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
        "builds": done.builds,
        "tree": done.lineup.end,
        "taken": [s.source for s in done.lineup.stages if not s.number],
        "notes": list(done.notes),
        "changed": done.changed,
        "tip": tip,
    }


def show_mended(done: Mended, diff: str, made: str | None) -> None:
    """For a person, the range-diff last; ``made`` is the branch that was made."""
    if done.changed:
        for line in condensed(diff):
            print(escaped(line))
        print()
    for one in done.broken:
        say(f"step {one.number} '{one.subject}' did not build")
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
    was, now = len(done.before), len(done.commits)
    good = now - len(done.left)
    before = was - len(done.failed) - len(done.untried)
    untried = f"{len(done.untried)} {'was' if len(done.untried) == 1 else 'were'} not tried"
    rest = f" ({len(done.failed)} did not, {untried})" if done.untried else ""
    said = f"{before} of {counted(was, 'step')} built before{rest}, {good} of {now} now"
    came = [
        *(["was taken from upstream"] if done.lineup.taken else []),
        *(["was staged"] if done.staged else []),
    ]
    end = f"the last tree has what {' and '.join(came)}" if came else "the last tree is the same"
    said += f" ({counted(done.builds, 'build')}); {end}" if done.changed else ""
    say(alarm(said) if done.left else said)
    if not done.changed:
        say("nothing was changed")
        return
    say(
        f"{made} is the mended series: {done.commits[-1][:12]}"
        if made
        else "this is a proposal: --to NAME makes a branch of it"
    )


def condensed(diff: str) -> tuple[str, ...]:
    """A range-diff whose runs of patches that are the same are one line each."""
    out: list[str] = []
    run: list[str] = []
    for line in (*diff.split("\n"), ""):
        if _SAME.match(line):
            run.append(line)
            continue
        if len(run) <= _FEW:
            out += run
        else:
            first, last = (one.partition(":")[0].strip() for one in (run[0], run[-1]))
            out.append(f"{first} to {last}: {counted(len(run), 'patch')} as they were")
        run = []
        out.append(line)
    return tuple(out[:-1])
