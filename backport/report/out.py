# SPDX-License-Identifier: GPL-2.0-or-later
"""What is written where the user says: ``--json FILE`` (``-`` is stdout) and ``-o FILE``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from backport.errors import UsageError
from backport.store.files import write_named


def write_json(where: str | None, document: dict[str, Any]) -> None:
    """Write ``document`` where the user wants it, if anywhere."""
    if where is None:
        return
    text = json.dumps(document, indent=1)
    if where == "-":
        print(text)
        return
    _write("--json", Path(where), text + "\n")


def write_text(path: Path, text: str) -> None:
    """Write what ``-o FILE`` names."""
    _write("-o", path, text)


def check_json(where: str | None) -> None:
    """Raise `UsageError` where ``--json FILE`` could certainly not be written: before any work."""
    if where is not None and where != "-":
        _refuse_lost("--json", Path(where))


def _refuse_lost(option: str, path: Path) -> None:
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{option} {path}: there is no such folder")
    if path.is_dir():
        raise UsageError(f"{option} {path}: that is a folder")


def _write(option: str, path: Path, text: str) -> None:
    _refuse_lost(option, path)
    try:
        write_named(path, text.encode())
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror}") from error
