# SPDX-License-Identifier: GPL-2.0-or-later
"""From sources to an order: which patch goes on when, and why there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from backport.errors import UsageError
from backport.gateway.commits import commit_patch
from backport.gateway.repository import Repo
from backport.gateway.trees import TreeView
from backport.planning.items import Item, Posted, Taken
from backport.planning.sources import Source, read_source
from series.model import Patch, Series
from series.ordering.recovery import Ordering, recover_order


@dataclass(frozen=True, slots=True)
class Plan:
    """A series in the order in which it goes on.

    ``reasons`` say why each of the ``items`` stands where it does.
    """

    series: Series
    items: tuple[Item, ...]
    reasons: Mapping[Item, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()

    def patch(self, repo: Repo, item: Item) -> Patch:
        """The patch an item stands for."""
        if isinstance(item, Taken):
            return commit_patch(repo, item.commit)
        return self.series.patches[item.position]


def combine(repo: Repo, sources: Sequence[Source]) -> Series:
    """All the sources as one series, in the order they were named."""
    parts = [read_source(repo, source) for source in sources]
    if not parts or not any(part.patches for part in parts):
        named = ", ".join(source.given for source in sources)
        raise UsageError(
            f"no patches in {named}" if sources else "no series was named",
            "name one with --series (an mbox, a folder, a quilt series file or A..B)",
        )
    if len(parts) == 1:
        return parts[0]
    patches = [patch for part in parts for patch in part.patches]
    return Series(
        patches=tuple(
            replace(patch, position=n, numbering=None) for n, patch in enumerate(patches)
        ),
        origin=", ".join(part.origin for part in parts),
        cover=next((part.cover for part in parts if part.cover), None),
        base_commit=parts[0].base_commit,
        prerequisites=tuple(x for part in parts for x in part.prerequisites),
        ordered=all(part.ordered for part in parts),
        notes=tuple(note for part in parts for note in part.notes),
    )


def refuse_gaps(series: Series) -> None:
    """Raise `UsageError` where the numbering says that patches are missing: a mailbox cut short, say."""
    numbers = [patch.numbering for patch in series.patches if patch.numbering]
    totals = {(numbering.total, numbering.version) for numbering in numbers}
    if len(numbers) != len(series.patches) or len(totals) != 1:
        return
    total, _ = totals.pop()
    gaps = sorted(set(range(1, total + 1)) - {numbering.number for numbering in numbers})
    if gaps:
        shown = ", ".join(map(str, gaps[:8])) + (", ..." if len(gaps) > 8 else "")
        raise UsageError(
            f"{series.origin} holds {len(series.patches)} of {total} patches: {shown} missing",
            "--partial takes what is there",
        )


def make_plan(series: Series, base: TreeView) -> Plan:
    """Recover the order of ``series`` on ``base``."""
    ordering: Ordering = recover_order(series, base)
    items = tuple(Posted(index) for index in ordering.order)
    return Plan(
        series=series,
        items=items,
        reasons={Posted(index): why for index, why in enumerate(ordering.reasons)},
        notes=(*series.notes, *ordering.notes),
        contradictions=ordering.contradictions,
    )
