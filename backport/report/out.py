# SPDX-License-Identifier: GPL-2.0-or-later
"""What is written where the user says: ``--json FILE`` (``-`` is stdout) and ``-o FILE``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from backport.errors import UsageError
from backport.store.files import write_named

FORMAT = 1
"""Of documents that have no number of their own; docs/schemas has what each of them holds."""


def write_json(where: str | None, document: dict[str, Any]) -> None:
    """Write ``document`` where the user wants it, if anywhere."""
    if where is None:
        return
    text = json.dumps({"format": FORMAT, **document}, indent=1)
    if where == "-":
        print(text)
        return
    _write("--json", Path(where), f"{text}\n".encode())


def write_text(path: Path, text: str) -> None:
    """Write what ``-o FILE`` names."""
    _write("-o", path, text.encode())


def write_for(option: str, where: str, data: bytes) -> None:
    """Write what an option names (``-`` is stdout)."""
    if where == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    _write(option, Path(where), data)


def check_json(where: str | None) -> None:
    """Raise `UsageError` where ``--json FILE`` could certainly not be written: before any work."""
    check_file("--json", where)


def check_file(option: str, where: str | None) -> None:
    """The same for any option."""
    if where is not None and where != "-":
        _refuse_lost(option, Path(where))


def _refuse_lost(option: str, path: Path) -> None:
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{option} {path}: there is no such folder")
    if path.is_dir():
        raise UsageError(f"{option} {path}: that is a folder")


def _write(option: str, path: Path, data: bytes) -> None:
    _refuse_lost(option, path)
    try:
        write_named(path, data)
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror}") from error
