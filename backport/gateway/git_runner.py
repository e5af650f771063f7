# SPDX-License-Identifier: GPL-2.0-or-later
"""Git itself, run and read by way of GitPython: what the user sees as git.

GitPython opens the repository, lists branches and tags, and runs git.  The configuration is read by
``git config``, which alone knows every include, ``-c`` and ``config.worktree``; GitPython's own parser
does not.  Its writers of refs, index and reflog are not used: they know neither compare-and-swap nor
index version 4.  It costs 60 ms to import and is loaded when first needed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from backport.environment import Environment
from backport.errors import GitFailed, NotARepository
from backport.gateway.words import find_words
from series.model import Oid

if TYPE_CHECKING:
    from git import Git, Repo

_MOST_WORDS = 25
"""Patterns of one git grep; its cost grows with their square, and past these a pass over all blobs
costs less."""


@dataclass(frozen=True)
class GitRunner:
    """Runs git in one repository.  ``top`` is where it stands unless told otherwise: the worktree's top,
    or ``git_dir`` where there is none."""

    git_dir: Path
    common_dir: Path
    top: Path
    environment: Environment

    @cached_property
    def porcelain(self) -> Repo:
        """GitPython's view, for what is the user's."""
        library = _git_python()
        try:
            found: Repo = library.Repo(str(self.git_dir), expand_vars=False)
        except (library.InvalidGitRepositoryError, library.NoSuchPathError) as error:
            raise NotARepository(f"the repository at {self.git_dir} cannot be opened") from error
        # GitPython takes a stray GIT_COMMON_DIR of the process for any repository's.
        found._common_dir = str(self.common_dir)
        return found

    def branches(self, *, remote: bool = False) -> tuple[str, ...]:
        """The names of the local branches, or of the remote-tracking ones (``origin/...``)."""
        kind = _git_python().RemoteReference if remote else _git_python().Head
        return tuple(ref.name for ref in kind.iter_items(self.porcelain))

    @cached_property
    def config(self) -> Mapping[str, tuple[str, ...]]:
        """Git's configuration as it was when first asked for: every value of a key, weakest first.

        Section and variable of a key are in lower case; a variable without a value is ``true``.
        """
        # Every command wants it, so it does not wait for GitPython to load.
        done = subprocess.run(
            ["git", "config", "--list", "-z"],
            cwd=self.top,
            env=self.environment.for_git(),
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise GitFailed(f"git config failed: {done.stderr.decode('utf-8', 'replace').strip()}")
        found: dict[str, list[str]] = {}
        for entry in done.stdout.decode("utf-8", "surrogateescape").split("\0"):
            key, line, value = entry.partition("\n")
            if key:
                found.setdefault(key, []).append(value if line else "true")
        return {key: tuple(values) for key, values in found.items()}

    def __call__(self, *words: str, cwd: Path | None = None, index: Path | None = None) -> str:
        """Run git; its output without the last newline.  Raises `GitFailed`.

        It sees the objects that `Objects.store` has stored.
        """
        library = _git_python()
        extra = {"GIT_INDEX_FILE": str(index)} if index else {}
        try:
            out = self._runner(cwd).execute(
                self._command(*words),
                env=self.environment.for_git() | extra,
                strip_newline_in_stdout=True,
            )
        except library.GitCommandError as error:
            verb = next(
                (word for word in words if not word.startswith("-") and "=" not in word), ""
            )
            said = str(error.stderr).strip().removeprefix("stderr: ").strip("' \n")
            raise GitFailed(f"git {verb} failed: {said or error.status}") from error
        assert isinstance(out, str)
        return out

    def feed(self, data: bytes, *words: str, cwd: Path | None = None) -> None:
        """Run git with ``data`` as its standard input.  Raises `GitFailed`."""
        process = self._runner(cwd).execute(
            self._command(*words), env=self.environment.for_git(), istream=-1, as_process=True
        )
        _, said = process.communicate(data)
        if process.returncode:
            raise GitFailed(f"git {words[0]} failed: {said.decode('utf-8', 'replace').strip()}")

    def words(self, tree: Oid, names: frozenset[bytes]) -> frozenset[bytes]:
        """Those of ``names`` (identifiers) that some text file of a stored tree holds as a whole word."""
        if len(names) > _MOST_WORDS:
            return find_words(self.git_dir, tree, names)
        patterns = [word for name in sorted(names) for word in ("-e", name.decode())]
        status, out, err = self._runner(self.git_dir).execute(
            self._command("grep", "-h", "-o", "-w", "-F", "-I", *patterns, tree),
            env=self.environment.for_git(),
            with_extended_output=True,
            with_exceptions=False,
            stdout_as_string=False,
        )
        if status > 1:  # 1: none of them
            raise GitFailed(f"git grep failed: {err}")
        return frozenset(out.split())

    def _runner(self, cwd: Path | None) -> Git:
        runner: Git = _git_python().Git(str(cwd or self.top))
        return runner

    def _command(self, *words: str) -> list[str]:
        """GitPython adds to the process's environment and takes nothing from it: env(1) does."""
        strays = self.environment.strays
        away = [word for name in strays for word in ("-u", name)]
        return ["env", *away, "git", *words] if away else ["git", *words]


def _git_python() -> ModuleType:
    """GitPython, which looks for git itself when it is loaded."""
    try:
        import git
    except ImportError as error:
        raise GitFailed(
            f"git cannot be run: {str(error).strip().partition(chr(10))[0]}",
            "Debian: apt install git",
        ) from error
    return git
