# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that survive a crash: a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def write_atomic(
    path: Path,
    data: bytes,
    *,
    durable: bool = True,
    temporary: str = "{name}.{pid}.lock",
    mode: int | None = None,
) -> None:
    """Write ``temporary``, fsync it, rename it over ``path``, fsync the directory.

    ``durable=False`` leaves out the fsyncs: for caches, where losing the newest entry to a power
    cut costs only its being made again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(temporary.format(name=path.name, pid=os.getpid()))
    try:
        with lock.open("wb") as file:
            file.write(data)
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        lock.replace(path)
    except BaseException:
        lock.unlink(missing_ok=True)
        raise
    if durable:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


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
