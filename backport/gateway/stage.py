# SPDX-License-Identifier: GPL-2.0-or-later
"""What is staged, asked of git itself: for a hook, which at most commits asks nothing else.

libgit2 and our own readers take three times as long to load as these processes to run.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_UNMERGED = "U"


class Stage:
    """The index of the repository that ``folder`` is in; ``env`` sends git there and nowhere else."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder = folder
        self._env = dict(env)
        self._process: subprocess.Popen[bytes] | None = None

    def changed(self) -> list[bytes] | None:
        """The staged paths; None where the index cannot be told (no repository, a conflict)."""
        how = ("--no-ext-diff", "--no-renames", "--no-relative", "--ignore-submodules=none")
        out = self._git("diff", "--cached", *how, "--name-status", "-z")
        if out is None:
            return None
        entries = out.split(b"\0")
        if any(status.decode() == _UNMERGED for status in entries[:-1:2]):
            return None
        return entries[1::2]

    def settings(self) -> dict[str, tuple[str, ...]] | None:
        """Every ``backport.*`` of git's configuration; None where it cannot be read."""
        out = self._git("config", "--list", "-z")
        if out is None:
            return None
        found: dict[str, tuple[str, ...]] = {}
        for entry in out.decode("utf-8", "surrogateescape").split("\0"):
            key, line, value = entry.partition("\n")
            if key.startswith("backport.") and key.count(".") == 1:
                name = key.removeprefix("backport.")
                found[name] = (*found.get(name, ()), value if line else "true")
        return found

    @contextmanager
    def open(self) -> Iterator[None]:
        """Let `read` be asked for any number of files, by one process."""
        with subprocess.Popen(
            ["git", "cat-file", "--batch"],
            cwd=self._folder,
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as self._process:
            yield
            assert self._process.stdin is not None
            self._process.stdin.close()

    def paths(self) -> Iterable[bytes]:
        """The paths of the whole index."""
        out = self._git("ls-files", "-z", "--full-name", ":/") or b""
        return out.split(b"\0")[:-1]

    def read(self, path: bytes, commit: str = "") -> bytes | None:
        """What is staged at a path, or committed there; None where nothing is."""
        process = self._process
        if b"\n" in path or process is None or process.stdin is None or process.stdout is None:
            return None
        process.stdin.write(commit.encode() + b":" + path + b"\n")
        process.stdin.flush()
        head = process.stdout.readline().split()
        if len(head) != 3 or not head[2].isdigit():
            return None
        data = process.stdout.read(int(head[2]))
        process.stdout.read(1)
        return data if head[1] == b"blob" else None

    def common_dir(self) -> Path | None:
        """Where git keeps what all worktrees of the repository share; None without a repository."""
        return self._place("--path-format=absolute", "--git-common-dir")

    def git_dir(self) -> Path | None:
        """Where git keeps what is this worktree's own; None without a repository."""
        return self._place("--absolute-git-dir")

    def top(self) -> Path | None:
        """The worktree's own folder; None without one."""
        return self._place("--show-toplevel")

    def _place(self, *words: str) -> Path | None:
        out = self._git("rev-parse", *words)
        return Path(os.fsdecode(out.rstrip(b"\n"))) if out is not None else None

    def _git(self, *words: str) -> bytes | None:
        try:
            done = subprocess.run(
                ["git", *words], cwd=self._folder, env=self._env, capture_output=True, check=False
            )
        except OSError:  # no git, or no such folder: who looks further says so
            return None
        return None if done.returncode else done.stdout
