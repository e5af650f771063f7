# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: PTH115, PTH118, PTH120
# (paths by the hundred thousand: os.path takes a tenth of the time)
"""Paths as processes named them, resolved to paths in the worktree.

``include/asm/page.h`` through a link ``include/asm`` is, for git, a change of
``include/asm-x86/page.h`` or of the link: both are given.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

_LINKS = 40


class Places:
    """Resolves paths against the file system as it is now; asks of every directory once."""

    def __init__(self, root: Path) -> None:
        self.root = str(root.resolve())
        self._folders: dict[str, tuple[str, frozenset[str]]] = {"/": ("/", frozenset())}
        self._found: dict[tuple[str, bool], tuple[str, frozenset[str]]] = {}

    def resolve(self, raw: str, *, follow: bool) -> tuple[str, frozenset[str]]:
        """The path without links, and the links that lead there; ``follow`` the last part too."""
        found = self._found.get((raw, follow))
        if found is None:
            found = self._found[raw, follow] = self._walk(raw, follow, 0)
        return found

    def inside(self, path: str) -> str | None:
        """The path relative to the worktree; None when it is elsewhere.  ``.git`` is elsewhere."""
        if path == self.root:
            return ""
        if not path.startswith(self.root + "/"):
            return None
        name = path[len(self.root) + 1 :]
        return None if name == ".git" or name.startswith(".git/") else name

    def _walk(self, raw: str, follow: bool, depth: int) -> tuple[str, frozenset[str]]:
        head, _, last = raw.rstrip("/").rpartition("/")
        if last in ("", ".", ".."):
            return self._folder(raw or "/", depth)
        folder, links = self._folder(head or "/", depth)
        path = f"{folder.rstrip('/')}/{last}"
        if follow and depth < _LINKS and _is_link(path):
            target = os.path.join(folder, os.readlink(path))
            there, more = self._walk(target, True, depth + 1)
            return there, links | more | {path}
        return path, links

    def _folder(self, raw: str, depth: int) -> tuple[str, frozenset[str]]:
        found = self._folders.get(raw)
        if found is not None:
            return found
        head, _, last = raw.rstrip("/").rpartition("/")
        above, links = self._folder(head or "/", depth)
        if last in ("", "."):
            found = above, links
        elif last == "..":
            found = os.path.dirname(above), links
        else:
            there, more = self._walk(f"{above.rstrip('/')}/{last}", True, depth + 1)
            found = there, links | more
        self._folders[raw] = found
        return found


def _is_link(path: str) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(path).st_mode)
    except OSError:
        return False
