# SPDX-License-Identifier: GPL-2.0-or-later
"""From sources to an order: which patch goes on when, and why there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from backport.errors import UsageError
from backport.gateway.commits import commit_patch
from backport.gateway.repository import Repo
from backport.gateway.trees import TreeView
from backport.planning.sources import Source, read_source
from series.model import Oid, Patch, Series, shown
from series.numbering import listed, missing_numbers
from series.ordering.recovery import Ordering, recover_order

if TYPE_CHECKING:
    from networkx import DiGraph


@dataclass(frozen=True, slots=True)
class Plan:
    """A series in the order in which it goes on.

    ``items`` name the patches as the journal does: ``p<n>`` for patch n of the series as given,
    ``c<commit>`` for a prerequisite taken from upstream.
    """

    series: Series
    items: tuple[str, ...]
    reasons: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    graph: DiGraph[int] | None = None
    """The evidence of the order, by index into the series; None where its source fixes the order, and
    in a run that is carried on."""

    @property
    def left_out(self) -> int:
        """How many patches of the series ``--only`` leaves out."""
        return len(self.series.patches) - sum(item.startswith("p") for item in self.items)

    def patch(self, repo: Repo, item: str) -> Patch:
        """The patch an item stands for."""
        if item.startswith("c"):
            return commit_patch(repo, Oid(item[1:]))
        return self.series.patches[int(item[1:])]


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
    if gaps := missing_numbers((numbering.number for numbering in numbers), total):
        raise UsageError(
            f"{series.origin} holds {len(series.patches)} of {total} patches: {listed(gaps, 8)} missing",
            "--partial takes what is there",
        )


def make_plan(series: Series, base: TreeView, only: Sequence[str] = ()) -> Plan:
    """Recover the order of ``series`` on ``base``; with ``only`` (see `choose_patches`) take just the
    patches that it names and what they need."""
    ordering: Ordering = recover_order(series, base)
    order = _only(series, base, ordering, only) if only else ordering.order
    return Plan(
        series=series,
        items=tuple(f"p{index}" for index in order),
        reasons={f"p{index}": why for index, why in enumerate(ordering.reasons)},
        notes=(*series.notes, *ordering.notes),
        contradictions=ordering.contradictions,
        graph=ordering.graph,
    )


def _only(
    series: Series, base: TreeView, ordering: Ordering, only: Sequence[str]
) -> tuple[int, ...]:
    """The patches that ``only`` names and all that they need, in order."""
    from backport.planning.choice import choose_patches
    from series.graph.dependencies import build_graph, closure

    patches = [series.patches[index] for index in ordering.order]
    chosen = choose_patches(only, [shown(patch.subject) for patch in patches], "--only")
    wanted = closure(build_graph(patches, base), chosen)
    return tuple(index for at, index in enumerate(ordering.order) if at in wanted)
