# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that survive a crash: a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import os
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
