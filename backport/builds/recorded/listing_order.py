# SPDX-License-Identifier: GPL-2.0-or-later
"""In which order a folder shows its names.

By their hashes on ext4, so that it does not matter how they came there.  On tmpfs, btrfs and xfs by the order
in which they were made, and a check-out that replaces one file moves its name: what a command lists there
is in another order than in a clean worktree.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_NAMES = ("q", "a", "zz", "m3", "b", "x-y", "c.c", "0")


def is_that_of_making(folder: Path) -> bool:
    """Whether a folder in ``folder`` shows names made the other way round in another order."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        shown = []
        for names in (_NAMES, _NAMES[::-1]):
            below = Path(tempfile.mkdtemp(dir=place))
            for name in names:
                (below / name).touch()
            shown.append(os.listdir(below))  # noqa: PTH208 (its order is what is asked)
    return shown[0] != shown[1]
