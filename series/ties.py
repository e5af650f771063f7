# SPDX-License-Identifier: GPL-2.0-or-later
"""Things that are tied to each other: union-find.

networkx has one too, and takes a quarter of a second to load; every mailbox needs this one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Ties(Generic[T]):
    """Sets of things, united as ties between them become known; nearly constant time for each."""

    def __init__(self, things: Iterable[T] = ()) -> None:
        self._above: dict[T, T] = {thing: thing for thing in things}

    def root(self, thing: T) -> T:
        """One thing that stands for all that are tied to ``thing``."""
        above = self._above
        root = above.setdefault(thing, thing)
        while above[root] != root:
            root = above[root]
        while above[thing] != root:
            above[thing], thing = root, above[thing]
        return root

    def tie(self, *things: T) -> None:
        """Tie all of ``things`` to each other."""
        first = self.root(things[0])
        for thing in things[1:]:
            self._above[self.root(thing)] = first

    def sets(self) -> list[list[T]]:
        """All that were named, set by set, in the order in which they were first named."""
        found: dict[T, list[T]] = {}
        for thing in self._above:
            found.setdefault(self.root(thing), []).append(thing)
        return list(found.values())
