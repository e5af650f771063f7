# SPDX-License-Identifier: GPL-2.0-or-later
"""Plain git in a temporary repository: the judge that our readers are held against."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git(where: Path, *args: str, data: bytes | None = None, check: bool = True) -> bytes:
    """Run git in ``where`` and give its output."""
    done = subprocess.run(["git", *args], cwd=where, input=data, capture_output=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"git {' '.join(args)}: {done.stderr.decode(errors='replace')}")
    return done.stdout if not done.returncode else b""


def repository(where: Path, files: dict[str, bytes] | None = None) -> Path:
    """A repository with one commit of ``files``."""
    where.mkdir(parents=True, exist_ok=True)
    git(where, "init", "-q", "-b", "main")
    git(where, "config", "core.autocrlf", "false")
    for name, content in (files or {"README": b"base\n"}).items():
        path = where / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    git(where, "add", "-A")
    git(where, "commit", "-q", "-m", "base")
    return where
