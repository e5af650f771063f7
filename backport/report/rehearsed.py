# SPDX-License-Identifier: GPL-2.0-or-later
"""What `apply --dry-run` found, for a person and for a program."""

from __future__ import annotations

from typing import Any

from backport.counted import counted
from backport.report.page import say
from backport.report.planned import plan_json, show_stop
from backport.run.rehearsal import Rehearsal


def rehearsal_json(found: Rehearsal) -> dict[str, Any]:
    """The plan, with what would be built."""
    builds = [step.number for step in found.steps if not step.cached]
    seconds = round(found.each * len(builds), 1) if found.builds else None
    return {
        **plan_json(found.outlook),
        "dry_run": {"build": found.command, "builds": builds, "seconds": seconds},
    }


def show_rehearsal(found: Rehearsal, target: str) -> None:
    """How many commits, which of them would be built, and about how long that takes."""
    say(f"{target}: {counted(len(found.steps), 'patch')} would be applied; nothing was changed")
    if found.command is None:
        say(f"  {found.proven.replace('was proven', 'would be proven')}")
    else:
        builds = [step for step in found.steps if not step.cached]
        known = len(found.steps) - len(builds)
        say(f"  to be built: {counted(len(builds), 'step')}, {known} known from the cache")
        for step in builds:
            say(f"    {step.number} {step.subject}")
        if builds:
            say(f"  each by {found.command!r}{_time(found, len(builds))}")
    show_stop(found.outlook)


def _time(found: Rehearsal, builds: int) -> str:
    if not found.builds:
        return "; how long is not known, since the cache has no build by it"
    total = found.each * builds
    about = f"{total:.0f} s" if total < 120 else f"{total / 60:.0f} min"
    return f": about {about} (median of {counted(found.builds, 'build in the cache')}: {found.each:.1f} s)"
