# SPDX-License-Identifier: GPL-2.0-or-later
"""The object database of a run: what the repository holds, and what is new and not stored yet.

What a run makes stays in memory until somebody else must see it (git, a ref, another process); then
it is stored at once (`Objects.store`).  Until then libgit2 finds it through a backend of ours, so that
a merge or a diff of new objects needs no special case; and a plan, a graph or a run that clashes leaves
nothing behind that gc has to clear away.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import pygit2

from backport.errors import MissingObject
from backport.gateway.held import find_held
from backport.gateway.packs import Fresh, Kind, write_pack
from backport.gateway.pointers import path_in
from backport.gateway.recent_trees import RecentTrees
from backport.gateway.trees import Tree
from backport.gateway.waiting import Waiting
from backport.store.files import sync_files
from series.model import Oid
from series.placement.stated import Edit

UNPACK_LIMIT = 100
"""Fewer objects than this are stored one by one, as git does with a fetch (fetch.unpackLimit)."""
_MOST_BYTES = 128 << 20
"""Of content that waits in memory; past that it is stored early."""
_WINDOW = 16 << 20
_FIRST = 3
"""Priority of a backend: above git's packs (2) and loose objects (1), so that all that libgit2 itself
writes comes here, too."""
_TYPES: dict[Kind, int] = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
_KINDS: dict[int, Kind] = {number: kind for kind, number in _TYPES.items()}
_HEX = 40
_EMPTY_TREE = Oid("4b825dc642cb6eb9a060e54bf8d69288fbee4904")
"""Known to git without being stored (object-file.c, cached_objects), as in a first commit without files."""
_KEPT = b"backport: until a ref holds it\n"
"""In the mark that keeps a pack from gc (gitrepository-layout(5), ``pack-*.keep``)."""


class Objects:
    """Objects read and written, with the trees that are at work parsed once."""

    def __init__(self, repo: pygit2.Repository) -> None:
        self.repo = repo
        self.common_dir = common_dir(Path(repo.path))
        self._folder = self.common_dir / "objects"
        self._trees = RecentTrees()
        self._fresh = Waiting(self._folder)
        repo.odb.add_backend(_Backend(self._fresh), _FIRST)
        # As git: what is received is hashed, not what is read; to libgit2 each read is a hash.
        pygit2.settings.enable_strict_hash_verification(False)
        # Packs in small windows: what is mapped counts as this process's memory.
        pygit2.settings.mwindow_size = _WINDOW
        pygit2.settings.mwindow_mapped_limit = 2 * _WINDOW

    @cached_property
    def alone(self) -> pygit2.Repository:
        """The objects alone, for diffs and merges: the user's attributes do not change those, and libgit2
        cannot read a sparse index."""
        found = pygit2.Repository()
        found.set_odb(self.repo.odb)
        return found

    # --- blobs ---

    def blob(self, oid: Oid) -> bytes:
        """The content of a blob."""
        return self._content(oid)

    def _content(self, oid: Oid) -> bytes:
        if oid in self._fresh.objects:
            return self._fresh.raw(oid)
        return self._stored(oid)

    def _stored(self, oid: Oid) -> bytes:
        try:
            return self.repo.read(pygit2.Oid(hex=oid))[1]
        except KeyError:
            pass
        try:  # in this way what a partial clone lacks is asked for, too
            return self.repo[oid].read_raw()
        except KeyError as error:
            raise MissingObject(f"the object {oid} is not in {self._folder}") from error

    def size(self, oid: Oid) -> int:
        """The size in bytes of a blob, which need not be read for that."""
        if oid in self._fresh.objects:
            return self._fresh.size(oid)
        return self.repo.odb.read_header(oid)[1]

    def write_blob(self, data: bytes, base: Oid | None = None, edits: tuple[Edit, ...] = ()) -> Oid:
        """A new blob, made from ``base`` by ``edits`` if these are known; returns its id."""
        return self._write("blob", data, base, edits)

    def find_blob(self, abbreviated: Oid | None) -> Oid | None:
        """The one blob whose id begins with ``abbreviated``; None when absent or ambiguous."""
        if not abbreviated or set(abbreviated) == {"0"}:
            return None
        try:
            found = self.repo[abbreviated]
        except (KeyError, ValueError):
            return None
        return Oid(str(found.id)) if found.type == pygit2.enums.ObjectType.BLOB else None

    # --- trees and commits ---

    def tree(self, oid: Oid) -> Tree:
        """One tree object."""
        tree = self._trees.find(oid)
        if tree is None:
            tree = Tree.parse(self._content(oid))
            self._trees.add(oid, tree)
        return tree

    def write_tree(self, tree: Tree, base: Oid | None = None) -> Oid:
        """A new tree, made from ``base`` if that is known; returns its id."""
        oid = self._write("tree", tree.raw, base)
        self._trees.add(oid, tree)
        return oid

    def write_commit(self, raw: bytes) -> Oid:
        """A new commit; returns its id."""
        return self._write("commit", raw, None)

    def write_tag(self, raw: bytes) -> Oid:
        """A new annotated tag, which no ref names yet; returns its id."""
        return self._write("tag", raw, None)

    def raw_commit(self, oid: Oid) -> bytes:
        """The bytes of a commit."""
        return self._stored(oid)

    def _write(self, kind: Kind, raw: bytes, base: Oid | None, edits: tuple[Edit, ...] = ()) -> Oid:
        # Without a watch for collisions, which takes thrice as long: `store` has it.
        digest = hashlib.sha1(b"%s %d\0" % (kind.encode(), len(raw)))
        digest.update(raw)
        oid = Oid(digest.hexdigest())
        self._fresh.add(oid, Fresh(kind, raw, base, edits))
        if self._fresh.bytes > _MOST_BYTES:
            self.store()
        return oid

    # --- storing ---

    def store(self) -> None:
        """Write what waits into the repository; nothing else makes a new object visible to git.

        Content comes from strangers, so what is new is hashed here with collision detection, as git
        does: by libgit2 what it writes, by us what goes into a pack.  What the repository has was
        hashed so when it came.
        """
        objects = self._fresh.objects
        if not objects:
            return
        # What a gc that is at work finds loose and held by no ref may go at once (`git gc --prune=now`).
        if len(objects) < UNPACK_LIMIT and not (self.common_dir / "gc.pid").exists():
            disk = pygit2.Repository(
                self.repo.path
            )  # without the backend that catches what is written
            for oid, one in objects.items():
                disk.write(_TYPES[one.kind], self._fresh.raw(oid))
            sync_files([self._folder / oid[:2] / oid[2:] for oid in objects])
        else:
            held = find_held(self._folder, objects)
            new = [oid for oid in objects if oid not in held]
            for oid in new:
                self._fresh.check(oid)
            if new:
                write_pack(
                    self._folder / "pack",
                    [(oid, self._fresh.in_pack(oid, held)) for oid in new],
                    kept=_KEPT,
                )
        self._fresh.clear()

    def release_packs(self) -> None:
        """Let gc have the packs that it was kept from: a ref holds what is in them, or nobody wants it.

        Only the holder of the run's lock may do so.
        """
        for mark in (self._folder / "pack").glob("*.keep"):
            with suppress(OSError):
                if mark.read_bytes() == _KEPT:
                    mark.unlink()


class _Backend(pygit2.OdbBackend):
    """The new objects, as libgit2 sees them (its callbacks; KeyError: not found, ValueError: ambiguous)."""

    def __init__(self, fresh: Waiting) -> None:
        super().__init__()
        self._fresh = fresh

    def read_cb(self, oid: pygit2.Oid) -> tuple[int, bytes]:
        """Type and content."""
        name = Oid(str(oid))
        if name == _EMPTY_TREE:
            return _TYPES["tree"], b""
        return _TYPES[self._fresh.objects[name].kind], self._fresh.raw(name)

    def read_header_cb(self, oid: pygit2.Oid) -> tuple[int, int]:
        """Type and size in bytes."""
        name = Oid(str(oid))
        if name == _EMPTY_TREE:
            return _TYPES["tree"], 0
        return _TYPES[self._fresh.objects[name].kind], self._fresh.size(name)

    def read_prefix_cb(self, short: str) -> tuple[int, bytes, pygit2.Oid]:
        """Type, content and whole id of the one object that ``short`` begins."""
        oid = self.exists_prefix_cb(short)
        return (*self.read_cb(oid), oid)

    def exists_cb(self, oid: pygit2.Oid) -> bool:
        """Whether it is one of ours."""
        return str(oid) in self._fresh.objects or str(oid) == _EMPTY_TREE

    def exists_prefix_cb(self, short: str) -> pygit2.Oid:
        """The whole id of the one object that ``short`` begins."""
        if len(short) == _HEX:
            found = [short] if short in self._fresh.objects or short == _EMPTY_TREE else []
        else:
            found = [oid for oid in self._fresh.objects if oid.startswith(short)]
        if not found:
            raise KeyError(short)
        if len(found) > 1:
            raise ValueError(short)
        return pygit2.Oid(hex=found[0])

    def write_cb(self, oid: pygit2.Oid, raw: bytes, kind: int) -> None:
        """Take what libgit2 has made."""
        self._fresh.add(Oid(str(oid)), Fresh(_KINDS[kind], raw))

    def refresh_cb(self) -> None:
        """There is nothing to look for anew."""


def common_dir(git_dir: Path) -> Path:
    """Of a linked worktree the repository's own folder."""
    named = git_dir / "commondir"
    return (path_in(named) if named.is_file() else git_dir).resolve()
