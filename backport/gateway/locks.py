# SPDX-License-Identifier: GPL-2.0-or-later
"""Git's lock files (``X.lock`` beside X), taken so that what a killed run has left is known for sure.

Git opens such a file and fills it later, so nobody can tell whose an empty one is.  Ours comes into being
with all of its content, by a link, and the content is one that no other program writes.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from msgspec import Struct

from backport.errors import GitFailed
from backport.store.files import remove, sync_folder

_PATIENCE = 15
"""Tenths of a second that we wait for another git, which holds a lock for less."""


class Lock(Struct, frozen=True):
    """The lock of ``path``.  ``content`` is what it holds, and ``also`` what one of ours may hold that an
    earlier run has left."""

    path: Path
    content: bytes
    also: tuple[bytes, ...] = ()

    @property
    def file(self) -> Path:
        """Git's name for it."""
        return self.path.with_name(f"{self.path.name}.lock")

    @property
    def _made(self) -> Path:
        """What is linked to the lock's name.  Runs exclude each other, so one name will do; git takes no
        ref whose name ends so for one."""
        return self.path.with_name(f"{self.path.name}.backport.lock")

    def take(self, what: str) -> None:
        """Take it, over from a killed run of ours if need be.

        Raises `GitFailed` where another git has it, and `OSError`.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._made.open("wb") as file:
                file.write(self.content)
                file.flush()
                os.fsync(file.fileno())
            if self.is_ours:
                self._made.replace(self.file)  # it is never let go of between
                return
            for _ in range(_PATIENCE):
                if self._link():
                    return
                time.sleep(0.1)
        finally:
            remove(self._made)
        raise GitFailed(
            f"{what} is locked by another git: {self.file} exists",
            "wait for it, or if no git runs, remove that file; then `backport continue`",
        )

    def _link(self) -> bool:
        try:
            os.link(self._made, self.file)
        except FileExistsError:
            return False
        except PermissionError:  # a file system without links
            try:
                with self.file.open("xb") as file:
                    file.write(self.content)
            except FileExistsError:
                return False
        return True

    @property
    def is_ours(self) -> bool:
        """Whether it is there, and was made by a run of ours."""
        try:
            return self.file.read_bytes() in (self.content, *self.also)
        except OSError:
            return False

    def release(self) -> None:
        """Remove it where it is ours, and what a kill has left of taking it."""
        if self.is_ours:
            self.file.unlink(missing_ok=True)
        with contextlib.suppress(NotADirectoryError):  # another ref stands where its folder was
            self._made.unlink(missing_ok=True)

    def commit(self) -> None:
        """Have what the lock holds stand at its path; the lock is gone with that.

        It is done with the rename: that a disk then fails to sync the folder changes nothing.
        """
        self.file.replace(self.path)
        with contextlib.suppress(OSError):
            sync_folder(self.path.parent)
