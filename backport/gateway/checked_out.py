# SPDX-License-Identifier: GPL-2.0-or-later
"""Files and index of a worktree whose branch moves: from one commit's to another's, and back.

Git writes the files, by ``read-tree -m -u`` on a copy of the index; the copy takes the index's place by one
rename.  So the index is the old one or the new one, and says what each file should be.  What a killed git
has left half-written is put right by that: a file that is absent, or holds the beginning of one of the
two versions, is written again; anything else is the user's, and stays.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pygit2
from msgspec import Struct

from backport.counted import counted
from backport.errors import DirtyWorktree, GitFailed
from backport.gateway.locks import Lock
from backport.gateway.repository import Repo
from backport.gateway.trees import DIRECTORY, EXECUTABLE, FILE, GITLINK, SYMLINK
from backport.store.files import remove, sync_folder
from series.model import Oid, shown

_QUIET = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")


class _Side(Struct, frozen=True):
    """A file as a commit or the index has it; ``mode`` 0 where it has none."""

    mode: int
    oid: Oid


class CheckedOut(Struct, frozen=True):
    """The worktree at ``top``, between two commits; ``copy`` is where the new index is made."""

    repo: Repo
    top: Path
    git_dir: Path
    old: Oid
    new: Oid
    copy: Path

    def lock(self) -> None:
        """Lock the index.  Raises `GitFailed` where another git has it."""
        self._lock.take(f"the index of {self.top}")

    def unlock(self) -> None:
        """Let go of it, and of the copy."""
        self._lock.release()
        remove(self.copy)

    def check(self) -> None:
        """Raise `DirtyWorktree` where the files could not be moved as they are now; changes nothing."""
        self._begin()
        try:
            self._refuse_strangers()
            self._read_tree("--dry-run", "-m", "-u", self.old, self.new)
        finally:
            remove(self.copy)

    def refuse_strangers(self) -> None:
        """Raise `DirtyWorktree` where a file that git ignores, say, would be written over."""
        self._refuse_strangers()

    def settle(self) -> None:
        """Have every file of a cut attempt as the index has it."""
        self._begin()
        self._refresh()
        sides = self._sides()
        found = self._index(sides)
        out = self._git("diff-files", "-z", "--name-only", "--no-renames")
        differ = set(out.encode("utf-8", "surrogateescape").split(b"\0"))
        write: list[bytes] = []
        for path, (one, other) in sides.items():
            here = found.get(path)
            if here is None or GITLINK in (one.mode, other.mode, here.mode):
                continue
            if here.mode and path not in differ:
                continue
            state = self._on_disk(path)
            if state is None and not here.mode:
                self._remove(path)  # a folder may have been made for it
                continue
            if state == self._as_file(path, here) or not self._is_ours(path, state, one, other):
                continue
            if here.mode:
                write.append(path)
            else:
                self._remove(path)
        if write:
            feed = b"".join(path + b"\0" for path in write)
            words = ("checkout-index", "--force", "-u", "-z", "--stdin")
            self.repo.git.feed(feed, *_QUIET, *words, cwd=self.top, index=self.copy)

    def move(self, start: Oid, end: Oid) -> None:
        """Files and index from one of the two commits to the other; does nothing twice."""
        self._begin()
        self._read_tree("-m", "-u", start, end)
        # Where a file cannot be removed git warns, and goes on.
        for path, sides in self._sides().items():
            wanted = sides[1] if end == self.new else sides[0]
            if not wanted.mode:
                self._remove(path)
        with self.copy.open("rb") as file:
            os.fsync(file.fileno())
        self.copy.replace(self._path)
        sync_folder(self._path.parent)

    # --- the index ---

    @property
    def _path(self) -> Path:
        return self.git_dir / "index"

    @property
    def _lock(self) -> Lock:
        ends = sorted((self.old, self.new))
        return Lock(
            self._path, os.fsencode(f"backport moves {self.top} between {' '.join(ends)}\n")
        )

    def _begin(self) -> None:
        """A copy of the index."""
        remove(self.copy.with_name(f"{self.copy.name}.lock"))
        if self._path.is_file():
            shutil.copy2(self._path, self.copy)
        else:
            remove(self.copy)

    def _refresh(self) -> None:
        """Have the copy know the times of the files as they are."""
        self._git("update-index", "-q", "--refresh", failing=True)

    def _git(self, *words: str, failing: bool = False) -> str:
        try:
            return self.repo.git(*_QUIET, *words, cwd=self.top, index=self.copy)
        except GitFailed:
            if failing:
                return ""
            raise

    def _read_tree(self, *words: str, fresh: bool = False) -> None:
        try:
            self._git("read-tree", *words)
        except GitFailed as error:
            if "not uptodate" in error.message and not fresh:
                # In a tree that was copied the files have other times.  Nothing has been written yet.
                self._refresh()
                self._read_tree(*words, fresh=True)
                return
            if "not uptodate" in error.message or "would be" in error.message:
                raise DirtyWorktree(
                    f"{self.top} is in the way: {error.message}",
                    "move or commit what is there, then `backport continue`",
                ) from error
            raise

    # --- the files ---

    def _sides(self) -> dict[bytes, tuple[_Side, _Side]]:
        """What differs between the two commits."""
        found: dict[bytes, tuple[_Side, _Side]] = {}
        none = _Side(0, Oid(""))

        def compare(old: Oid | None, new: Oid | None, prefix: bytes) -> None:
            one, other = (self.repo.objects.tree(oid).entries if oid else {} for oid in (old, new))
            for name in one.keys() | other.keys():
                pair = one.get(name), other.get(name)
                if pair[0] == pair[1]:
                    continue
                below = [e.oid if e and e.mode == DIRECTORY else None for e in pair]
                if any(below):
                    compare(below[0], below[1], prefix + name + b"/")
                sides = [_Side(e.mode, e.oid) if e and e.mode != DIRECTORY else none for e in pair]
                if sides[0].mode or sides[1].mode:
                    found[prefix + name] = sides[0], sides[1]

        compare(self.repo.tree(self.old).id, self.repo.tree(self.new).id, b"")
        return found

    def _index(self, paths: dict[bytes, tuple[_Side, _Side]]) -> dict[bytes, _Side]:
        """The paths as the index has them; without those that are not checked out (sparse)."""
        found = dict.fromkeys(paths, _Side(0, Oid("")))
        for line in self._git("ls-files", "-z", "-s", "-t").split("\0"):
            head, _, name = line.partition("\t")
            path = name.encode("utf-8", "surrogateescape")
            if path in found:
                tag, mode, oid, _ = head.split()
                if tag == "S":
                    del found[path]
                else:
                    found[path] = _Side(int(mode, 8), Oid(oid))
        return found

    def _on_disk(self, path: bytes) -> tuple[int, bytes] | None:
        """Kind and content of a file; None where there is none."""
        whole = self.top / os.fsdecode(path)
        try:
            if whole.is_symlink():
                return SYMLINK, os.fsencode(whole.readlink())
            if whole.is_dir():
                return 0, b""
            executable = whole.stat().st_mode & 0o100
            return (EXECUTABLE if executable else FILE), whole.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _as_file(self, path: bytes, side: _Side) -> tuple[int, bytes] | None:
        """What a checkout writes there, the user's filters and line ends included."""
        if not side.mode:
            return None
        if side.mode == SYMLINK:
            return SYMLINK, self.repo.objects.blob(side.oid)
        name = path.decode("utf-8", "surrogateescape")
        words = ("cat-file", "--filters", f"--path={name}", side.oid)
        return side.mode, self.repo.git.read(*_QUIET, *words, cwd=self.top)

    def _is_ours(
        self, path: bytes, state: tuple[int, bytes] | None, one: _Side, other: _Side
    ) -> bool:
        if state is None:
            return True
        versions = [self._as_file(path, side) for side in (one, other)]
        # A file is made with its mode, and filled after that.
        return any(version and version[1].startswith(state[1]) for version in versions) and bool(
            state[0]
        )

    def _remove(self, path: bytes) -> None:
        whole = self.top / os.fsdecode(path)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if stat.S_ISDIR(whole.lstat().st_mode):
                return
            whole.unlink()
        for folder in whole.parents:
            try:
                if folder == self.top:
                    break
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                break

    def _below(self, folder: bytes) -> Iterator[bytes]:
        """Every file in a folder, at any depth."""
        for found in (self.top / os.fsdecode(folder)).rglob("*"):
            if found.is_symlink() or not found.is_dir():
                yield os.fsencode(found.relative_to(self.top))

    def _refuse_strangers(self) -> None:
        sides = self._sides()
        there = []
        for path in (path for path, (one, _) in sides.items() if not one.mode):
            state = self._on_disk(path)
            if state is not None and state[0]:
                there.append(shown(path))
            elif state is not None:  # git drops with a folder what it ignores there
                had = (x for x in self._below(path) if x not in sides or not sides[x][0].mode)
                there += map(shown, had)
        if there:
            more = f" and {len(there) - 3} more" if len(there) > 3 else ""
            raise DirtyWorktree(
                f"{self.top} is in the way: {counted(len(there), 'file')} where the series adds one"
                f" {'is' if len(there) == 1 else 'are'} in no commit:"
                f" {', '.join(there[:3])}{more}",
                "move them away, then `backport continue`",
            )


def git_dir_of(top: Path) -> Path:
    """Git's own folder for a worktree."""
    return Path(pygit2.Repository(str(top)).path)
