# SPDX-License-Identifier: GPL-2.0-or-later
"""A rename that a patch writes as a deletion and a creation: `git format-patch --no-renames`.

Where the branch has changed the file, the deletion does not fit what stands there, and the creation alone
would lose the branch's changes; where the branch has renamed it as well, the creation meets another file.
Git's merge sees the rename in the two trees.  Both contents stand whole in the patch, so it shows here, too.
A file that the patch deletes as it stands is left alone: there the two changes give the same tree.

Diffs that name no blob are taken as they are written, as patch(1) does, which deletes no file that differs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from backport.gateway.objects import Objects
from backport.gateway.text_diff import unified
from backport.gateway.trees import EXECUTABLE, FILE, TreeView
from backport.pick.content import names
from backport.pick.outcome import Change, Clash, How
from backport.pick.renamed import LEAST
from backport.pick.work import Done
from series.lines import split_lines
from series.model import FileChange, shown
from series.placement.hunks import PlaceError, apply_change
from series.reading.diff import read_diff
from series.reverse import reverse_change

_MOST_PAIRS = 10_000
"""Compared: a patch that replaces hundreds of files by hundreds of others is taken as it is written."""


class Unmarked(Struct, frozen=True):
    """A rename that stands for a deletion and a creation of the patch."""

    deletion: FileChange
    creation: FileChange
    rename: FileChange
    likeness: float

    def of_clash(self, clash: Clash) -> Clash:
        """The clash, with what the two changes were taken for."""
        return replace(clash, reason=f"{clash.reason} ({self._note})")

    def of_change(self, change: Change) -> tuple[Change, Change]:
        """The outcome of the creation, with what it was taken for, and of the deletion."""
        # A pure rename goes on as it is, but the file is not the one that the patch was made for.
        how = How.MERGED if change.how is How.EXACT else change.how
        noted = replace(change, how=how, notes=(self._note, *change.notes))
        return noted, Change(self.deletion.path, how)

    @property
    def _note(self) -> str:
        return f"taken for a rename of {shown(self.deletion.path)}, {self.likeness:.0%} alike"


def find_unmarked(
    objects: Objects, tree: TreeView, changes: Sequence[FileChange]
) -> tuple[Unmarked, ...]:
    """The pairs of ``changes`` that are a rename of a file that ``tree`` has with other content, under one
    of the two names.

    Of several that are alike the likest, by git's measure and least (`renamed.LEAST`); each change is in
    one pair.
    """
    deletions = [
        (change, old)
        for change in changes
        if change.kind == "delete" and (old := _deleted(objects, tree, change))
    ]
    if not deletions:
        return ()
    creations = [
        (change, new)
        for change in changes
        if change.kind == "create" and (new := _created(change)) is not None
    ]
    if len(deletions) * len(creations) > _MOST_PAIRS:
        return ()
    found = [
        (likeness, deletion, old, creation, new)
        for deletion, old in deletions
        for creation, new in creations
        if _one_there(tree, deletion.path, creation.path)
        and (likeness := _likeness(old, new)) >= LEAST
    ]
    found.sort(key=lambda one: (-one[0], one[1].path, one[3].path))
    taken: set[bytes] = set()
    pairs = []
    for likeness, deletion, old, creation, new in found:
        if taken.isdisjoint((deletion.path, creation.path)):
            taken |= {deletion.path, creation.path}
            rename = _rename(objects, deletion, old, creation, new)
            pairs.append(Unmarked(deletion, creation, rename, likeness))
    return tuple(pairs)


def with_renames(
    changes: Sequence[FileChange], pairs: Sequence[Unmarked]
) -> tuple[FileChange, ...]:
    """The changes, each pair as its rename, in the place of the deletion."""
    renames = {id(pair.deletion): pair.rename for pair in pairs}
    made = {id(pair.creation) for pair in pairs}
    return tuple(renames.get(id(one), one) for one in changes if id(one) not in made)


def pair_at(done: Done | Clash, pairs: Sequence[Unmarked]) -> Unmarked | None:
    """The pair whose rename came to ``done``."""
    path = done.path if isinstance(done, Clash) else done.change.path
    return next((pair for pair in pairs if pair.creation.path == path), None)


def _one_there(tree: TreeView, old: bytes, new: bytes) -> bool:
    return (tree.entry(old) is None) != (tree.entry(new) is None)


def _deleted(objects: Objects, tree: TreeView, change: FileChange) -> bytes | None:
    """What a deletion deletes, unless that is what the tree has there."""
    there = tree.entry(change.path)
    if change.old_blob is None or (there is not None and names(there.oid, change.old_blob)):
        return None
    if there is not None and there.mode not in (FILE, EXECUTABLE):
        return None
    old = _created(reverse_change(change))
    return None if there is not None and old == objects.blob(there.oid) else old


def _created(change: FileChange) -> bytes | None:
    if change.binary or not change.hunks or change.new_mode not in (None, FILE, EXECUTABLE):
        return None
    try:
        return apply_change(b"", change).text
    except PlaceError:
        return None


def _likeness(old: bytes, new: bytes) -> float:
    most = max(len(old), len(new))
    if min(len(old), len(new)) < LEAST * most:
        return 0.0
    lines, others = Counter(split_lines(old)), Counter(split_lines(new))
    return sum(len(line) * min(lines[line], others[line]) for line in lines & others) / most


def _rename(
    objects: Objects, deletion: FileChange, old: bytes, creation: FileChange, new: bytes
) -> FileChange:
    read = read_diff(b"--- a/f\n+++ b/f\n" + unified(old, new), "a rename").changes
    return replace(
        deletion,
        kind="rename",
        new_path=creation.path,
        new_mode=creation.new_mode or deletion.old_mode,
        old_mode=deletion.old_mode or creation.new_mode,
        old_blob=objects.write_blob(old),
        new_blob=objects.write_blob(new),
        hunks=read[0].hunks if read else (),
    )
