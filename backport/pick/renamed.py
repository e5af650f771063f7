# SPDX-License-Identifier: GPL-2.0-or-later
"""The name that a file of the patch has on this branch, where only its name differs.

Upstream moves files and the stable branch keeps the old names (or the other way round).  As in git's
merges, a path that the patch's own tree has and the branch lacks may have become one that the branch
has and the patch's tree lacks; of those the one most like it counts, if half of it is the same.  Of
1,717 real backports to Xen's stable branches this concerns 48, and git cherry-pick and we agree in all.

git settles between two that are nearly as much alike by their order; here that is for the user to decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from backport.gateway.trees import (
    DIRECTORY,
    EMPTY,
    EXECUTABLE,
    FILE,
    Entry,
    Store,
    TreeView,
)
from series.lines import split_lines
from series.model import Oid

LEAST = 0.5
"""git's measure of a rename: half of the content is the same (diffcore-rename, -M50%)."""
_CLEARLY = 0.05
"""A second one so near to the best leaves it open which of them it is."""
_MOST_CANDIDATES = 3000


@dataclass(frozen=True, slots=True)
class Renamed:
    """A path of the branch, and how much of its content is the patch's file (0 to 1)."""

    path: bytes
    entry: Entry
    likeness: float


def find_renamed(
    ours: TreeView, made_on: TreeView | None, path: bytes, base: Oid | None
) -> tuple[Renamed, ...]:
    """What ``path``, content ``base`` in the tree ``made_on``, is called in ``ours``: best first.

    Empty where nothing is alike or the patch's own tree is not known; more than one where it is open.
    Cost: the directories in which the two trees differ, and the files that only ours has.
    """
    if made_on is None or base is None or made_on.oid(path) != base:
        return ()
    objects = ours.objects
    wanted = Counter(split_lines(objects.blob(base)))
    found: list[Renamed] = []
    for number, (name, entry) in enumerate(_only_ours(objects, ours.id, made_on.id, b"")):
        if number >= _MOST_CANDIDATES:
            return ()
        likeness = 1.0 if entry.oid == base else _likeness(wanted, objects.blob(entry.oid))
        if likeness >= LEAST:
            found.append(Renamed(name, entry, likeness))
    found.sort(key=lambda one: (-one.likeness, one.path))
    return tuple(one for one in found if one.likeness >= found[0].likeness - _CLEARLY)


def _likeness(wanted: Counter[bytes], data: bytes) -> float:
    lines = Counter(split_lines(data))
    most = max(wanted.total(), lines.total())
    return (wanted & lines).total() / most if most else 0.0


def _only_ours(
    objects: Store, ours: Oid, theirs: Oid | None, prefix: bytes
) -> Iterator[tuple[bytes, Entry]]:
    """The files of one tree that the other has not, in the order of their paths."""
    if ours == theirs:
        return
    other = (objects.tree(theirs) if theirs is not None else EMPTY).entries
    for name, entry in objects.tree(ours).entries.items():
        there = other.get(name)
        if entry.mode == DIRECTORY:
            below = there.oid if there is not None and there.mode == DIRECTORY else None
            yield from _only_ours(objects, entry.oid, below, prefix + name + b"/")
        elif there is None and entry.mode in (FILE, EXECUTABLE):
            yield prefix + name, entry
