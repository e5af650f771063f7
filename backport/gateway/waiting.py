# SPDX-License-Identifier: GPL-2.0-or-later
"""New objects that wait in memory to be stored, in the form in which a pack will hold them.

A series changes the same files again and again, so that the contents of all its versions are many
times what it brings: 1,000 patches of Xen with 4.4 MB of mail make 70 MB of blobs.  What was made of
another object that waits is held as the difference to it; the rest is deflated once it has not been
read for a while.  The pack takes both as they are.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Collection
from pathlib import Path

import pygit2

from backport.gateway.packs import Fresh, Stored, deflated, stored
from series.binary import MAX_SIZE, apply_delta
from series.model import Oid

_RECENT_BYTES = 6 << 20
"""Of contents at hand as they are."""


class Waiting:
    """The objects by id, in the order in which they came."""

    def __init__(self, disk: Path | None = None) -> None:
        """``disk``: the folder ``objects`` of the repository."""
        self._disk = pygit2.Odb(str(disk)) if disk is not None else None
        self._there: set[Oid] = set()
        self._loose: dict[Oid, Fresh] = {}
        """What is not yet held as the difference to what it was made of."""
        self._made_of: dict[Oid, list[Oid]] = {}
        self.objects: dict[Oid, Stored] = {}
        self.bytes = 0
        """What is held of them in all."""
        self._recent: OrderedDict[Oid, bytes] = OrderedDict()
        self._recent_bytes = 0
        self._hashed: set[Oid] = set()

    def add(self, oid: Oid, fresh: Fresh) -> None:
        """Take a new object, unless it is here."""
        if oid in self.objects:
            return
        # A content over the bound of deltas could not be led back.
        if fresh.base in self.objects and len(fresh.raw) <= MAX_SIZE:
            self._loose[oid] = fresh
            self._made_of.setdefault(fresh.base, []).append(oid)
        self._hold(oid, stored(fresh, None))
        self._keep(oid, fresh.raw)

    def raw(self, oid: Oid) -> bytes:
        """The content of an object; KeyError where it is not here."""
        raw = self._recent.get(oid)
        if raw is not None:
            self._recent.move_to_end(oid)
            return raw
        # Of a chain of differences only the last content is kept.
        steps, at = [], oid
        while at not in self._recent and (base := self.objects[at].base) is not None:
            steps.append(self.objects[at].data)
            at = base
        raw = self._recent.get(at)
        if raw is None and at in self._there:
            assert self._disk is not None
            raw = self._disk.read(pygit2.Oid(hex=at))[1]
        elif raw is None:
            one = self.objects[at]
            raw = zlib.decompress(one.deflated) if one.deflated is not None else one.data
        for delta in reversed(steps):
            raw = apply_delta(raw, delta)
        self._keep(oid, raw)
        return raw

    def size(self, oid: Oid) -> int:
        """The size of an object's content."""
        return self.objects[oid].raw_size

    def in_pack(self, oid: Oid, held: Collection[Oid]) -> Stored:
        """The object for a pack, whole where what it is the difference to is ``held`` elsewhere."""
        self._settle(oid)
        one = self.objects[oid]
        if one.base not in held and oid not in self._there:
            return one
        raw = self.raw(oid)
        return Stored(one.kind, raw, len(raw))

    def check(self, oid: Oid) -> None:
        """Hash a blob with a watch for collisions, which raises; once."""
        if oid not in self._hashed and self.objects[oid].kind == "blob":
            pygit2.hash(self.raw(oid))
            self._hashed.add(oid)

    def clear(self) -> None:
        """Forget all: they are stored."""
        self.objects.clear()
        self._recent.clear()
        self._hashed.clear()
        self._there.clear()
        self._loose.clear()
        self._made_of.clear()
        self.bytes = self._recent_bytes = 0

    def _hold(self, oid: Oid, one: Stored) -> None:
        before = self.objects.get(oid)
        self.bytes += one.held - (before.held if before is not None else 0)
        self.objects[oid] = one

    def _keep(self, oid: Oid, raw: bytes) -> None:
        self._recent[oid] = raw
        self._recent_bytes += len(raw)
        while self._recent_bytes > _RECENT_BYTES and len(self._recent) > 1:
            old = next(iter(self._recent))
            self._let_go(old)
            # To make a difference may have let it go already.
            self._recent_bytes -= len(self._recent.pop(old, b""))

    def _let_go(self, oid: Oid) -> None:
        """See to it that the content can be had without being at hand.

        What is made of it is held as a difference now, while both contents are.
        """
        for each in (oid, *self._made_of.pop(oid, ())):
            if each in self._there:
                continue
            if self._disk is not None and each in self._disk:
                self._there.add(each)
                self._loose.pop(each, None)
                self._hold(each, Stored(self.objects[each].kind, b"", self.size(each)))
            else:
                self._settle(each)
        one = self.objects[oid]
        if oid in self._there:
            return
        self.check(oid)
        if one.base is None and one.deflated is None and one.kind != "tree":
            self._hold(oid, Stored(one.kind, b"", one.raw_size, deflated=deflated(one)))

    def _settle(self, oid: Oid) -> None:
        """Hold an object as the difference to what it was made of, where that is shorter."""
        todo = [oid]
        while todo[-1] in self._loose and (base := self._loose[todo[-1]].base) is not None:
            todo.append(base)
        for one in reversed(todo):
            fresh = self._loose.pop(one, None)
            if fresh is not None and fresh.base is not None:
                of = self.objects[fresh.base]
                self._hold(one, stored(fresh, (of.kind, self.raw(fresh.base), of.depth)))
