# SPDX-License-Identifier: GPL-2.0-or-later
"""What each patch does to the paths that renames and copies tie together."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from series.model import FileChange, Patch
from series.ties import Ties


class Item(Struct, frozen=True):
    """All that one patch does to one family of paths."""

    patch: int
    changes: tuple[FileChange, ...]


def families(patches: Sequence[Patch]) -> list[tuple[frozenset[bytes], tuple[Item, ...]]]:
    """Paths tied by renames and copies, with what each patch does to them."""
    tied: Ties[bytes] = Ties()
    for patch in patches:
        for change in patch.changes:
            if change.old_path is not None and change.new_path not in (None, change.old_path):
                tied.tie(change.old_path, change.path)
    groups: dict[bytes, dict[int, list[FileChange]]] = {}
    for index, patch in enumerate(patches):
        for change in patch.changes:
            groups.setdefault(tied.root(change.path), {}).setdefault(index, []).append(change)
    found = []
    for paths in tied.sets():
        items = groups[tied.root(paths[0])]
        found.append(
            (
                frozenset(paths),
                tuple(Item(index, tuple(changes)) for index, changes in items.items()),
            )
        )
    return sorted(found, key=lambda family: min(family[0]))
