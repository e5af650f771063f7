# SPDX-License-Identifier: GPL-2.0-or-later
"""Which names a tree's files hold, for many trees that follow each other.

`git grep` takes half a second to search a tree.  To search thousands of trees of one history, the names
of the first tree are counted, and each further tree costs only the files that differ from the last.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import cast

import pygit2

from backport.gateway.repository import Repo
from series.model import Oid

_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]{2,}")
_BINARY_HEAD = 8000
_FILES = (0o100644, 0o100755)
_KEPT = 2048
"""Files whose names are kept: what one step takes away, another brings back."""


class TreeWords:
    """The names of one tree at a time; `held` moves on to the tree that it is asked about."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._tree: Oid | None = None
        self._files: Counter[bytes] = Counter()
        """In how many files each name stands."""
        self._words = lru_cache(_KEPT)(self._read)

    def held(self, tree: Oid, names: frozenset[bytes]) -> frozenset[bytes]:
        """Those of ``names`` that some file of ``tree`` holds."""
        if self._tree is None:
            for blob in self._blobs(self._native(tree)):
                self._files.update(self._words(blob))
        elif self._tree != tree:
            deltas = list(self._native(self._tree).diff_to_tree(self._native(tree)).deltas)
            if all(self._files[name] > len(deltas) for name in names):
                return names  # each stands in more files than differ
            for delta in deltas:
                old, new = (self._of(side) for side in (delta.old_file, delta.new_file))
                # Most of a file's names stay: only the others are counted again.
                self._files.subtract(old - new)
                self._files.update(new - old)
        self._tree = tree
        return frozenset(name for name in names if self._files[name] > 0)

    def _of(self, side: pygit2.DiffFile) -> frozenset[bytes]:
        return self._words(side.id) if side.mode in _FILES else frozenset()

    def _native(self, tree: Oid) -> pygit2.Tree:
        return cast(pygit2.Tree, self._repo.native[tree])

    def _blobs(self, tree: pygit2.Tree) -> Iterator[pygit2.Oid]:
        for entry in tree:
            if entry.type == pygit2.enums.ObjectType.TREE:
                yield from self._blobs(cast(pygit2.Tree, entry))
            elif entry.filemode in _FILES:
                yield entry.id

    def _read(self, blob: pygit2.Oid) -> frozenset[bytes]:
        if blob not in self._repo.native:  # the null id of a side without a file; a partial clone
            return frozenset()
        data = self._repo.objects.blob(Oid(str(blob)))
        if b"\0" in data[:_BINARY_HEAD]:
            return frozenset()
        return frozenset(_WORD.findall(data))
