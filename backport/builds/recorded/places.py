# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: PTH115, PTH118, PTH119, PTH120
# (paths by the hundred thousand: os.path takes a tenth of the time)
"""Paths as processes named them, resolved to paths in the worktree.

``include/asm/page.h`` through a link ``include/asm`` is, for git, a change of
``include/asm-x86/page.h`` or of the link: both are given.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right, insort
from collections.abc import Iterable
from pathlib import Path

Link = tuple[int, str, str]
"""A link as it was made: number in the log, path, target."""
ELSEWHERE = re.compile(r"/proc/[^/]+/(?:task/[^/]+/)?(?:cwd|root|fd/[^/]+)/")
"""What lies behind these is another path, which only the process itself could say (proc(5))."""
_LINKS = 40


class Places:
    """Resolves paths against the file system as it is now; asks of every directory once.

    Links that a build made and removed again, or had lead elsewhere later, are followed as they were at
    the record of the log that names the path (`note`).
    """

    def __init__(self, root: Path) -> None:
        self.root = str(root.resolve())
        self._folders: dict[str, tuple[str, frozenset[str]]] = {"/": ("/", frozenset())}
        self._found: dict[tuple[str, bool], tuple[str, frozenset[str]]] = {}
        self._then: dict[str, list[tuple[int, str]]] = {}
        """Of links that were not always what they are now: since when they led where ("": no link)."""
        self._at = 0
        self._passing = False
        """Whether one of those was met on the way."""

    def note(
        self,
        links: Iterable[Link],
        names: Iterable[tuple[int, str]],
        absent: Iterable[tuple[int, str]] = (),
    ) -> None:
        """Take in which links were made, which names came or went besides, in the log's order, and which
        were ``absent``."""
        made: dict[str, list[tuple[int, str]]] = {}
        for number, raw, target in sorted(links):
            path = self.resolve(raw, follow=False, at=number)[0]
            made.setdefault(path, []).append((number, target))
            self._settle(path, made[path])
        for number, raw in names if made else ():
            path = self.resolve(raw, follow=False, at=number)[0]
            if path in made and all(number != at for at, _ in made[path]):
                insort(made[path], (number, ""))
                self._settle(path, made[path])
        last = {os.path.basename(path) for path in made}
        for number, raw in absent if made else ():
            if os.path.basename(raw) in last:
                path = self.resolve(raw, follow=False, at=number)[0]
                if path in made and path not in self._then and number < made[path][0][0]:
                    self._then[path] = made[path]
                    self._forget()

    @property
    def some_links_turned(self) -> bool:
        """Whether some links were not always what they are now: what a path leads to depends on when."""
        return bool(self._then)

    def _settle(self, path: str, turns: list[tuple[int, str]]) -> None:
        if len(turns) > 1 or _target(path) != turns[0][1]:
            self._then[path] = turns
            self._forget()

    def _forget(self) -> None:
        self._folders = {"/": ("/", frozenset())}
        self._found.clear()

    def resolve(self, raw: str, *, follow: bool, at: int = 0) -> tuple[str, frozenset[str]]:
        """The path without links, and the links that lead there, with the folders that ``..`` leads out of
        (``FOLDER/..``); ``follow`` the last part too.  ``at`` is the number in the log."""
        found = self._found.get((raw, follow))
        if found is None:
            self._at, self._passing = at, False
            found = self._walk(raw, follow, 0)
            if not self._passing:
                self._found[raw, follow] = found
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
        target = self._leads(path) if follow and depth < _LINKS else ""
        if target:
            there, more = self._walk(os.path.join(folder, target), True, depth + 1)
            return there, links | more | {path}
        return path, links

    def _folder(self, raw: str, depth: int) -> tuple[str, frozenset[str]]:
        found = self._folders.get(raw)
        if found is not None:
            return found
        before, self._passing = self._passing, False
        head, _, last = raw.rstrip("/").rpartition("/")
        above, links = self._folder(head or "/", depth)
        if last in ("", "."):
            found = above, links
        elif last == "..":
            out = f"{above}/.."
            there = out if ELSEWHERE.match(f"{above}/") else os.path.dirname(above)
            found = there, links | {out}
        else:
            there, more = self._walk(f"{above.rstrip('/')}/{last}", True, depth + 1)
            found = there, links | more
        if not self._passing:
            self._folders[raw] = found
        self._passing |= before
        return found

    def _leads(self, path: str) -> str:
        """Where a link led; "" where there was none."""
        turns = self._then.get(path)
        if turns is None:
            return _target(path)
        self._passing = True
        at = bisect_right(turns, (self._at, "\U0010ffff"))
        return turns[at - 1][1] if at else ""


def _target(path: str) -> str:
    # What proc(5) has of a process is not what it has of this one.
    if path.startswith("/proc/"):
        return ""
    try:
        return os.readlink(path)
    except OSError:
        return ""
