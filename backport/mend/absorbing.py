# SPDX-License-Identifier: GPL-2.0-or-later
"""What is staged, given to the commits that it belongs to.

A part of it belongs to the last commit that it cannot be moved before: the one that wrote the lines which it
changes, or lines beside them.  What can be moved before all of them belongs to none, and stays staged.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from backport.gateway.repository import Repo
from backport.mend.lineup import Lineup, carried
from backport.mend.pieces import Piece, in_words, pieces_of, with_pieces
from series.model import Oid


class Absorbed(Struct, frozen=True):
    """The lineup with all that found its commit; what each got, and what is left, in words."""

    lineup: Lineup
    given: tuple[str, ...]
    left: str


def absorb(repo: Repo, lineup: Lineup, staged: Oid) -> Absorbed:
    """Give the parts of the change from the last tree to ``staged`` to their steps.

    Cost: two picks a part and step that it is moved before.
    """
    end = lineup.end
    owners: dict[int, list[Piece]] = {}
    left: list[Piece] = []
    for piece in pieces_of(repo, end, staged):
        at = _owner(repo, lineup, with_pieces(repo, end, staged, [piece]))
        if at is None:
            left.append(piece)
        else:
            owners.setdefault(at, []).append(piece)
    given: list[str] = []
    new = lineup
    for at, pieces in sorted(owners.items(), reverse=True):
        after = with_pieces(repo, end, staged, pieces)
        made = _given(repo, new, at, end, after, in_words(pieces))
        if made is None:
            left += pieces
        else:
            new = made
            given.append(f"'{lineup.stages[at].subject}' gets {in_words(pieces)}")
    return Absorbed(new, tuple(reversed(given)), in_words(left))


def _owner(repo: Repo, lineup: Lineup, after: Oid) -> int | None:
    """The last step that the change from the last tree to ``after`` does not pass."""
    before = lineup.end
    for at in range(len(lineup.stages) - 1, -1, -1):
        below = lineup.before(at)
        moved = carried(repo, before, after, below)
        if moved is None or moved == below or carried(repo, below, before, moved) != after:
            return at
        before, after = below, moved
    return None


def _given(
    repo: Repo, lineup: Lineup, at: int, before: Oid, after: Oid, what: str
) -> Lineup | None:
    """The change from ``before`` to ``after`` in the step at ``at``, and in all trees behind it."""
    stages = list(lineup.stages)
    for k in range(at, len(stages)):
        made = carried(repo, before, after, stages[k].tree)
        if made is None or made == stages[k].tree:
            return None
        stages[k] = replace(stages[k], tree=made)
    note = f"got of what was staged: {what}"
    stages[at] = replace(stages[at], notes=(*stages[at].notes, note))
    return replace(lineup, stages=tuple(stages))
