# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether two patches say the same thing, wherever in the file they say it.

In the spirit of git-patch-id(1): paths, modes and the lines of every hunk count; white space, line
numbers, section names and blob ids do not.  The value is ours, not git's: it only ever meets itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from series.model import FileChange

_BLANK = bytes.maketrans(b"", b"")


def fingerprint(changes: Iterable[FileChange]) -> str:
    """A digest of what the changes do; the order of the files does not matter."""
    return hashlib.sha1(b"".join(sorted(_file(change) for change in changes))).hexdigest()


def _file(change: FileChange) -> bytes:
    digest = hashlib.sha1(b"%s\0%s\0" % (change.old_path or b"", change.new_path or b""))
    if change.old_mode != change.new_mode:
        digest.update(b"%o %o\0" % (change.old_mode or 0, change.new_mode or 0))
    for hunk in change.hunks:
        for line in hunk.lines:
            digest.update(line.op + line.text.translate(_BLANK, b" \t\r\n\f\v"))
    if change.forward is not None:
        digest.update(change.forward.data)
    return digest.digest()
