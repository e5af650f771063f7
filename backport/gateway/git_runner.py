# SPDX-License-Identifier: GPL-2.0-or-later
"""Git itself, run and read by way of GitPython: what the user sees as git.

GitPython opens the repository, lists branches and tags, and runs git.  The configuration is read by
``git config``, which alone knows every include, ``-c`` and ``config.worktree``; GitPython's own parser
does not.  Its writers of refs, index and reflog are not used: they know neither compare-and-swap nor
index version 4.  It costs 60 ms to import and is loaded when first needed.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from backport.environment import Environment
from backport.errors import GitFailed, NotARepository
from backport.gateway.plain_answers import PLAIN
from backport.gateway.word_pattern import any_of
from series.model import Oid

if TYPE_CHECKING:
    from git import Git, Repo

_LONGEST = 1000
_MOST_LETTERS = 50_000
"""Of the names in one pattern of git grep, which must fit a word of a command line (128 KiB)."""


class GitRunner(Struct, frozen=True, dict=True):
    """Runs git in one repository: in ``top``, the worktree's top, or ``git_dir`` where there is none.  A
    call may name another folder."""

    git_dir: Path
    common_dir: Path
    top: Path
    environment: Environment
    handed_on: list[int] = field(default_factory=list)
    """Open files that each git keeps open as well: the run's lock, which so outlives a killed run for as
    long as a git that it started is at work."""

    @cached_property
    def porcelain(self) -> Repo:
        """GitPython's view, for what is the user's."""
        library = _git_python()
        try:
            found: Repo = library.Repo(str(self.git_dir), expand_vars=False)
        except (library.InvalidGitRepositoryError, library.NoSuchPathError) as error:
            raise NotARepository(
                f"the repository at {self.git_dir} cannot be opened", self.environment.strays_hint
            ) from error
        # GitPython takes a stray GIT_COMMON_DIR of the process for any repository's.
        found._common_dir = str(self.common_dir)
        return found

    def branches(self, *, remote: bool = False) -> tuple[str, ...]:
        """The names of the local branches, or of the remote-tracking ones (``origin/...``)."""
        kind = _git_python().RemoteReference if remote else _git_python().Head
        # It takes every file for a ref: also the lock of one, whose name no ref can have.
        names = (ref.name for ref in kind.iter_items(self.porcelain))
        return tuple(name for name in names if not name.endswith(".lock"))

    @cached_property
    def config(self) -> Mapping[str, tuple[str, ...]]:
        """Git's configuration as it was when first asked for: every value of a key, weakest first.

        Section and variable of a key are in lower case; a variable without a value is ``true``.
        """
        return _settings(self.peek("config", "--list", "-z"))

    def config_of(self, git_dir: Path) -> Mapping[str, tuple[str, ...]]:
        """The same of another repository, such as the clone of a submodule."""
        # Its own worktree may be gone.
        where = (f"--git-dir={git_dir}", f"--work-tree={git_dir}")
        return _settings(self.peek(*where, "config", "--list", "-z"))

    def peek(
        self,
        *words: str,
        cwd: Path | None = None,
        index: Path | None = None,
        stdin: bytes | None = None,
        may_fail: bool = False,
    ) -> str:
        """Run git without GitPython, for what a verb needs that only looks: its whole output.  Raises
        `GitFailed`; with ``may_fail`` what it has said until then is the answer."""
        extra = {"GIT_INDEX_FILE": str(index)} if index else {}
        done = subprocess.run(
            ["git", *self._asked(words, cwd)],
            cwd=cwd or self.top,
            env=self.environment.for_git() | extra,
            input=stdin,
            capture_output=True,
            check=False,
        )
        if done.returncode and not may_fail:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise GitFailed(f"git {words[0]} failed: {said}")
        return done.stdout.decode("utf-8", "surrogateescape")

    def __call__(self, *words: str, cwd: Path | None = None, index: Path | None = None) -> str:
        """Run git; its output without the last newline.  Raises `GitFailed`.

        It sees the objects that `Objects.store` has stored.
        """
        extra = {"GIT_INDEX_FILE": str(index)} if index else {}
        out = self._execute(words, cwd, extra, strip_newline_in_stdout=True)
        assert isinstance(out, str)
        return out

    def _execute(
        self,
        words: tuple[str, ...],
        cwd: Path | None,
        extra: Mapping[str, str] = MappingProxyType({}),
        **how: Any,
    ) -> object:
        library = _git_python()
        try:
            return self._runner(cwd).execute(
                self._command(words, cwd, kept=extra),
                env={**self.environment.for_git(), **extra},
                pass_fds=self.handed_on,
                **how,
            )
        except library.GitCommandError as error:
            verb = next(
                (word for word in words if not word.startswith("-") and "=" not in word), ""
            )
            said = str(error.stderr).strip().removeprefix("stderr: ").strip("' \n")
            raise GitFailed(f"git {verb} failed: {said or error.status}") from error

    def read(self, *words: str, cwd: Path | None = None) -> bytes:
        """Run git; its output as it is.  Raises `GitFailed`."""
        out = self._execute(words, cwd, strip_newline_in_stdout=False, stdout_as_string=False)
        assert isinstance(out, bytes)
        return out

    def feed(
        self, data: bytes, *words: str, cwd: Path | None = None, index: Path | None = None
    ) -> None:
        """Run git with ``data`` as its standard input.  Raises `GitFailed`."""
        extra = {"GIT_INDEX_FILE": str(index)} if index else {}
        process = self._runner(cwd).execute(
            self._command(words, cwd, kept=extra),
            env=self.environment.for_git() | extra,
            istream=-1,
            as_process=True,
            pass_fds=self.handed_on,
        )
        _, said = process.communicate(data)
        if process.returncode:
            verb = next((w for w in words if not w.startswith("-") and "=" not in w), "")
            raise GitFailed(f"git {verb} failed: {said.decode('utf-8', 'replace').strip()}")

    def words(self, tree: Oid, names: frozenset[bytes]) -> frozenset[bytes]:
        """Those of ``names`` (identifiers) that some text file of a stored tree holds as a whole word.

        Cost: one search, for any number of names that fit one pattern; a list of fixed strings, which a
        git without PCRE gets, takes longer the more there are.
        """
        # One that is longer than any that a person writes is not looked for, nor reported.
        found = {name for name in names if len(name) >= _LONGEST}
        return frozenset(found.union(*self._search(tree, names, "-o")))

    def lines(self, tree: Oid, names: frozenset[bytes]) -> frozenset[bytes]:
        """The lines of a stored tree's text files that hold one of ``names`` as a whole word."""
        return frozenset[bytes]().union(*self._search(tree, names))

    def files_with(self, tree: Oid, name: str) -> tuple[str, ...]:
        """The text files of a stored tree, or commit, that hold ``name`` as a whole word; sorted."""
        out = self._grep(tree, "-l", "-z", "-w", "-F", "-e", name, end=b"\0")
        if out is None:
            raise GitFailed("git grep failed")
        return tuple(sorted(os.fsdecode(one.partition(b":")[2]) for one in out))

    def matches(self, tree: Oid, pattern: str) -> frozenset[bytes]:
        """What in a stored tree's text files matches an extended regular expression."""
        for kind in ("-P", "-E"):
            if (out := self._grep(tree, "-o", kind, "-e", pattern)) is not None:
                return frozenset(out)
        raise GitFailed("git grep failed")

    def _search(self, tree: Oid, names: frozenset[bytes], *how: str) -> Iterator[list[bytes]]:
        wanted = sorted(name.decode() for name in names if len(name) < _LONGEST)
        for some in _portions(wanted):
            out = self._grep(tree, *how, "-P", "-e", rf"\b{any_of(some)}\b")
            if out is None:
                patterns = [word for name in some for word in ("-e", name)]
                out = self._grep(tree, *how, "-w", "-F", *patterns)
            if out is None:
                raise GitFailed("git grep failed")
            yield out

    def _grep(self, tree: Oid, *how: str, end: bytes = b"\n") -> list[bytes] | None:
        """The lines, or what ``end`` ends, of its answer; None where git cannot search like that."""
        status, out, _ = self._runner(self.git_dir).execute(
            self._command(("grep", "-h", "-I", *how, tree), self.git_dir),
            # Bytes, not letters: a file need not be UTF-8.
            env=self.environment.for_git() | {"LC_ALL": "C"},
            with_extended_output=True,
            with_exceptions=False,
            stdout_as_string=False,
        )
        return None if status > 1 else list(set(out.split(end)) - {b""})  # 1: none

    def _runner(self, cwd: Path | None) -> Git:
        runner: Git = _git_python().Git(str(cwd or self.top))
        return runner

    def _command(
        self, words: Sequence[str], cwd: Path | None, kept: Collection[str] = ()
    ) -> list[str]:
        """GitPython adds to the process's environment and takes nothing from it: env(1) does, but for the
        variables ``kept``, which are ours."""
        strays = [name for name in self.environment.strays if name not in kept]
        away = [word for name in strays for word in ("-u", name)]
        command = ["git", *self._asked(words, cwd)]
        return ["env", *away, *command] if away else command

    def _asked(self, words: Sequence[str], cwd: Path | None) -> list[str]:
        """``words``, so that the answer looks as git has it by itself, and is this repository's."""
        # The configuration itself is read as it is.
        looks = () if words[:1] == ("config",) else PLAIN
        # With safe.bareRepository=explicit git does not find a repository without a worktree.
        named = (f"--git-dir={self.git_dir}",) if (cwd or self.top) == self.git_dir else ()
        return [*looks, *named, *words]


def _settings(listed: str) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for entry in listed.split("\0"):
        key, line, value = entry.partition("\n")
        if key:
            found.setdefault(key, []).append(value if line else "true")
    return {key: tuple(values) for key, values in found.items()}


def _portions(names: list[str]) -> Iterator[list[str]]:
    """The names in portions that fit one pattern."""
    some: list[str] = []
    letters = 0
    for name in names:
        if letters + len(name) > _MOST_LETTERS:
            yield some
            some, letters = [], 0
        some.append(name)
        letters += len(name)
    if some:
        yield some


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
