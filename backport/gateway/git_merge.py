# SPDX-License-Identifier: GPL-2.0-or-later
"""What ``git cherry-pick`` makes of the same task: its own merge (ort), renames on.

``git merge-tree`` finds its base by history, and before git 2.40 takes no other: three commits with
the trees of a pick, the base below both sides, make it the merge of that pick.  They, and what git
writes, lie in an object folder of their own, which borrows from the repository's.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from backport.errors import UsageError
from backport.gateway.repository import Repo
from series.model import Oid

_WHO = "backtest <backtest@localhost> 0 +0000"


class GitMerge:
    """Merges in an object folder of its own; `close` has nothing to do, the folder is the caller's."""

    def __init__(self, repo: Repo, folder: Path) -> None:
        objects = folder / "objects"
        objects.mkdir(parents=True)
        self._git_dir = repo.common_dir
        self._env: Mapping[str, str] = {
            **repo.environment.for_git(),
            "GIT_OBJECT_DIRECTORY": str(objects),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(repo.common_dir / "objects"),
        }

    def tree(self, base: Oid, ours: Oid, theirs: Oid) -> Oid | None:
        """The tree of a clean merge of trees; None for a conflict."""
        root = self._commit(base)
        one, other = self._commit(ours, root), self._commit(theirs, root)
        done = self._run("merge-tree", "--write-tree", "--no-messages", one, other)
        if done.returncode > 1:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise UsageError(f"git merge-tree failed: {said}", "git 2.38 or newer has --write-tree")
        return Oid(done.stdout.split(b"\n", 1)[0].decode()) if done.returncode == 0 else None

    def _commit(self, tree: Oid, parent: str | None = None) -> str:
        head = f"tree {tree}\n" + (f"parent {parent}\n" if parent else "")
        text = f"{head}author {_WHO}\ncommitter {_WHO}\n\nx\n".encode()
        words = ("hash-object", "-t", "commit", "-w", "--stdin")
        return self._run(*words, text=text).stdout.decode().strip()

    def _run(self, *words: str, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        where = ["git", f"--git-dir={self._git_dir}"]
        return subprocess.run(
            [*where, *words], input=text, env=self._env, capture_output=True, check=False
        )
