# SPDX-License-Identifier: GPL-2.0-or-later
"""Which file is meant where the names of a diff's header disagree: the one that is there.

An edited ``+++`` line, ``foo.c.orig`` against ``foo.c``, a typo in one of the names: patch(1) takes the
name that exists (POSIX patch, "File Name Determination"), and so does this.
"""

from __future__ import annotations

from itertools import repeat

from msgspec.structs import replace

from series.model import Base, FileChange, Series, shown


def _is_copy_of(name: bytes, other: bytes) -> bool:
    """``foo.c.orig`` beside ``foo.c``: so diff is fed, and nobody needs to hear of it."""
    return name.startswith(other) and name[len(other) :] in (b".orig", b".old", b".org", b"~")


def settle_names(series: Series, base: Base) -> Series:
    """``series`` with each change to a file that is not there turned to the one that is, and noted.

    A file is there when ``base`` has it or a patch of the series makes it.
    """
    if not any(change.others for patch in series.patches for change in patch.changes):
        return series
    made = {
        change.new_path
        for patch in series.patches
        for change in patch.changes
        if change.kind in ("create", "rename", "copy")
    }

    def there(path: bytes) -> bool:
        return path in made or base.oid(path) is not None

    notes: list[str] = []
    patches = []
    for patch in series.patches:
        changes: list[FileChange] = []
        for change in patch.changes:
            found = [name for name in change.others if there(name)]
            meant = found[0] if found and not there(change.path) else change.path
            if change.others and not all(map(_is_copy_of, change.others, repeat(meant))):
                names = " and ".join(map(shown, (change.path, *change.others)))
                notes.append(f"{patch.name}: its header names {names}; {shown(meant)} is taken")
            changes.append(replace(change, old_path=meant, new_path=meant) if found else change)
        patches.append(replace(patch, changes=tuple(changes)))
    return replace(series, patches=tuple(patches), notes=(*series.notes, *notes))
