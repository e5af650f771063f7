# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes turned round: what takes a change back."""

from __future__ import annotations

from msgspec.structs import replace

from series.model import ChangeKind, FileChange, Hunk, HunkLine, LineOp

_TURNED: dict[bytes, LineOp] = {b"+": b"-", b"-": b"+", b" ": b" "}


_TURNED_KIND: dict[ChangeKind, ChangeKind] = {
    "modify": "modify",
    "create": "delete",
    "delete": "create",
    "rename": "rename",
    "copy": "delete",
}


def reverse_hunk(hunk: Hunk) -> Hunk:
    """The hunk that takes ``hunk`` back."""
    return Hunk(
        hunk.new_start,
        hunk.new_count,
        hunk.old_start,
        hunk.old_count,
        hunk.section,
        tuple(HunkLine(_TURNED[line.op], line.text) for line in hunk.lines),
    )


def reverse_change(change: FileChange) -> FileChange:
    """The change that takes ``change`` back; a copy becomes the deletion of what it made."""
    return replace(
        change,
        kind=_TURNED_KIND[change.kind],
        old_path=change.new_path,
        new_path=None if change.kind == "copy" else change.old_path,
        old_mode=change.new_mode,
        new_mode=change.old_mode,
        old_blob=change.new_blob,
        new_blob=change.old_blob,
        hunks=tuple(reverse_hunk(hunk) for hunk in change.hunks),
        forward=change.reverse,
        reverse=change.forward,
    )
