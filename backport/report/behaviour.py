# SPDX-License-Identifier: GPL-2.0-or-later
"""The ladder over the steps, and what each step changed, for a person."""

from __future__ import annotations

from collections.abc import Sequence

from backport.behaviour import Seen
from emu.ladder import Change

_CASES = 2


def show_behaviour(steps: Sequence[Seen], *, every: bool = False) -> None:
    """One paragraph a step; steps without a visible change in one line."""
    for step in steps:
        if step.report is None:
            rung = step.state
        else:
            reached = [m.name for m in step.report.ladder if m.reached]
            rung = f"{len(reached)}/{len(step.report.ladder)}" + (
                f" {reached[-1]}" if reached else ""
            )
        print(f"{step.number:>3} {step.subject}  [{rung}]")
        if step.since is not None and step.since != step.number - 1 and step.changes:
            print(f"      against step {step.since}, the last before it that boots:")
        for line in _told(step.changes, every):
            print(f"      {line}")
        if step.warning:
            print(f"      WARNING: {step.warning}")


def _told(changes: Sequence[Change], every: bool) -> list[str]:
    """What is the same for both kinds of guest is said once, and of an operation its first cases."""
    said: dict[tuple[str, str], list[str]] = {}
    for change in changes:
        scenario, slash, mode = change.subject.rpartition("/")
        text = change.explain()
        if slash:
            text = text.replace(change.subject, scenario)
        said.setdefault((change.operation, text), []).append(mode if slash else "")
    lines: list[str] = []
    left: dict[str, int] = {}
    for (operation, text), modes in said.items():
        shown = sum(1 for line in lines if operation and line.startswith(f"{operation} "))
        # A case that only needs another operation first says nothing of its own.
        if not every and operation and (shown >= _CASES or "not reached" in text):
            left[operation] = left.get(operation, 0) + 1
            continue
        lines.append(f"{text} [{', '.join(modes)}]" if any(modes) else text)
    rest = sum(left.values())
    return lines + ([f"and {rest} more cases of these operations (--all)"] if rest else [])
