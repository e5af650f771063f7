# SPDX-License-Identifier: GPL-2.0-or-later
"""The submodules of a commit, and the clones of them that the repository has (gitsubmodules(7))."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import pygit2
from msgspec import Struct
from pygit2.enums import RepositoryOpenFlag

from backport.gateway.repository import Repo
from backport.gateway.trees import GITLINK
from series.model import Oid

_FILE = ".gitmodules"


class Submodule(Struct, frozen=True):
    """What a commit has at ``path``: the ``commit`` of another repository."""

    path: str
    commit: Oid
    git_dir: Path | None
    """A clone that has it; None where there is none."""


class _Tree(Struct, frozen=True):
    """What is asked of a commit: the bytes of its ``.gitmodules``, and the submodule at a path."""

    modules: bytes
    link: Callable[[str], Oid | None]


class Submodules:
    """Looks them up, outer ones before those in them; nothing is fetched."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._known = lru_cache(64)(self._find)

    def of(self, commit: Oid) -> tuple[Submodule, ...]:
        """Those of a commit.  One that ``.gitmodules`` does not name is none."""
        if self._repo.tree(commit).entry(_FILE.encode()) is None:
            return ()
        return self._known(commit)

    def absent(self, commit: Oid) -> tuple[str, ...]:
        """The paths of those that no clone here has."""
        return tuple(one.path for one in self.of(commit) if one.git_dir is None)

    def _find(self, commit: Oid) -> tuple[Submodule, ...]:
        tree = self._repo.tree(commit)

        def link(path: str) -> Oid | None:
            entry = tree.entry(os.fsencode(path))
            return entry.oid if entry is not None and entry.mode == GITLINK else None

        folders = dict.fromkeys((self._repo.git_dir, self._repo.common_dir))
        modules = tree.read(_FILE.encode()) or b""
        return tuple(self._inside(_Tree(modules, link), tuple(folders), self._repo.top, ""))

    def _inside(
        self, tree: _Tree, folders: tuple[Path, ...], top: Path, prefix: str
    ) -> Iterator[Submodule]:
        for path, names in self._named(tree.modules).items():
            wanted = tree.link(path)
            if wanted is None:
                continue
            place = top / path
            kept = (folder / "modules" / name for name in names for folder in folders)
            clones = (*kept, *_checked_out(place))
            for clone in clones:
                if (found := _commit_in(clone, wanted)) is not None:
                    yield Submodule(prefix + path, wanted, clone)
                    yield from self._inside(found, (clone,), place, f"{prefix}{path}/")
                    break
            else:
                yield Submodule(prefix + path, wanted, None)

    def _named(self, modules: bytes) -> dict[str, list[str]]:
        """The names of each path: one that was removed and added again can have two."""
        found: dict[str, list[str]] = {}
        words = ("config", "--file", "-", "-z", "--get-regexp", r"^submodule\..*\.path$")
        said = self._repo.git.peek(*words, stdin=modules, may_fail=True) if modules else ""
        for entry in filter(None, said.split("\0")):
            key, _, path = entry.partition("\n")
            name = key.removeprefix("submodule.").removesuffix(".path")
            # Git does not take a name that leads out of its folder either (submodule-config.c).
            if name and not Path(name).is_absolute() and ".." not in re.split(r"[/\\]", name):
                found.setdefault(path, []).append(name)
        return found


def _commit_in(git_dir: Path, wanted: Oid) -> _Tree | None:
    """A commit of a clone; None where there is no such clone, or it has no such commit."""
    try:
        # As a bare one: its worktree may be gone, as on a branch without the submodule.
        native = pygit2.Repository(str(git_dir), RepositoryOpenFlag.BARE)
        tree = native[wanted].peel(pygit2.Tree)
    except (pygit2.GitError, KeyError, ValueError):
        return None

    def entry(path: str) -> pygit2.Object | None:
        try:
            return tree[path]
        except KeyError:
            return None

    def link(path: str) -> Oid | None:
        found = entry(path)
        return Oid(str(found.id)) if found is not None and found.filemode == GITLINK else None

    file = entry(_FILE)
    return _Tree(file.data if isinstance(file, pygit2.Blob) else b"", link)


def _checked_out(place: Path) -> Iterator[Path]:
    """The git directory of what is checked out at a place."""
    pointer = place / ".git"
    if pointer.is_dir():
        yield pointer
    elif pointer.is_file():
        yield place / os.fsdecode(pointer.read_bytes().removeprefix(b"gitdir: ").rstrip(b"\n"))
