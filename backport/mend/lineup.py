# SPDX-License-Identifier: GPL-2.0-or-later
"""A series as a line of trees, and the ways to change it that leave its last tree as it is.

A change goes to another tree as a pick does: at the very blob, else by a three-way merge; what does not go on
cleanly is no proposal.  Only lines that the steps between leave alone go also where those beside them change
(`line_moves`).  The trees behind the place from which something was moved are the same objects as before, by
construction and by a check.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from backport.gateway.commits import commit_changes
from backport.gateway.repository import Repo
from backport.gateway.trees import TreeView
from backport.mend.line_moves import carried_along
from backport.mend.pieces import Piece, in_words, pieces_of, quoted, with_pieces
from backport.pick.outcome import How
from backport.pick.patch import pick_patch
from series.model import Identity, Oid, Patch

_NOBODY = Identity(b"", b"")


class Stage(Struct, frozen=True):
    """One step: the commit whose author and message it has, its tree, and what was done to it."""

    source: Oid
    subject: str
    tree: Oid
    notes: tuple[str, ...] = ()
    message: bytes | None = None
    """Another message than that of ``source``; a squashed commit adds its own."""
    number: int = 0
    """Its place in the series as it was, from 1; 0 for what was not in it."""

    def __str__(self) -> str:
        return f"step {self.number} '{self.subject}'" if self.number else f"'{self.subject}'"


class Lineup(Struct, frozen=True):
    """The steps upon ``start``, a tree."""

    start: Oid
    stages: tuple[Stage, ...]
    deeds: tuple[str, ...] = ()
    """What was moved, in words."""
    taken: tuple[tuple[Oid, Oid], ...] = ()
    """What came in from outside, each as the trees before and after it: the last tree has that besides."""

    def before(self, at: int) -> Oid:
        """The tree below the step at that place (from 0)."""
        return self.stages[at - 1].tree if at else self.start

    @property
    def end(self) -> Oid:
        """The last tree."""
        return self.before(len(self.stages))


def carried(repo: Repo, before: Oid, after: Oid, onto: Oid) -> Oid | None:
    """The tree that the change from ``before`` to ``after`` makes of ``onto``; None where it does not go."""
    if before == onto:
        return after
    changes = commit_changes(repo, before, after)
    patch = Patch(name="a step", author=_NOBODY, date=None, message=b"", changes=changes)
    picked = pick_patch(repo.objects, TreeView(repo.objects, onto), patch)
    if not picked.clean or any(change.how is How.FUZZ for change in picked.changes):
        return None
    return picked.tree.id


def _following(repo: Repo, lineup: Lineup, places: Sequence[int], onto: Oid) -> list[Oid] | None:
    """The trees of the steps at ``places``, one after the other upon another tree."""
    found: list[Oid] = []
    for at in places:
        before, after = lineup.before(at), lineup.stages[at].tree
        made = carried(repo, before, after, onto)
        if made is None or (made == onto and before != after):
            return None
        found.append(made)
        onto = made
    return found


def moved_up(repo: Repo, lineup: Lineup, chosen: Sequence[int], at: int) -> Lineup | None:
    """The steps ``chosen``, in their order, go before the one at ``at``; None where they do not go there."""
    last = max(chosen)
    order = [*sorted(chosen), *(k for k in range(at, last) if k not in chosen)]
    trees = _following(repo, lineup, order, lineup.before(at))
    if trees is None or trees[-1] != lineup.stages[last].tree:
        return None
    new = [replace(lineup.stages[k], tree=tree) for k, tree in zip(order, trees, strict=True)]
    place = lineup.stages[at].subject
    for k in range(len(chosen)):
        new[k] = replace(new[k], notes=(*new[k].notes, f"moved before '{place}'"))
    moved = " and ".join(str(lineup.stages[k]) for k in sorted(chosen))
    deed = f"{moved} {'goes' if len(chosen) == 1 else 'go'} before {lineup.stages[at]}"
    stages = (*lineup.stages[:at], *new, *lineup.stages[last + 1 :])
    return replace(lineup, stages=stages, deeds=(*lineup.deeds, deed))


def shifted(
    repo: Repo, lineup: Lineup, giver: int, taker: int, pieces: Collection[Piece]
) -> Lineup | None:
    """Parts of the step ``giver`` go into the step ``taker``; None where they do not, or nothing is left."""
    low, high = min(giver, taker), max(giver, taker)
    for trees in _shifted_trees(repo, lineup, giver, taker, pieces):
        if trees is not None and _all_change(lineup, low, high, trees):
            break
    else:
        return None
    stages = list(lineup.stages)
    for at, tree in zip(range(low, high), trees, strict=True):
        stages[at] = replace(stages[at], tree=tree)
    what = in_words(pieces)
    gave = f"gave to '{stages[taker].subject}': {what}"
    got = f"took from '{stages[giver].subject}': {what}"
    stages[giver] = replace(stages[giver], notes=(*stages[giver].notes, gave))
    stages[taker] = replace(stages[taker], notes=(*stages[taker].notes, got))
    many = sum(piece.lines for piece in pieces) > 1
    deed = (
        f"{what}{quoted(pieces)} {'go' if many else 'goes'} from {stages[giver]} to {stages[taker]}"
    )
    return replace(lineup, stages=tuple(stages), deeds=(*lineup.deeds, deed))


def _shifted_trees(
    repo: Repo, lineup: Lineup, giver: int, taker: int, pieces: Collection[Piece]
) -> Iterator[Sequence[Oid] | None]:
    """The trees from the earlier of the two steps to that before the later: by merges, then line by line."""
    below, above = lineup.before(giver), lineup.stages[giver].tree
    places = range(min(giver, taker) + 1, max(giver, taker))
    if taker < giver:
        part = with_pieces(repo, below, above, pieces)
        first = carried(repo, below, part, lineup.stages[taker].tree)
        back = [lineup.stages[at].tree for at in reversed((taker, *places))]
        change = below, part
    else:
        every = pieces_of(repo, below, above)
        first = with_pieces(repo, below, above, [one for one in every if one not in pieces])
        back = [lineup.stages[at].tree for at in (giver, *places)]
        change = above, first
    between = _following(repo, lineup, places, first) if first is not None else None
    yield [first, *between] if first is not None and between is not None else None
    by_line = carried_along(repo, *change, back)
    if by_line is not None:
        yield by_line[::-1] if taker < giver else by_line


def _all_change(lineup: Lineup, low: int, high: int, trees: Sequence[Oid]) -> bool:
    """Whether the first step changes otherwise than it did, and no step up to ``high`` comes to nothing."""
    if trees[0] == lineup.stages[low].tree or trees[-1] == lineup.stages[high].tree:
        return False
    below = lineup.before(low)
    for at, tree in zip(range(low, high), trees, strict=True):
        if tree == below and (at == low or lineup.before(at) != lineup.stages[at].tree):
            return False
        below = tree
    return True


def with_commit(
    repo: Repo, lineup: Lineup, at: int, commit: Oid, subject: str, message: bytes
) -> Lineup | None:
    """A commit from elsewhere before the step at ``at``, and in all trees behind; None where that fails."""
    parents = repo.parents(commit)
    below = lineup.before(at)
    if len(parents) != 1:
        return None
    first = carried(repo, repo.tree(parents[0]).id, repo.tree(commit).id, below)
    if first is None or first == below:
        return None
    stages = list(lineup.stages[at:])
    for k, stage in enumerate(stages):
        made = carried(repo, below, first, stage.tree)
        if made is None or made == stage.tree:
            return None
        stages[k] = replace(stage, tree=made)
    new = Stage(commit, subject, first, ("taken from upstream",), message)
    deed = f"{commit[:12]} '{subject}' of upstream comes in before {lineup.stages[at]}"
    return replace(
        lineup,
        stages=(*lineup.stages[:at], new, *stages),
        deeds=(*lineup.deeds, deed),
        taken=(*lineup.taken, (below, first)),
    )


def folded(repo: Repo, lineup: Lineup, at: int, into: int, message: bytes | None) -> Lineup | None:
    """The step at ``at`` becomes a part of an earlier one; None where it does not go there."""
    below, above = lineup.before(at), lineup.stages[at].tree
    first = carried(repo, below, above, lineup.stages[into].tree)
    if first is None:
        return None
    between = _following(repo, lineup, range(into + 1, at), first)
    if between is None or (between or [first])[-1] != above:
        return None
    stages = list(lineup.stages)
    for k, tree in zip(range(into, at), (first, *between), strict=True):
        stages[k] = replace(stages[k], tree=tree)
    note = f"'{stages[at].subject}' was folded into it"
    stages[into] = replace(
        stages[into],
        notes=(*stages[into].notes, note),
        message=message if message is not None else stages[into].message,
    )
    del stages[at]
    return replace(lineup, stages=tuple(stages))
