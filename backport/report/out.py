# SPDX-License-Identifier: GPL-2.0-or-later
"""``--json FILE``: ``-`` is stdout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from backport.errors import UsageError
from backport.store.files import write_atomic


def write_json(where: str | None, document: dict[str, Any]) -> None:
    """Write ``document`` where the user wants it, if anywhere."""
    if where is None:
        return
    text = json.dumps(document, indent=1, ensure_ascii=False)
    if where == "-":
        print(text)
        return
    if not Path(where).absolute().parent.is_dir():
        raise UsageError(f"--json {where}: there is no such folder")
    try:
        write_atomic(Path(where), text.encode() + b"\n", durable=False)
    except OSError as error:
        raise UsageError(f"--json {where}: {error.strerror}") from error
