# SPDX-License-Identifier: GPL-2.0-or-later
"""What `bisect` found, for a person and for a program."""

from __future__ import annotations

from typing import Any

from backport.report.page import alarm, fold, page_width, say
from backport.run.bisection import Bisection
from backport.validate.bisect import describe

_MOST = 12
"""Patches that are listed by name."""


def bisect_json(done: Bisection) -> dict[str, Any]:
    """For a program."""
    found = done.found
    return {
        "first_bad": found.first_bad,
        "last_good": found.last_good,
        "repaired_by": found.repaired_by,
        "commit": done.steps[found.first_bad].commit if found.first_bad is not None else None,
        "tested": found.tested,
        "from_cache": done.from_cache,
        "dependents": list(done.dependents),
        "untested": list(found.untested),
        "untestable": list(found.untestable),
        "repair_untested": list(found.repair_untested),
        "repair_untestable": list(found.repair_untestable),
        "subjects": list(done.subjects),
    }


def _left_out(done: Bisection) -> str:
    """What becomes of the other patches without the one that breaks it."""
    if not done.dependents:
        return "no later patch needs it"
    lines = [f"  {number} {done.subjects[number - 1]}" for number in done.dependents[:_MOST]]
    if len(done.dependents) > _MOST:
        lines.append(f"  and {len(done.dependents) - _MOST} more")
    return "\n".join(("without it, these have to go too, since they need it:", *lines))


def show_bisect(done: Bisection) -> None:
    """The step that breaks, the one that repairs it, and why it is broken."""
    said = describe(done.found, done.subjects, [step.commit for step in done.steps[1:]])
    say(said if done.found.first_bad is None else alarm(said))
    if done.found.first_bad:
        say(_left_out(done))
    if done.merged:
        say(f"it is a merge; `--range {done.merged}` bisects what it brings")
    if done.found.first_bad is not None:
        say(fold(done.verdicts[done.found.first_bad].explain(), page_width()))
