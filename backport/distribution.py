# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tool is called where packages are looked up, and the versions that a report of a bug needs."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

DISTRIBUTION = "git-backport"
"""``backport`` is another project's on PyPI; the commands keep that name."""


def version_lines() -> Iterator[str]:
    """``name version`` of the tool, of what it runs on, and of the system, a line each.

    Nothing that may fail is imported at its head: a report comes out although a library cannot be loaded.
    """
    yield f"{DISTRIBUTION} {_installed(DISTRIBUTION)}"
    yield f"git {_git()}"
    yield f"libgit2 {libgit2_version()}"
    yield f"Unicorn {_installed('unicorn')}"
    yield f"Python {platform.python_version()} ({platform.python_implementation()})"
    yield f"system {platform.platform()}"


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _git() -> str:
    found = shutil.which("git")
    if found is None:
        return "not installed"
    done = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip().removeprefix("git version ") or f"exit {done.returncode}"


def libgit2_version() -> str:
    """The versions of libgit2 and of its binding, or why it cannot be loaded."""
    try:
        from pygit2 import LIBGIT2_VERSION
    except ImportError as error:
        return f"cannot be loaded: {error}"
    return f"{LIBGIT2_VERSION} (pygit2 {_installed('pygit2')})"
