# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a commit says that it came from: Xen's and git's conventions."""

from __future__ import annotations

import time

from backport.levels import Record
from series.model import Identity, Patch, When
from series.reading.trailers import ends_with_trailers


def recorded(patch: Patch, record: Record, committed: When | None) -> bytes:
    """The message of ``patch`` with its provenance; byte for byte the same with ``none``.

    ``cherry`` appends git's ``(cherry picked from commit …)``, ``xen`` the ``master commit:`` and
    ``master date:`` lines of Xen's stable branches, unless the patch has them.  Only a patch read from a
    commit has either; ``committed`` is when that was committed, None where this is not known.
    ``name`` appends ``Patch-name:`` with the name of the file that the patch stood in.
    """
    if record is Record.NAME:
        if not patch.file:
            return patch.message
        return _with_lines(patch.message, b"Patch-name: " + patch.file.encode())
    if record is Record.NONE or patch.commit is None:
        return patch.message
    commit = patch.commit.encode()
    if record is Record.CHERRY:
        return _with_lines(patch.message, b"(cherry picked from commit %s)" % commit)
    if any(trailer.key == "master commit" for trailer in patch.trailers):
        return patch.message  # from a branch that had it from master
    lines = b"master commit: %s" % commit
    if committed is not None:
        shifted = time.gmtime(committed.seconds + 60 * committed.offset)
        sign, minutes = "-" if committed.offset < 0 else "+", abs(committed.offset)
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", shifted)
        lines += f"\nmaster date: {stamp} {sign}{minutes // 60:02}{minutes % 60:02}".encode()
    return _with_lines(patch.message, lines)


def signed_off(message: bytes, who: Identity) -> bytes:
    """``message`` with the committer's ``Signed-off-by:``, unless it ends with that already."""
    line = b"Signed-off-by: %s <%s>" % (who.name, who.email)
    return message if message.rstrip().endswith(line) else _with_lines(message, line)


def _with_lines(message: bytes, lines: bytes) -> bytes:
    gap = b"" if ends_with_trailers(message) else b"\n"
    return message.rstrip(b"\n") + b"\n" + gap + lines + b"\n"
