# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the user stands: his environment, read here alone, and the repository that he is in."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from backport.environment import Environment

if TYPE_CHECKING:
    from backport.gateway.repository import Repo


def environment() -> Environment:
    """The variables that the user, or a hook, has set."""
    return Environment.copied(os.environ)


def open_repo(path: Path | None = None) -> Repo:
    """The repository that holds ``path`` (default: where the process stands)."""
    from backport.gateway.repository import open_repo as opened

    repo = opened(path, environment())
    if sys.stdout.isatty() or sys.stderr.isatty():
        from backport.report.page import heed_colour

        heed_colour(repo.git.config.get("color.ui", ("auto",))[-1])
    return repo


def refuse_hook_of_another() -> None:
    """Raise `UsageError` where GIT_DIR, by which git tells a hook its repository, is not the one that the
    process stands in: another index, history and configuration would be looked at."""
    around = environment()
    named = around.get("GIT_DIR")
    if named is None:
        return
    from backport.errors import UsageError
    from backport.gateway.stage import Stage

    stage = Stage(Path(), around.for_git())
    here, top = stage.git_dir(), stage.top() or Path()
    # What is relative is meant from where git started the hook, which may have gone on to a subfolder.
    if here is None or here.resolve() not in (Path(named).resolve(), (top / named).resolve()):
        raise UsageError(
            f"GIT_DIR is {named}, and {Path.cwd()} is in {here or 'no repository'}",
            "`--repo DIR` names the repository that is meant; of one whose files lie elsewhere"
            " (git --git-dir) nothing can be checked",
        )


def leave_conflict(repo: Repo, *files: str | None) -> tuple[Path | None, tuple[str | None, ...]]:
    """Step out of the worktree of a conflict, which may go while we work there.

    Returns where the process stood, None where that was elsewhere, and the files of ``--json`` and the
    like as they were meant from there.
    """
    stood = Path.cwd()
    if not stood.is_relative_to(repo.state_dir):
        return None, files
    meant = tuple(_meant(repo, stood, file) for file in files)
    os.chdir(repo.top)
    return stood, meant


def _meant(repo: Repo, stood: Path, file: str | None) -> str | None:
    if file is None or file == "-":
        return file
    whole = os.path.normpath(stood / file)
    if Path(whole).is_relative_to(repo.state_dir):
        from backport.errors import UsageError

        raise UsageError(
            f"{whole}: that folder goes with the conflict", "name a file outside of it"
        )
    return whole


@contextlib.contextmanager
def say_where(stood: Path | None, repo: Repo) -> Iterator[None]:
    """At the end, a word to somebody whose shell stands in a folder that is gone."""
    try:
        yield
    finally:
        if stood is not None and not stood.is_dir():
            print(f"{stood} is gone, and your shell stands there: cd {repo.top}", file=sys.stderr)
