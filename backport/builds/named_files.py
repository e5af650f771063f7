# SPDX-License-Identifier: GPL-2.0-or-later
"""The files outside of the tree that a build command names: ``cp ~/xen.config .config && make``.

They are an input like the tree itself: a build sees them, and its verdict does not outlive a change to
them.  Found by their words (a path from the root, from HOME, or up out of the worktree), so that one in
a script of the tree's, or put together by the shell, is not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

_WORD = re.compile(r"(?:~|\$HOME|\$\{HOME\}|(?<![\w.$/}-])(?:/|\.\./))[^\s'\"`;|&<>()=,:]*")
_SHARED = tuple(
    map(Path, ("/", "/dev", "/proc", "/sys", "/tmp", "/var/tmp", "/run", "/home", "/root"))
)
"""Folders too wide to be what a command names."""


def named_files(command: str, folder: Path, variables: Mapping[str, str]) -> tuple[Path, ...]:
    """What ``command``, run in ``folder``, names outside of it; only what exists, in their order."""
    home = variables.get("HOME", "")
    found: dict[Path, None] = {}
    for word in _WORD.findall(command):
        text = re.sub(r"^(~|\$HOME|\$\{HOME\})(?=/|$)", home, word)
        if not text or text.startswith(("~", "$")):
            continue
        path = Path(os.path.normpath(folder / text))
        wide = path in _SHARED or path == Path(home) or path in folder.parents
        inside = path == folder or folder in path.parents
        if (path.is_file() or path.is_dir()) and not wide and not inside and not _is_kernels(path):
            found[path] = None
    return tuple(found)


def _is_kernels(path: Path) -> bool:
    """Whether it is no file of anybody's, but the kernel's word; /dev/shm holds files as any folder."""
    return path.parts[1] in ("dev", "proc", "sys") and path.parts[1:3] != ("dev", "shm")
