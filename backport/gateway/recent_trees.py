# SPDX-License-Identifier: GPL-2.0-or-later
"""The trees that a run has at hand, parsed: the recent ones, within a bound.

Each step of a run has some three trees of its own, and an entry takes 270 bytes: 1,000 patches of Xen
left 46 MB of trees that were not read again.  Two generations are kept.  What is read moves into the
younger; once that is full it becomes the older, and what was not read since the last time is dropped.
"""

from __future__ import annotations

from backport.gateway.trees import Tree
from series.model import Oid

_MOST_ENTRIES = 16 << 10
"""In a generation.  All trees of Xen hold 7,000."""


class RecentTrees:
    """Trees by id.  Reading and adding take constant time; a dropped tree is read anew from its object."""

    def __init__(self, most: int = _MOST_ENTRIES) -> None:
        """``most``: the entries that one of the two generations holds, and one tree more."""
        self._most = most
        self._entries = 0
        self._young: dict[Oid, Tree] = {}
        self._old: dict[Oid, Tree] = {}

    def find(self, oid: Oid) -> Tree | None:
        """The tree, where it is at hand."""
        tree = self._young.get(oid)
        if tree is None:
            tree = self._old.pop(oid, None)
            if tree is not None:
                self.add(oid, tree)
        return tree

    def add(self, oid: Oid, tree: Tree) -> None:
        """Keep a tree that was read or made."""
        if oid in self._young:
            return
        if self._entries > self._most:
            self._old, self._young, self._entries = self._young, {}, 0
        self._young[oid] = tree
        self._entries += len(tree.entries)
