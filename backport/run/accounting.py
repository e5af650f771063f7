# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of everything that was named: the numbers add up, or the run stops before a branch moves.

Each mail and file of the sources has a fate (`series.model.Account`); those that are patches are in the
series; each patch of the series has one step, or was left out by ``--only``.
"""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from backport.counted import counted
from backport.errors import Unaccounted
from backport.planning.items import Posted, Taken
from backport.planning.plan import Plan
from backport.run.steps import Step, StepState
from series.model import Account, Fate


class Tally(Struct, frozen=True):
    """How many of what.  ``fates`` counts mails and files; the other numbers count patches."""

    fates: dict[Fate, int]
    patches: int
    applied: int
    already: int
    resolved: int
    skipped: int
    left_out: int
    taken: int
    """Prerequisites from upstream, which are not among ``patches``."""

    def read(self) -> str:
        """What the sources held besides patches, in words; empty where there was nothing else."""
        return read_words(self.fates)


def read_words(fates: dict[Fate, int]) -> str:
    """As `Tally.read`."""
    total = sum(fates.values())
    if total == fates.get(Fate.PATCH, 0):
        return ""
    listed = ", ".join(f"{_counted(fate, count)}" for fate, count in fates.items())
    return f"of {total} mails and files: {listed}"


def count_fates(accounts: tuple[Account, ...]) -> dict[Fate, int]:
    """How many mails and files had which fate, patches first."""
    found = Counter(account.fate for account in accounts)
    return {fate: found[fate] for fate in Fate if found[fate]}


def tally(plan: Plan, steps: tuple[Step, ...], *, only: bool = False) -> Tally:
    """Count what became of the series of ``plan``; ``only`` where the user left patches out.

    Raises `Unaccounted` where a mail, a patch or a step is missing or there twice.
    """
    fates = count_fates(plan.series.accounts)
    patches = len(plan.series.patches)
    if fates.get(Fate.PATCH, 0) != patches:
        raise Unaccounted(f"{patches} patches of {fates.get(Fate.PATCH, 0)} that were read")
    items = [step.item for step in steps]
    if len(set(items)) != len(items) or set(items) != set(plan.items) | _taken(items):
        raise Unaccounted(f"{len(items)} steps for {len(plan.items)} patches")
    states = Counter(step.state for step in steps if isinstance(step.item, Posted))
    if plan.left_out and not only:
        raise Unaccounted(f"{plan.left_out} of {patches} patches are in no step")
    return Tally(
        fates,
        patches,
        states[StepState.APPLIED],
        states[StepState.ALREADY],
        states[StepState.RESOLVED],
        states[StepState.SKIPPED],
        plan.left_out,
        len(_taken(items)),
    )


def _taken(items: list[Posted | Taken]) -> set[Posted | Taken]:
    return {item for item in items if isinstance(item, Taken)}


def _counted(fate: Fate, count: int) -> str:
    if fate in (Fate.REPEATED, Fate.NO_PATCH, Fate.GUARDED):
        return f"{count} {fate.value}"
    before, space, noun = fate.value.rpartition(" ")  # cover letters, older versions
    number, plural = counted(count, noun).split(" ")
    return f"{number} {before}{space}{plural}"
