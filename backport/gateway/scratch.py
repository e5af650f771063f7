# SPDX-License-Identifier: GPL-2.0-or-later
"""A repository that is thrown away: the user's objects behind it, a commit checked out as far as needed.

What is to be tried with git's own porcelain (`git am`) or with other programs (`quilt push`) is tried there:
neither the user's refs, index, worktrees, hooks nor his locks are touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from backport.gateway.repository import Repo
from backport.store.files import own_folder
from series.model import Oid

_SEALED = (
    *("core.hooksPath=/dev/null", "core.fsmonitor=false", "core.autocrlf=false", "gc.auto=0"),
    *(
        "commit.gpgSign=false",
        "am.threeWay=false",
        "am.keepcr=false",
        "core.attributesFile=/dev/null",
    ),
    *("mailinfo.scissors=false", "advice.mergeConflict=false", "maintenance.auto=false"),
)
"""The settings of somebody who has set none."""


class Scratch(Struct, frozen=True):
    """The folder of its worktree."""

    repo: Repo
    top: Path

    def git(self, *words: str) -> str:
        """Run git in it.  Raises `GitFailed`."""
        sealed = [word for setting in _SEALED for word in ("-c", setting)]
        return self.repo.git(*sealed, *words, cwd=self.top)

    def check_out(self, commit: Oid, paths: Iterable[bytes]) -> None:
        """Have the index of ``commit``, a detached HEAD there, and of its files those at ``paths`` alone."""
        for left in self.top.iterdir():
            if left.is_dir() and not left.is_symlink():
                if left.name != ".git":
                    shutil.rmtree(left)
            else:
                left.unlink()
        self.git("update-ref", "--no-deref", "HEAD", commit)
        self.git("read-tree", "--reset", commit)
        there = b"".join(path + b"\0" for path in paths)
        if there:
            self.repo.git.feed(
                there,
                "-c",
                "core.autocrlf=false",
                "checkout-index",
                "-f",
                "-z",
                "--stdin",
                cwd=self.top,
            )


@contextlib.contextmanager
def scratch(repo: Repo) -> Iterator[Scratch]:
    """One for as long as this holds; those that a killed process has left are removed."""
    repo.objects.store()
    above = repo.state_dir / "scratch"
    above.mkdir(parents=True, exist_ok=True)
    try:
        with own_folder(above, "of-") as folder:
            made = Scratch(repo, folder)
            made.git("init", "-q", "--template=", ".")
            info = folder / ".git" / "objects" / "info"
            info.mkdir(parents=True, exist_ok=True)
            (info / "alternates").write_bytes(os.fsencode(repo.common_dir / "objects") + b"\n")
            yield made
    finally:
        with contextlib.suppress(OSError):  # another one is in it
            above.rmdir()
