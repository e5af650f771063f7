# SPDX-License-Identifier: GPL-2.0-or-later
"""Git's files that hold nothing but a path: of any bytes, and perhaps from where the file lies."""

from __future__ import annotations

import os
from pathlib import Path


def path_in(file: Path) -> Path:
    """The path that a file names."""
    return file.parent / os.fsdecode(file.read_bytes().removesuffix(b"\n"))
