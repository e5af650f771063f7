# SPDX-License-Identifier: GPL-2.0-or-later
"""A git tree seen as a map from path to entry, with edits that yield another tree.

Only the trees along the edited paths are written anew: the cost of an edit is the depth of its
path, not the size of the repository.  Tree objects are read and written here as bytes, because
libgit2's tree builder takes text and refuses the path names in old encodings that real trees hold.

A tree object (git's ``tree.c``): ``<octal mode> SP <name> NUL <20 bytes id>`` for each entry, sorted
by name with directories compared as if their name ended in ``/``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import pygit2

from series.model import Oid

FILE = 0o100644
EXECUTABLE = 0o100755
SYMLINK = 0o120000
GITLINK = 0o160000
DIRECTORY = 0o040000
_FRESH = 256


@dataclass(frozen=True, slots=True)
class Entry:
    """A blob in a tree (or a directory, or a submodule's commit)."""

    oid: Oid
    mode: int


class InTheWay(Exception):
    """A path leads through, or ends at, something of another kind (a file, a symbolic link)."""

    def __init__(self, path: bytes, obstacle: bytes) -> None:
        super().__init__(f"{path!r} is blocked by {obstacle!r}")
        self.path = path
        self.obstacle = obstacle


class Objects:
    """The object database, with the trees of this run parsed once."""

    def __init__(self, repo: pygit2.Repository) -> None:
        self.repo = repo
        self._trees: dict[Oid, dict[bytes, Entry]] = {}
        self._fresh: dict[Oid, bytes] = {}

    def blob(self, oid: Oid) -> bytes:
        """The content of a blob."""
        fresh = self._fresh.get(oid)
        return fresh if fresh is not None else cast(pygit2.Blob, self.repo[oid]).data

    def write_blob(self, data: bytes) -> Oid:
        """Store a blob; returns its id."""
        oid = Oid(str(self.repo.create_blob(data)))
        # What one patch leaves is what the next one starts from: the newest are kept at hand.
        self._fresh[oid] = data
        while len(self._fresh) > _FRESH:
            del self._fresh[next(iter(self._fresh))]
        return oid

    def find_blob(self, abbreviated: Oid | None) -> Oid | None:
        """The one blob whose id begins with ``abbreviated``; None when absent or ambiguous."""
        if not abbreviated or set(abbreviated) == {"0"}:
            return None
        try:
            found = self.repo[abbreviated]
        except (KeyError, ValueError):
            return None
        return Oid(str(found.id)) if found.type == pygit2.enums.ObjectType.BLOB else None

    def tree(self, oid: Oid) -> dict[bytes, Entry]:
        """The entries of one tree object; not to be changed by the caller."""
        entries = self._trees.get(oid)
        if entries is None:
            entries = self._trees[oid] = _parse(self.repo[oid].read_raw())
        return entries

    def write_tree(self, entries: dict[bytes, Entry]) -> Oid:
        """Store a tree object; returns its id."""
        raw = b"".join(
            b"%o %s\0%s" % (entry.mode, name, bytes.fromhex(entry.oid))
            for name, entry in sorted(entries.items(), key=_git_order)
        )
        oid = Oid(str(self.repo.write(pygit2.enums.ObjectType.TREE, raw)))
        self._trees[oid] = dict(entries)
        return oid


class TreeView:
    """One tree of a repository; also serves as the `series.model.Base` of an ordering."""

    def __init__(self, objects: Objects, tree: Oid) -> None:
        self.objects = objects
        self.id = tree

    def entry(self, path: bytes) -> Entry | None:
        """The entry of the file at ``path``; None where there is none or a directory."""
        at = self.id
        *directories, name = path.split(b"/")
        for part in directories:
            step = self.objects.tree(at).get(part)
            if step is None or step.mode != DIRECTORY:
                return None
            at = step.oid
        found = self.objects.tree(at).get(name)
        return found if found is not None and found.mode != DIRECTORY else None

    def read(self, path: bytes) -> bytes | None:
        """Content at ``path``; a submodule has none."""
        entry = self.entry(path)
        return None if entry is None or entry.mode == GITLINK else self.objects.blob(entry.oid)

    def oid(self, path: bytes) -> Oid | None:
        """Id of the blob at ``path``."""
        entry = self.entry(path)
        return entry.oid if entry else None

    def mode(self, path: bytes) -> int | None:
        """Git mode of the blob at ``path``."""
        entry = self.entry(path)
        return entry.mode if entry else None

    def edited(self, edits: Mapping[bytes, Entry | None]) -> TreeView:
        """The tree with ``edits`` made (None removes); directories left empty vanish.

        Raises `InTheWay` when a new path leads through a file or a link, or replaces a directory.
        """
        oid = self._edit(self.id, edits, b"")
        return TreeView(self.objects, oid if oid is not None else self.objects.write_tree({}))

    def _edit(
        self, tree: Oid | None, edits: Mapping[bytes, Entry | None], prefix: bytes
    ) -> Oid | None:
        entries = dict(self.objects.tree(tree)) if tree is not None else {}
        below: dict[bytes, dict[bytes, Entry | None]] = defaultdict(dict)
        here: dict[bytes, Entry] = {}
        for path, entry in edits.items():
            name, slash, rest = path.partition(b"/")
            if slash:
                below[name][rest] = entry
            elif entry is None:
                entries.pop(name, None)
            else:
                here[name] = entry
        for name, inner in below.items():
            there = entries.get(name)
            if there is not None and there.mode != DIRECTORY:
                raise InTheWay(prefix + name + b"/" + next(iter(inner)), prefix + name)
            oid = self._edit(there.oid if there else None, inner, prefix + name + b"/")
            if oid is not None:
                entries[name] = Entry(oid, DIRECTORY)
            else:
                entries.pop(name, None)
        for name, entry in here.items():
            there = entries.get(name)
            if there is not None and there.mode == DIRECTORY:
                raise InTheWay(prefix + name, prefix + name + b"/")
            entries[name] = entry
        return self.objects.write_tree(entries) if entries else None


def _parse(raw: bytes) -> dict[bytes, Entry]:
    entries: dict[bytes, Entry] = {}
    at = 0
    while at < len(raw):
        space = raw.index(b" ", at)
        nul = raw.index(b"\0", space)
        oid = Oid(raw[nul + 1 : nul + 21].hex())
        entries[raw[space + 1 : nul]] = Entry(oid, int(raw[at:space], 8))
        at = nul + 21
    return entries


def _git_order(item: tuple[bytes, Entry]) -> bytes:
    name, entry = item
    return name + b"/" if entry.mode == DIRECTORY else name
