# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a commit says that it came from: Xen's and git's conventions."""

from __future__ import annotations

import time

from backport.levels import Record
from series.model import Identity, Patch
from series.reading.trailers import parse_trailers


def recorded(patch: Patch, record: Record) -> bytes:
    """The message of ``patch`` with its provenance; byte for byte the same with ``none``.

    ``cherry`` appends git's ``(cherry picked from commit …)``, ``xen`` the ``master commit:`` and
    ``master date:`` lines of Xen's stable branches.  Only a patch read from a commit has either.
    ``name`` appends ``Patch-name:`` with the name of the file that the patch stood in.
    """
    if record is Record.NAME:
        if not patch.file:
            return patch.message
        return _with_trailer(patch.message, b"Patch-name: " + patch.file.encode())
    if record is Record.NONE or patch.commit is None:
        return patch.message
    if record is Record.CHERRY:
        line = b"(cherry picked from commit %s)\n" % patch.commit.encode()
        gap = b"" if patch.trailers else b"\n"
        return patch.message.rstrip(b"\n") + b"\n" + gap + line
    lines = b"master commit: %s\n" % patch.commit.encode()
    if patch.date is not None:
        shifted = time.gmtime(patch.date.seconds + 60 * patch.date.offset)
        sign, minutes = "-" if patch.date.offset < 0 else "+", abs(patch.date.offset)
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", shifted)
        lines += f"master date: {stamp} {sign}{minutes // 60:02}{minutes % 60:02}\n".encode()
    return patch.message.rstrip(b"\n") + b"\n" + lines


def signed_off(message: bytes, who: Identity) -> bytes:
    """``message`` with the committer's ``Signed-off-by:``, unless it ends with that already."""
    line = b"Signed-off-by: %s <%s>" % (who.name, who.email)
    return message if message.rstrip().endswith(line) else _with_trailer(message, line)


def _with_trailer(message: bytes, line: bytes) -> bytes:
    gap = b"" if parse_trailers(message) else b"\n"
    return message.rstrip(b"\n") + b"\n" + gap + line + b"\n"
