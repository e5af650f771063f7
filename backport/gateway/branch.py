# SPDX-License-Identifier: GPL-2.0-or-later
"""The user's branch, which moves by compare-and-swap: locked, written in the reflogs, renamed into place.

It is done as git's own files do it (gitrepository-layout(5)), by a lock that holds where the branch goes:
what a killed run has left of it is known for sure, and is taken over or taken back.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from backport.errors import GitFailed
from backport.gateway import refs
from backport.gateway.locks import Lock
from backport.gateway.repository import Repo
from backport.store.files import sync_folder, write_atomic
from series.model import Oid

_NOWHERE = Oid("0" * 40)


class Log(Struct, frozen=True):
    """A reflog, and how long it was before; None where there was none."""

    path: Path
    size: int | None


class BranchMove(Struct, frozen=True):
    """A ref that goes from ``old`` (None: is not there) to ``new``, with ``entry`` in its reflogs."""

    repo: Repo
    ref: str
    old: Oid | None
    new: Oid | None
    entry: bytes = b""
    logs: tuple[Log, ...] = ()

    def reversed(self, reason: str) -> BranchMove:
        """The way back, with an entry of its own."""
        turned = replace(self, old=self.new, new=self.old)
        return replace(turned, entry=turned.entry_for(reason))

    def entry_for(self, reason: str) -> bytes:
        """A line of the reflog, with this moment (gitformat: ``old new who when TAB why``)."""
        ends = f"{self.old or _NOWHERE} {self.new or _NOWHERE} ".encode()
        return ends + self.repo.committer().raw() + b"\t" + reason.encode() + b"\n"

    @property
    def now(self) -> Oid | None:
        """Where the ref points now."""
        return self.repo.ref(self.ref)

    def lock(self) -> None:
        """Lock it.  Raises `GitFailed` where another git has it, or where a ref is in the way."""
        if self.old is None:
            self._make_way()
        self._lock.take(self.ref)
        if self.old is None:
            try:
                self._make_way()
            except GitFailed:
                self._lock.release()
                raise

    def _make_way(self) -> None:
        """Remove what is left of other refs, empty folders; raise `GitFailed` where one is there."""
        other = refs.in_the_way(self.repo, self.ref)
        if other is not None:
            raise GitFailed(
                f"{self.ref} cannot be made: there is {other}",
                "rename that one, then `backport continue`",
            )
        for path in (refs.path_of(self.repo, self.ref), *(log.path for log in self.logs)):
            for folder, _, _ in os.walk(path, topdown=False):
                with contextlib.suppress(OSError):  # git's own, of this moment
                    Path(folder).rmdir()

    def unlock(self) -> None:
        """Let go of it, where it is locked."""
        self._lock.release()

    def write_logs(self) -> None:
        """Append the entry; what stands there of a cut attempt goes first."""
        self.clear_logs()
        for log in self.logs:
            log.path.parent.mkdir(parents=True, exist_ok=True)
            with log.path.open("ab") as file:
                file.write(self.entry)
                file.flush()
                os.fsync(file.fileno())

    def clear_logs(self) -> None:
        """Take the entry out of the reflogs, or what was written of it."""
        for log in self.logs:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
                _clear(log, self.entry)

    def commit(self) -> None:
        """Move it: this one rename."""
        if self.new is None:
            refs.delete(self.repo, self.ref)
            self.unlock()
        else:
            self._lock.commit()

    @property
    def _lock(self) -> Lock:
        path = refs.path_of(self.repo, self.ref)
        holds = tuple(f"{oid or ''}\n".encode() for oid in (self.new, self.old))
        return Lock(path, holds[0], holds[1:])


def _clear(log: Log, entry: bytes) -> None:
    data, size = log.path.read_bytes(), log.size or 0
    tail = data[size:]
    if not tail and log.size is not None:
        return
    if entry.startswith(tail):  # all of it, or what a kill has left of it
        if log.size is None:
            log.path.unlink()
        else:
            os.truncate(log.path, size)
    elif tail.startswith(entry):  # somebody went on behind it
        write_atomic(log.path, data[:size] + tail[len(entry) :])
        return
    sync_folder(log.path.parent)


def logs_of(repo: Repo, ref: str, worktree_git_dir: Path | None) -> tuple[Log, ...]:
    """The reflogs that a move of ``ref`` is written in, as git's configuration has it: its own, and HEAD's of
    the worktree where it is checked out."""
    found = [repo.common_dir / "logs" / ref]
    if worktree_git_dir is not None:
        found.append(worktree_git_dir / "logs" / "HEAD")
    wanted = repo.git.config.get("core.logallrefupdates", ("",))[-1].lower()
    logged = wanted in ("true", "always", "yes", "on", "1") or (
        wanted == "" and not repo.native.is_bare
    )
    sizes = ((path, path.stat().st_size if path.is_file() else None) for path in found)
    return tuple(Log(path, size) for path, size in sizes if logged or size is not None)


def grown(logs: Iterable[Log]) -> tuple[Log, ...]:
    """The same reflogs, as long as they are now."""
    sizes = ((log.path, log.path.stat().st_size if log.path.is_file() else None) for log in logs)
    return tuple(Log(path, size) for path, size in sizes)
