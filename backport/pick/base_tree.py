# SPDX-License-Identifier: GPL-2.0-or-later
"""``--base REV``: the tree that a series was made on, where its patches do not name their blobs.

A plain diff says only what it expects near its lines.  With the tree it was made on at hand, each of its
files has a base, and goes on by a three-way merge like one that names its blob.  A series changes that
tree as it goes along: a patch meets there what those before it have made.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field
from msgspec.structs import replace

from backport.gateway.objects import Objects
from backport.gateway.trees import Entry, InTheWay, TreeView
from backport.pick.content import names
from backport.pick.creation import created
from series.model import FileChange, Hunk, Patch, shown
from series.placement.hunks import Placed, PlaceError, apply_change


class Based(Struct, frozen=True):
    """A patch whose changes name the blobs that they are for; ``made_on`` gives its own tree.

    ``notes`` name the files whose hunks do not fit there: these go on by context.
    """

    patch: Patch
    made_on: Callable[[], TreeView | None]
    notes: tuple[str, ...] = ()


class BaseTree(Struct):
    """The tree of ``--base`` as the patches so far have left it; nothing is written but blobs."""

    objects: Objects
    tree: TreeView
    name: str
    """As the user gave it, for messages."""
    _edits: dict[bytes, Entry | None] = field(default_factory=dict)

    def take(self, patch: Patch) -> Based:
        """Give ``patch`` its blobs, and let it change the tree; once for each patch, in order."""
        before, notes = dict(self._edits), []
        changes: list[FileChange] = []
        for change in patch.changes:
            based, note = self._take(change)
            changes.append(based)
            notes += [note] if note else []
        made = replace(patch, changes=tuple(changes))
        return Based(made, lambda: self._view(before), tuple(notes))

    def _view(self, edits: dict[bytes, Entry | None]) -> TreeView | None:
        try:
            return self.tree.edited(edits)
        except InTheWay:
            return None

    def _take(self, change: FileChange) -> tuple[FileChange, str]:
        path, old = change.path, change.old_path
        if change.kind == "create":
            made = created(self.objects, change)
            self._edits[path] = made if isinstance(made, Entry) else None
            return change, ""
        assert old is not None
        there = self._edits[old] if old in self._edits else self.tree.entry(old)
        if change.kind in ("delete", "rename"):
            self._edits[old] = None
        named = self.objects.find_blob(change.old_blob)
        if there is None:
            return change, "" if named else f"{shown(old)} is not in {self.name}"
        based, blob = change, there.oid
        if change.hunks and not change.binary:
            try:
                placed = apply_change(self.objects.blob(there.oid), change)
            except PlaceError as error:
                return change, "" if named else self._misfit(change, error.reason)
            if any(place.ambiguous for place in placed.hunks):
                return change, "" if named else self._misfit(change, "fits in several places")
            blob = self.objects.write_blob(placed.text, there.oid, placed.edits)
            if named is None:
                based = replace(
                    change,
                    old_blob=there.oid,
                    new_blob=change.new_blob if names(blob, change.new_blob) else None,
                    hunks=_as_placed(change.hunks, placed),
                )
        if change.kind != "delete":
            self._edits[path] = Entry(blob, change.new_mode or there.mode)
        return based, ""

    def _misfit(self, change: FileChange, reason: str) -> str:
        return f"{shown(change.path)} as {self.name} has it is not what the patch was made for: {reason}"


def _as_placed(hunks: tuple[Hunk, ...], placed: Placed) -> tuple[Hunk, ...]:
    """The hunks with the lines at which they were found, so that they count as exact there."""
    return tuple(
        replace(hunk, old_start=hunk.old_start + at.offset, new_start=hunk.new_start + at.offset)
        for hunk, at in zip(hunks, placed.hunks, strict=True)
    )
