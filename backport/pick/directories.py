# SPDX-License-Identifier: GPL-2.0-or-later
"""The directory of a new file, where the branch has it under another name.

A new file beside files that the branch keeps elsewhere would go where nothing looks for it: no include
path, no makefile.  git names the likely place and stops (merge-ort.c, "CONFLICT (file location)"), and so
does this: a directory counts as renamed when the branch has nothing under its name, and its new name is
the one that most of its files have moved to.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice

from msgspec import Struct

from backport.pick.renamed import Renames

_MOST_FILES = 500
"""Files of one directory that are followed; past that those have said enough."""


class Moved(Struct, frozen=True):
    """``folder`` of the patch's tree is ``names`` here: several where as many files went to each."""

    folder: bytes
    names: tuple[bytes, ...]

    def place(self, path: bytes) -> bytes:
        """Where ``path`` would go, under the first of the names."""
        return (self.names[0] + path[len(self.folder) :]).lstrip(b"/")


def find_directory(renames: Renames, path: bytes) -> Moved | None:
    """What became of the directory that ``path`` is new in; None where nothing says that it moved.

    Cost: one comparison of the two trees, and of each file of the directory with those of its name.
    """
    folder = _nearest(renames, path)
    if folder is None:
        return None
    inside = [old for old in renames.apart.gone if old.startswith(folder + b"/")]
    votes: Counter[bytes] = Counter()
    for old in islice(inside, _MOST_FILES):
        name = renames.counterpart(old)
        root = _root(folder, old, name) if name is not None else None
        if root is not None:
            votes[root] += 1
            if 2 * votes[root] > len(inside):
                return Moved(folder, (root,))
    if not votes:
        return None
    most = max(votes.values())
    return Moved(folder, tuple(sorted(root for root, count in votes.items() if count == most)))


def _nearest(renames: Renames, path: bytes) -> bytes | None:
    """The innermost directory above ``path`` that the patch's tree has, where the branch has none of it."""
    folder = path.rpartition(b"/")[0]
    while folder and not renames.ours.has_directory(folder):
        if renames.made_on is not None and renames.made_on.has_directory(folder):
            return folder
        folder = folder.rpartition(b"/")[0]
    return None


def _root(folder: bytes, old: bytes, new: bytes) -> bytes | None:
    """The new name of ``folder``, if ``new`` stands as deep in it as ``old`` in ``folder``."""
    below = old[len(folder) + 1 :].rpartition(b"/")[0]
    where = new.rpartition(b"/")[0]
    if not below:
        return where
    if where == below:
        return b""
    return where.removesuffix(b"/" + below) if where.endswith(b"/" + below) else None
