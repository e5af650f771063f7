# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that survive a crash: a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Thread

_AT_A_TIME = 8


def write_atomic(
    path: Path,
    *data: bytes,
    durable: bool = True,
    temporary: str = "{name}.{pid}.lock",
    mode: int | None = None,
) -> None:
    """Write ``data``, whole or in parts, to ``temporary``, fsync it, rename it over ``path``, fsync the
    directory.

    ``durable=False`` leaves out the fsyncs: for caches, where losing the newest entry to a power
    cut costs only its being made again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(temporary.format(name=path.name, pid=os.getpid()))
    try:
        with lock.open("wb") as file:
            file.writelines(data)
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        lock.replace(path)
    except BaseException:
        remove(lock)
        raise
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_files(paths: Collection[Path]) -> None:
    """Have files, and their names, on disk; those that are not there do not count."""
    waiting = iter([*paths, *{path.parent for path in paths}])
    failed: list[OSError] = []

    def work() -> None:
        for path in waiting:
            try:
                handle = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                continue
            try:
                os.fsync(handle)
            except OSError as error:
                failed.append(error)
            finally:
                os.close(handle)

    # A file system writes what several wait for in one go.
    helpers = [Thread(target=work) for _ in range(min(len(paths), _AT_A_TIME) - 1)]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()
    if failed:
        raise failed[0]


def remove(path: Path) -> None:
    """Remove a file that may stay where it cannot be removed: the next run clears it."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def own_folder(above: Path, prefix: str) -> Iterator[Path]:
    """A new folder in ``above`` for as long as this holds.  Raises `OSError`.

    It is locked, and the kernel drops a lock with its process: so the next one knows, and removes, those
    that killed processes have left.
    """
    ours = re.compile(rf"{re.escape(prefix)}[a-z0-9_]{{8}}")
    with contextlib.suppress(PermissionError):  # a folder that does not say what is in it
        for left in above.iterdir():
            handle = _locked(left) if ours.fullmatch(left.name) else None
            if handle is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(handle)
    handle = None
    while handle is None:  # another process may take it for one that was left, until it is locked
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=above))
        handle = _locked(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def temporary_folder() -> AbstractContextManager[Path]:
    """The same, where temporary files go."""
    return own_folder(Path(tempfile.gettempdir()), ".backport-")


def _locked(folder: Path) -> int | None:
    """A handle that locks the folder; None where another process has it, or has removed it."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), folder.stat()):
            return handle
    except OSError:
        pass
    os.close(handle)
    return None


def write_named(path: Path, data: bytes) -> None:
    """Write where a user said, as ``> PATH`` of a shell does: through a link, into a device or a FIFO.

    Only a regular file is replaced as a whole, and keeps its mode; where its folder takes no new file it
    is written over.  Raises `OSError`.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        write_atomic(path.resolve() if path.is_symlink() else path, data, durable=False)
        return
    if (
        not stat.S_ISREG(found.st_mode)
        or path.is_relative_to("/dev")
        or path.is_relative_to("/proc")
    ):
        _write_into(path, data)
        return
    try:
        write_atomic(path.resolve(), data, durable=False, mode=stat.S_IMODE(found.st_mode))
    except PermissionError:
        _write_into(path, data)


def _write_into(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
