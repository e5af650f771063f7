# SPDX-License-Identifier: GPL-2.0-or-later
"""A submodule in a patch: its whole content is one commit's id, and the patch holds it.

git writes such a change as a hunk of ``Subproject commit <id>`` lines, and ``git am`` takes it.
"""

from __future__ import annotations

import re

from series.model import FileChange, LineOp, Oid

_ID = re.compile(rb"Subproject commit ([0-9a-f]{40})\n?\Z")


def commits(change: FileChange) -> tuple[Oid | None, Oid | None]:
    """The commit that the patch expects and the one it brings; None where a side names none."""
    return _side(change, b"-"), _side(change, b"+")


def _side(change: FileChange, op: LineOp) -> Oid | None:
    lines = [line.text for hunk in change.hunks for line in hunk.lines if line.op == op]
    match = _ID.match(lines[0]) if len(lines) == 1 else None
    return Oid(match[1].decode()) if match else None
