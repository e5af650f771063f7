# SPDX-License-Identifier: GPL-2.0-or-later
"""The name that a file of the patch has on this branch, where only its name differs.

Upstream moves files and the stable branch keeps the old names (or the other way round).  As in git's
merges, a path that the patch's own tree has and the branch lacks may have become one that the branch
has and the patch's tree lacks: the one that holds the very content; else the one that alone has the last
part of the name, if three quarters are the same; else of all of them the one most like it, if half of it
is the same (merge-ort and diffcore-rename.c, whose measure is bytes of equal lines in the larger file).
Of 1,717 real backports to Xen's stable branches this concerns 48, and git cherry-pick and we agree in all.

git settles between two that are nearly as much alike by their order; here that is for the user to decide.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property

from msgspec import Struct, field

from backport.gateway.objects import Objects
from backport.gateway.tree_diff import Apart, compare_trees
from backport.gateway.trees import Entry, TreeView
from series.lines import split_lines
from series.model import Oid

LEAST = 0.5
"""git's measure of a rename: half of the content is the same (diffcore-rename, -M50%)."""
_SAME_NAME = 0.75
"""git's measure where the last part of the name is the same, and no other file has it."""
_CLEARLY = 0.05
"""A second one so near to the best leaves it open which of them it is."""
_MOST_COMPARED = 3000
_MOST_NAMESAKES = 20


class TooMany(Exception):
    """More files than are compared have another name on the branch: what a file became is not looked for."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} files are on this branch alone: too many to look for it")
        self.count = count


class Renamed(Struct, frozen=True):
    """A path of the branch, and how much of its content is the patch's file (0 to 1)."""

    path: bytes
    entry: Entry
    likeness: float


class Renames(Struct, dict=True):
    """The files that have other names in ``ours`` than in ``made_on``, the tree that a patch was made on;
    of a tree that is not known (None) no file is known to have the same name.

    Cost: one comparison of the two trees, and each file read and taken apart once, if its name and its
    size leave it open.
    """

    objects: Objects
    ours: TreeView
    made_on: TreeView | None
    _lines: dict[Oid, Counter[bytes]] = field(default_factory=dict)

    @cached_property
    def apart(self) -> Apart:
        """What each of the two trees has alone."""
        old = self.made_on.id if self.made_on is not None else None
        return compare_trees(self.objects, old, self.ours.id)

    def find(self, path: bytes, base: Oid) -> tuple[Renamed, ...]:
        """What ``path``, content ``base`` in the patch's tree, is called in ours: best first.

        Empty where nothing is alike; more than one where it is open which of them it is.  Raises
        `TooMany`.
        """
        if self.made_on is None or self.made_on.oid(path) != base or not self._size(base):
            return ()  # an empty file is like any other
        new, name = self.apart.new, _last(path)
        same = self._by_content.get(base, ())
        if same:
            named = [one for one in same if _last(one) == name]
            found = named if len(named) == 1 else same
            return tuple(Renamed(one, new[one], 1.0) for one in sorted(found))
        namesakes = self._new_names.get(name, ())
        if len(namesakes) == 1 and len(self._gone_names.get(name, ())) == 1:
            likeness = self._likeness(base, new[namesakes[0]].oid)
            if likeness >= _SAME_NAME:
                return (Renamed(namesakes[0], new[namesakes[0]], likeness),)
        return self._most_alike(base)

    def twin(self, path: bytes, base: Oid) -> Renamed | None:
        """The file of ours that is most like ``base``, which the patch's tree had at ``path``; no more is
        known of that tree.  Three quarters alike, or half where the last part of the name is the same.

        Raises `TooMany`.
        """
        if not self._size(base):
            return None
        same = self._by_content.get(base, ())
        if same:
            return Renamed(min(same), self.apart.new[min(same)], 1.0)
        namesakes = (
            Renamed(one, self.apart.new[one], self._likeness(base, self.apart.new[one].oid))
            for one in self._new_names.get(_last(path), ())[:_MOST_NAMESAKES]
        )
        found = [one for one in namesakes if one.likeness >= LEAST]
        found += (one for one in self._most_alike(base) if one.likeness >= _SAME_NAME)
        return max(found, key=lambda one: one.likeness, default=None)

    def counterpart(self, path: bytes) -> bytes | None:
        """What ``path``, of the patch's tree alone, may be called here, by its content or the last part of
        its name: enough where many files are asked for."""
        base, new = self.apart.gone[path].oid, self.apart.new
        if not self._size(base):
            return None
        name, same = _last(path), self._by_content.get(base, ())
        if same:
            return next((one for one in same if _last(one) == name), same[0])
        found = [
            (self._likeness(base, new[one].oid), one)
            for one in self._new_names.get(name, ())[:_MOST_NAMESAKES]
        ]
        likeness, best = max(found, default=(0.0, None))
        return best if likeness >= LEAST else None

    def _most_alike(self, base: Oid) -> tuple[Renamed, ...]:
        size = self._size(base)
        near = [
            (path, entry)
            for path, entry in self.apart.new.items()
            if min(size, other := self._size(entry.oid)) >= LEAST * max(size, other)
        ]
        if len(near) > _MOST_COMPARED:
            raise TooMany(len(near))
        found = [Renamed(path, entry, self._likeness(base, entry.oid)) for path, entry in near]
        found = [one for one in found if one.likeness >= LEAST]
        found.sort(key=lambda one: (-one.likeness, one.path))
        return tuple(one for one in found if one.likeness >= found[0].likeness - _CLEARLY)

    def _likeness(self, one: Oid, other: Oid) -> float:
        most = max(self._size(one), self._size(other))
        if not most or min(self._size(one), self._size(other)) < LEAST * most:
            return 0.0
        lines, others = self._counted(one), self._counted(other)
        common = lines.keys() & others.keys()
        return sum(len(line) * min(lines[line], others[line]) for line in common) / most

    def _counted(self, blob: Oid) -> Counter[bytes]:
        found = self._lines.get(blob)
        if found is None:
            found = self._lines[blob] = Counter(split_lines(self.objects.blob(blob)))
        return found

    def _size(self, blob: Oid) -> int:
        return self.objects.size(blob)

    @cached_property
    def _by_content(self) -> Mapping[Oid, list[bytes]]:
        found: dict[Oid, list[bytes]] = defaultdict(list)
        for path, entry in self.apart.new.items():
            found[entry.oid].append(path)
        return found

    @cached_property
    def _new_names(self) -> Mapping[bytes, list[bytes]]:
        return _by_last(self.apart.new)

    @cached_property
    def _gone_names(self) -> Mapping[bytes, list[bytes]]:
        return _by_last(self.apart.gone)


def _by_last(paths: Iterable[bytes]) -> Mapping[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = defaultdict(list)
    for path in paths:
        found[_last(path)].append(path)
    return found


def _last(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]
