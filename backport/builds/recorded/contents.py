# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: PTH115, PTH118
# (a step asks for each of its outputs twice, and some have 30 MB: os.path takes a tenth of the time)
"""What the outputs of commands hold: to tell whether one is another than before.

A file is read when it is first asked for and when it is another since (`os.lstat`), so that what a step
has left need not be read again before the next.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from msgspec import Struct

from backport.builds.outside_state import attributes


class Content(Struct, frozen=True):
    """``digest`` is empty where there is no file; a mode or a link's target counts as content."""

    digest: bytes = b""


class Contents:
    """Of the files under ``root``, by path in it."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self._seen: dict[str, tuple[tuple[int, ...], Content]] = {}

    def of(self, path: str) -> Content:
        """What is there now."""
        place = os.path.join(self.root, path)
        try:
            st = os.lstat(place)
        except (FileNotFoundError, NotADirectoryError):
            return Content()
        state = st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino, st.st_mode
        if path not in self._seen or self._seen[path][0] != state:
            self._seen[path] = state, _read(place, st.st_mode)
        return self._seen[path][1]


def _read(place: str, mode: int) -> Content:
    if stat.S_ISLNK(mode):
        return Content(b"link" + os.fsencode(os.readlink(place)))
    if not stat.S_ISREG(mode):
        return Content(b"%o" % mode)
    text = hashlib.sha256(Path(place).read_bytes())
    for name, value in attributes(place):
        text.update(os.fsencode(name) + b"\0" + value + b"\0")
    return Content(b"%o" % mode + text.digest())
