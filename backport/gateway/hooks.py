# SPDX-License-Identifier: GPL-2.0-or-later
"""The pre-commit hook of a plain git repository, wherever core.hooksPath has it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from backport.errors import UsageError
from backport.gateway.repository import Repo
from backport.store.files import write_atomic

_MARK = "# installed by `backport hook install`"
_BEFORE = "pre-commit.before-backport"


def hook_path(repo: Repo) -> Path:
    """Where git looks for the hook."""
    return Path(repo.git("rev-parse", "--path-format=absolute", "--git-path", "hooks/pre-commit"))


def install(repo: Repo, *, force: bool = False) -> Path:
    """Write the hook.  A foreign one is refused, or with ``force`` kept and run first."""
    path = hook_path(repo)
    if path.exists() and _MARK not in path.read_text(errors="replace"):
        if not force:
            raise UsageError(
                f"{path} exists and was not installed by backport",
                "--force keeps it and runs it before ours",
            )
        before = path.with_name(_BEFORE)
        if before.exists():
            raise UsageError(
                f"{before} is kept from an earlier install and would be lost",
                "`backport hook uninstall` puts it back, or move one of the two away",
            )
        path.rename(before)
    # -P: the folder of the commit, a stranger's tree perhaps, is no place to import from.
    program = f"{shlex.quote(sys.executable)} -P -m backport"
    script = (
        f"#!/bin/sh\n{_MARK}\n"
        f'before="$(dirname "$0")/{_BEFORE}"\n'
        'if [ -x "$before" ]; then "$before" "$@" || exit; fi\n'
        f"exec {program} check\n"
    )
    write_atomic(path, script.encode())
    path.chmod(0o755)
    return path


def uninstall(repo: Repo) -> Path:
    """Remove the hook and put back the one that was there before it."""
    path = hook_path(repo)
    if not path.exists() or _MARK not in path.read_text(errors="replace"):
        raise UsageError(f"{path} was not installed by backport; left alone")
    before = path.with_name(_BEFORE)
    if before.exists():
        before.replace(path)
    else:
        path.unlink()
    return path
