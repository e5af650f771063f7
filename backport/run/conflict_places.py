# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the file of a conflict is laid out: under its name, or beside what has that name on the branch."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from backport.gateway.trees import TreeView
from backport.pick.outcome import Clash, Picked
from series.model import Patch


def beside(patch: Patch, picked: Picked) -> tuple[Clash, ...]:
    """The clashes, each at the path that the patch leaves it at, and that can be written: beside a folder
    that has its name, or a file that has the name of one of its folders, as git does it (``NAME~SIDE``)."""
    places = _Places(picked.tree)
    return tuple(
        clash if path == clash.path else replace(clash, path=path)
        for clash in picked.clashes
        for path in (places.take(clash.path, clash.target(patch)),)
    )


class _Places:
    """The paths of a tree, and those that files of the conflict have been given."""

    def __init__(self, tree: TreeView) -> None:
        self._tree = tree
        self._files: set[bytes] = set()
        self._folders: set[bytes] = set()

    def take(self, old: bytes, new: bytes) -> bytes:
        """A path for a file: its ``new`` name, or ``old`` where another file has that one."""
        name = old if new != old and (self._tree.entry(new) or new in self._files) else new
        path, number = name, 0
        while not self._is_free(path) or (number and self._tree.entry(path)):
            number += 1
            # What stands where a folder should be keeps its name: the path goes on behind the mark.
            above = self._above(name) or name
            mark = b"~patch" + (b"%d" % number if number > 1 else b"")
            path = above + mark + name[len(above) :]
        self._files.add(path)
        self._folders.update(_folders(path))
        return path

    def _is_free(self, path: bytes) -> bool:
        is_folder = path in self._folders or self._tree.has_directory(path)
        return not is_folder and self._above(path) is None

    def _above(self, path: bytes) -> bytes | None:
        """The file that has the name of a folder of ``path``."""
        return next((x for x in _folders(path) if x in self._files or self._tree.entry(x)), None)


def _folders(path: bytes) -> Iterator[bytes]:
    """The folders that ``path`` lies in, the outermost first."""
    parts = path.split(b"/")
    return (b"/".join(parts[:size]) for size in range(1, len(parts)))
