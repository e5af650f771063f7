# SPDX-License-Identifier: GPL-2.0-or-later
"""From sources to an order: which patch goes on when, and why there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from backport.config import Settings
from backport.counted import counted
from backport.errors import UsageError
from backport.gateway.commits import fit_commit
from backport.gateway.repository import Repo
from backport.gateway.trees import TreeView
from backport.planning.given import Source
from backport.planning.items import Item, Posted, Taken
from backport.planning.sources import read_source
from series.model import FileChange, Patch, Series, shown
from series.numbering import listed, missing_numbers
from series.ordering.recovery import Ordering, recover_order
from series.reading.authors import parse_author
from series.reading.choices import QuotedCr
from series.reading.names import settle_names
from series.reading.rules import Rules

if TYPE_CHECKING:
    from networkx import DiGraph

_AUTHOR = re.compile(r"\s*[^<>\s][^<>]*<[^<>\s]+>\s*")


_BY_MERGE, _BY_CONTEXT = 1, 3


class Plan(Struct, frozen=True):
    """A series in the order in which it goes on.

    ``reasons`` say why each of the ``items`` stands where it does.
    """

    series: Series
    items: tuple[Item, ...]
    reasons: Mapping[Item, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    ordering: Ordering | None = None
    """None in a run that is carried on."""
    reach: int = _BY_MERGE
    """How near two edits must be for one to need the other (`reach_of`)."""

    @property
    def graph(self) -> DiGraph[int] | None:
        """The evidence of the order as a new graph, by index into the series; None where its source
        fixes the order, and in a run that is carried on."""
        return None if self.ordering is None else self.ordering.graph

    @property
    def left_out(self) -> int:
        """How many patches of the series ``--only`` leaves out."""
        return len(self.series.patches) - sum(isinstance(item, Posted) for item in self.items)

    def patch(self, repo: Repo, item: Item) -> Patch:
        """The patch an item stands for."""
        if isinstance(item, Taken):
            return fit_commit(repo, item.commit)
        return self.series.patches[item.position]


def rules_of(settings: Settings) -> Rules:
    """How patches are to be read.  Raises `UsageError` where ``author`` is none."""
    author = None
    if settings.author is not None:
        author = parse_author(settings.author.encode())
        if not _AUTHOR.fullmatch(settings.author):
            raise UsageError(
                f"{settings.author!r} is not an author",
                "give it as 'A U Thor <author@example.org>'",
            )
    return Rules(
        author=author,
        strip=settings.strip,
        partial=settings.partial,
        scissors=settings.scissors,
        quoted_cr=QuotedCr(settings.quoted_cr),
        keep=settings.keep,
        trailers=settings.trailers,
        guards=frozenset(settings.guard) - {"none"} if settings.guard else None,
    )


def combine(repo: Repo, sources: Sequence[Source], settings: Settings, base: TreeView) -> Series:
    """All the sources as one series for ``base``, in the order they were named."""
    return _with_base(repo, settle_names(_combined(repo, sources, settings), base))


def _with_base(repo: Repo, series: Series) -> Series:
    """Changes that name no blob get that of their ``base-commit:``, so that they go on by 3-way merge;
    those alone whose file no other patch touches, for the base is that of the whole series."""
    base = repo.find_commit(series.base_commit) if series.base_commit else None
    if base is None:
        return series
    tree = repo.tree(base)
    times = Counter(x.path for patch in series.patches for x in patch.changes)

    def based(change: FileChange) -> FileChange:
        if change.kind != "modify" or change.old_blob or times[change.path] > 1:
            return change
        return replace(change, old_blob=tree.oid(change.path))

    patches = tuple(
        replace(patch, changes=tuple(map(based, patch.changes))) for patch in series.patches
    )
    return replace(series, patches=patches)


def _combined(repo: Repo, sources: Sequence[Source], settings: Settings) -> Series:
    rules = rules_of(settings)
    parts = [read_source(repo, source, rules) for source in sources]
    if not parts or not any(part.patches for part in parts):
        named = ", ".join(source.given for source in sources)
        raise UsageError(
            f"no patches in {named}" if sources else "no series given",
            "give one with --series (an mbox, a folder, a quilt series file or A..B)",
        )
    if len(parts) == 1:
        return parts[0]
    patches: list[Patch] = []
    for part in parts:
        # The series of one source keep apart from those of the next.
        first = patches[-1].part + 1 if patches else 0
        patches += [replace(patch, part=first + patch.part) for patch in part.patches]
    return Series(
        patches=tuple(replace(patch, position=n) for n, patch in enumerate(patches)),
        origin=", ".join(part.origin for part in parts),
        cover=next((part.cover for part in parts if part.cover), None),
        base_commit=parts[0].base_commit,
        prerequisites=tuple(x for part in parts for x in part.prerequisites),
        depends=tuple(x for part in parts for x in part.depends),
        ordered=all(part.ordered for part in parts),
        notes=tuple(note for part in parts for note in part.notes),
        accounts=tuple(account for part in parts for account in part.accounts),
    )


def refuse_gaps(series: Series) -> None:
    """Raise `UsageError` where the numbering says that patches are missing: a mailbox cut short, say."""
    found: dict[tuple[int, int], set[int]] = {}
    for patch in series.patches:
        if patch.numbering is not None:
            key = patch.part, patch.numbering.total
            found.setdefault(key, set()).add(patch.numbering.number)
    for (_, total), have in found.items():
        if gaps := missing_numbers(have, total):
            raise UsageError(
                f"{series.origin} holds {len(have)} of {counted(total, 'patch')}: {listed(gaps, 8)} missing",
                "--partial accepts an incomplete series",
            )


def make_plan(series: Series, base: TreeView, only: Sequence[str] = ()) -> Plan:
    """Recover the order of ``series`` on ``base``; with ``only`` (see `choose_patches`) take just the
    patches that it names and what they need."""
    ordering: Ordering = recover_order(series, base)
    _refuse_given_up(series, ordering)
    order = _only(series, base, ordering, only) if only else ordering.order
    return Plan(
        series=series,
        items=tuple(Posted(index) for index in order),
        reasons={Posted(index): why for index, why in enumerate(ordering.reasons)},
        notes=(*series.notes, *ordering.notes),
        contradictions=ordering.contradictions,
        ordering=ordering,
    )


def _refuse_given_up(series: Series, ordering: Ordering) -> None:
    """Raise `UsageError` where no place was found for some patches in a bounded search."""
    if not ordering.given_up:
        return
    names = [series.patches[index].name for index in ordering.given_up]
    few = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    raise UsageError(
        f"no order was found for {len(names)} of {counted(len(series.patches), 'patch')}, and the search was"
        f" given up: {few}",
        "number them ([PATCH 3/27]), keep their index lines and dates, or name a quilt series file",
    )


def reach_of(patches: Sequence[Patch], base: TreeView) -> int:
    """How many lines beside an edit another one must be for them to go on apart: as `build_graph` has it.

    A three-way merge needs the blobs that the patches were made from; without one of them a patch goes on
    where its context fits, which others may have written.
    """
    known = all(
        base.objects.find_blob(change.old_blob) is not None
        for patch in patches
        for change in patch.changes
        if change.hunks and change.kind != "create"
    )
    return _BY_MERGE if known else _BY_CONTEXT


def _only(
    series: Series, base: TreeView, ordering: Ordering, only: Sequence[str]
) -> tuple[int, ...]:
    """The patches that ``only`` names and all that they need, in order."""
    from backport.planning.choice import choose_patches
    from series.graph.dependencies import build_graph, closure

    patches = [series.patches[index] for index in ordering.order]
    chosen = choose_patches(only, [shown(patch.subject) for patch in patches], "--only")
    wanted = closure(build_graph(patches, base, reach=reach_of(patches, base)), chosen)
    return tuple(index for at, index in enumerate(ordering.order) if at in wanted)
