# SPDX-License-Identifier: GPL-2.0-or-later
"""What would come of the patches behind the one that a run stops on.

Each is judged on the tree as those before it leave it.  Of a patch that does not go on this is: what of
it fits, and where it clashes the file as the patch has it, or with markers where nobody knows that.  So a
patch that works on such a file may go on here and not after a resolution by hand, or the other way round:
it is said to follow from the one that stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from backport.gateway.repository import Repo
from backport.gateway.trees import Entry, InTheWay, TreeView
from backport.history.upstream import Blocker
from backport.pick.outcome import Clash, Picked
from backport.planning.items import Item
from backport.run.assembly import find_blocking
from backport.run.journal import RunState
from backport.run.judging import Judge
from backport.run.steps import Step
from series.model import Patch

if TYPE_CHECKING:
    from backport.pick.proposals import Proposal


class Behind(Struct, frozen=True):
    """One patch from where the run stops on; without a ``step`` it stops, too, on ``picked``."""

    item: Item
    patch: Patch
    step: Step | None
    picked: Picked | None
    blockers: tuple[Blocker, ...] = ()
    proposal: Proposal | None = None
    """How that could be resolved."""
    follows: tuple[int, ...] = ()
    """The places (from 1) of the patches that left a file open which this one touches."""


def look_behind(
    repo: Repo,
    state: RunState,
    judge: Judge,
    stopped: tuple[Patch, Picked],
    blockers: Sequence[Blocker],
) -> tuple[Behind, ...]:
    """The item that the run of ``state`` stopped on, and what comes of all items after it."""
    first = len(state.steps)
    before = repo.tree(state.tip)
    way_out = judge.proposal(before, state, first, stopped[1])
    found = [Behind(state.items[first], stopped[0], None, stopped[1], tuple(blockers), way_out)]
    left: dict[bytes, set[int]] = {}
    tree = _left_by(repo, *stopped, first + 1, left)
    for place, item in enumerate(state.items[first + 1 :], first + 2):
        judged = judge.judge(tree, item)
        patch, picked = judged.patch, judged.picked
        follows = tuple(
            sorted(set().union(*(left.get(path, ()) for path in _touched(judged.patch, picked))))
        )
        if judged.step is not None:
            found.append(Behind(item, patch, judged.step, picked, (), None, follows))
            tree = picked.tree if picked is not None and picked.clean else tree
            continue
        assert picked is not None
        waits = () if follows else find_blocking(repo, state, patch, picked)
        way_out = judge.proposal(tree, state, place - 1, picked)
        found.append(Behind(item, patch, None, picked, waits, way_out, follows))
        tree = _left_by(repo, patch, picked, place, left)
    return tuple(found)


def _touched(patch: Patch, picked: Picked | None) -> set[bytes]:
    paths = {path for x in patch.changes for path in (x.old_path, x.new_path) if path is not None}
    if picked is not None:
        paths |= {change.path for change in picked.changes}
        paths |= {clash.path for clash in picked.clashes}
    return paths


def _left_by(
    repo: Repo, patch: Patch, picked: Picked, place: int, left: dict[bytes, set[int]]
) -> TreeView:
    """The tree behind a patch that clashes; ``left`` learns which files it leaves open."""
    tree = picked.tree
    for clash in picked.clashes:
        names = {clash.path} | {
            path
            for change in patch.changes
            if clash.path in (change.old_path, change.new_path)
            for path in (change.old_path, change.new_path)
            if path is not None
        }
        for path in names:
            left.setdefault(path, set()).add(place)
        try:
            tree = tree.edited({clash.target(patch): _file(repo, clash)})
        except InTheWay:
            continue
    return tree


def _file(repo: Repo, clash: Clash) -> Entry | None:
    if clash.deleted:
        return None
    if clash.theirs is not None:
        return Entry(clash.theirs, clash.their_mode or clash.mode)
    if clash.content is not None:
        return Entry(repo.objects.write_blob(clash.content), clash.mode)
    return Entry(clash.ours, clash.mode) if clash.ours is not None else None
