# SPDX-License-Identifier: GPL-2.0-or-later
"""The hooks of a plain git repository, wherever core.hooksPath has them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from backport.errors import UsageError
from backport.gateway.repository import Repo
from backport.store.files import write_atomic

_MARK = "# installed by `backport hook install`"


class Hook(StrEnum):
    """What git runs, and when."""

    PRE_COMMIT = "pre-commit"
    COMMIT_MSG = "commit-msg"
    PRE_PUSH = "pre-push"


_CHECKS = {
    Hook.PRE_COMMIT: "check",
    Hook.COMMIT_MSG: 'check --message "$1"',
    Hook.PRE_PUSH: 'check --pushed "$1"',
}


def hook_path(repo: Repo, hook: Hook = Hook.PRE_COMMIT) -> Path:
    """Where git looks for the hook."""
    return Path(repo.git("rev-parse", "--path-format=absolute", "--git-path", f"hooks/{hook}"))


def install(repo: Repo, hooks: Iterable[Hook], *, force: bool = False) -> list[Path]:
    """Write the hooks.  A foreign one is refused, or with ``force`` kept and run first."""
    chosen = list(hooks)
    for hook in chosen:  # before any is written
        _refuse_foreign(hook_path(repo, hook), force=force)
    return [_install(repo, hook) for hook in chosen]


def uninstall(repo: Repo) -> list[Path]:
    """Remove our hooks and put back those that were there before them."""
    paths = [hook_path(repo, hook) for hook in Hook]
    ours = [path for path in paths if path.exists() and not _is_foreign(path)]
    if not ours:
        raise UsageError(f"no hook in {paths[0].parent} was installed by backport; left alone")
    for path in ours:
        before = _before(path)
        if before.exists():
            before.replace(path)
        else:
            path.unlink()
    return ours


def _before(path: Path) -> Path:
    return path.with_name(f"{path.name}.before-backport")


def _is_foreign(path: Path) -> bool:
    return path.exists() and _MARK not in path.read_text(errors="replace")


def _refuse_foreign(path: Path, *, force: bool) -> None:
    if not _is_foreign(path):
        return
    if not force:
        raise UsageError(
            f"{path} exists and was not installed by backport",
            "--force keeps it and runs it before ours",
        )
    if _before(path).exists():
        raise UsageError(
            f"{_before(path)} is kept from an earlier install and would be lost",
            "`backport hook uninstall` puts it back, or move one of the two away",
        )


def _install(repo: Repo, hook: Hook) -> Path:
    path = hook_path(repo, hook)
    before = _before(path)
    if _is_foreign(path):
        path.rename(before)
    # -P: the folder of the commit, a stranger's tree perhaps, is no place to import from.
    program = f"{shlex.quote(sys.executable)} -P -m backport"
    first = f'before="$(dirname "$0")/{before.name}"\n'
    if hook is Hook.PRE_PUSH:  # what is pushed comes by standard input, and both want it
        body = (
            "pushed=$(cat)\n"
            'if [ -x "$before" ]; then printf "%s\\n" "$pushed" | "$before" "$@" || exit; fi\n'
            f'printf "%s\\n" "$pushed" | {program} {_CHECKS[hook]}\n'
        )
    else:
        body = (
            'if [ -x "$before" ]; then "$before" "$@" || exit; fi\n'
            f"exec {program} {_CHECKS[hook]}\n"
        )
    write_atomic(path, f"#!/bin/sh\n{_MARK}\n{first}{body}".encode())
    path.chmod(0o755)
    return path
