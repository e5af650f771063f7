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
from typing import Protocol

from msgspec import Struct

from series.model import Oid

FILE = 0o100644
EXECUTABLE = 0o100755
SYMLINK = 0o120000
GITLINK = 0o160000
DIRECTORY = 0o040000
_MOST_SPLICED = 16
"""Entries that are replaced in the bytes of a tree, one after the other."""


class Entry(Struct, frozen=True):
    """A blob in a tree (or a directory, or a submodule's commit)."""

    oid: Oid
    mode: int


class InTheWay(Exception):
    """A path leads through, or ends at, something of another kind (a file, a symbolic link)."""

    def __init__(self, path: bytes, obstacle: bytes) -> None:
        super().__init__(f"{path!r} is blocked by {obstacle!r}")
        self.path = path
        self.obstacle = obstacle


class Tree(Struct, frozen=True):
    """One tree object: its bytes, and its entries by name (not to be changed)."""

    raw: bytes
    entries: Mapping[bytes, Entry]

    @classmethod
    def parse(cls, raw: bytes) -> Tree:
        """From a tree object's content."""
        return cls(raw, _parse(raw))

    def edited(self, edits: Mapping[bytes, Entry | None]) -> Tree:
        """With entries put in, replaced, or (None) taken out."""
        entries = dict(self.entries)
        # To put one in is a copy of the whole; of many, all are written once.
        raw: bytes | None = self.raw if len(edits) <= _MOST_SPLICED else None
        for name, entry in edits.items():
            old = entries.pop(name, None) if entry is None else entries.get(name)
            if entry is not None:
                entries[name] = entry
            if raw is not None and old != entry:
                raw = _spliced(raw, name, old, entry)
        return Tree(_written(entries) if raw is None else raw, entries)


EMPTY = Tree(b"", {})


class Store(Protocol):
    """Where trees and blobs are read and written (`backport.gateway.objects`)."""

    def blob(self, oid: Oid) -> bytes: ...

    def find_blob(self, abbreviated: Oid | None) -> Oid | None: ...

    def write_blob(self, data: bytes, base: Oid | None = None) -> Oid: ...

    def tree(self, oid: Oid) -> Tree: ...

    def write_tree(self, tree: Tree, base: Oid | None = None) -> Oid: ...


class TreeView:
    """One tree of a repository; also serves as the `series.model.Base` of an ordering."""

    def __init__(self, objects: Store, tree: Oid) -> None:
        self.objects = objects
        self.id = tree

    def entry(self, path: bytes) -> Entry | None:
        """The entry of the file at ``path``; None where there is none or a directory."""
        at = self.id
        *directories, name = path.split(b"/")
        for part in directories:
            step = self.objects.tree(at).entries.get(part)
            if step is None or step.mode != DIRECTORY:
                return None
            at = step.oid
        found = self.objects.tree(at).entries.get(name)
        return found if found is not None and found.mode != DIRECTORY else None

    def has_directory(self, path: bytes) -> bool:
        """Whether ``path`` is a directory."""
        at = self.id
        for part in path.split(b"/"):
            step = self.objects.tree(at).entries.get(part)
            if step is None or step.mode != DIRECTORY:
                return False
            at = step.oid
        return True

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
        return TreeView(self.objects, oid if oid is not None else self.objects.write_tree(EMPTY))

    def _edit(
        self, tree: Oid | None, edits: Mapping[bytes, Entry | None], prefix: bytes
    ) -> Oid | None:
        now = self.objects.tree(tree) if tree is not None else EMPTY
        below: dict[bytes, dict[bytes, Entry | None]] = defaultdict(dict)
        here: dict[bytes, Entry | None] = {}
        for path, entry in edits.items():
            name, slash, rest = path.partition(b"/")
            if slash:
                below[name][rest] = entry
            else:
                here[name] = entry
        made: dict[bytes, Entry | None] = {n: None for n, entry in here.items() if entry is None}
        for name, inner in below.items():
            there = None if name in made else now.entries.get(name)
            if there is not None and there.mode != DIRECTORY:
                raise InTheWay(prefix + name + b"/" + next(iter(inner)), prefix + name)
            oid = self._edit(there.oid if there else None, inner, prefix + name + b"/")
            made[name] = Entry(oid, DIRECTORY) if oid is not None else None
        for name, entry in here.items():
            if entry is None:
                continue
            there = made[name] if name in made else now.entries.get(name)
            if there is not None and there.mode == DIRECTORY:
                raise InTheWay(prefix + name, prefix + name + b"/")
            made[name] = entry
        result = now.edited(made)
        return self.objects.write_tree(result, tree) if result.entries else None


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


def _spliced(raw: bytes, name: bytes, old: Entry | None, new: Entry | None) -> bytes | None:
    """The bytes with one entry replaced; None where the order of the entries may change."""
    if old is None or new is None or (old.mode == DIRECTORY) != (new.mode == DIRECTORY):
        return None
    before = _record(name, old)
    # Twice where the name of another entry ends like this one.
    return raw.replace(before, _record(name, new)) if raw.count(before) == 1 else None


def _record(name: bytes, entry: Entry) -> bytes:
    return b"%o %s\0%s" % (entry.mode, name, bytes.fromhex(entry.oid))


def _written(entries: Mapping[bytes, Entry]) -> bytes:
    return b"".join(_record(*item) for item in sorted(entries.items(), key=_git_order))


def _git_order(item: tuple[bytes, Entry]) -> bytes:
    name, entry = item
    return name + b"/" if entry.mode == DIRECTORY else name
