# SPDX-License-Identifier: GPL-2.0-or-later
"""What is staged.

libgit2 writes the tree of a plain index in a few milliseconds.  It takes a file that ``git add -N`` only
announces for an empty one, which no commit would have, and cannot read a split or a sparse index: these
are git's own to write, from a copy, since a hook runs while git holds the index.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pygit2

from backport.errors import GitFailed, UsageError
from backport.gateway.repository import Repo
from series.model import Oid

_PLAIN = b"DIRC\0\0\0\2"
"""How an index begins that can announce no file (gitformat-index: flags for that came with version 3)."""

_FOREIGN = (b"link\0\0", b"sdir\0\0")
"""The extensions of a split and of a sparse index, with the upper half of their sizes.  A path may end like
that as well; git then writes the tree of a plain index, which costs a process."""


def staged_tree(repo: Repo) -> Oid:
    """The tree that the commit would have, by the index that git hands to a hook, or the repository's.

    Raises `UsageError` where it would have none.
    """
    # As git does: .git/index is meant from the top, also by a hook that has gone on to a subfolder.
    named = repo.environment.get("GIT_INDEX_FILE")
    file = repo.top / named if named else repo.git_dir / "index"
    try:
        if not file.exists() or _is_plain(file):
            return Oid(str(pygit2.Index(str(file)).write_tree(repo.native)))
    except pygit2.GitError:
        pass  # git says what is wrong, or reads it
    try:
        with tempfile.TemporaryDirectory(prefix="backport-index-") as folder:
            copy = Path(shutil.copy(file, folder))
            return Oid(repo.git.peek("write-tree", index=copy).strip())
    except GitFailed as error:
        raise UsageError(
            f"the index cannot be written as a tree: {error}", "resolve it first"
        ) from error


def _is_plain(index: Path) -> bool:
    data = index.read_bytes()
    return data.startswith(_PLAIN) and not any(mark in data for mark in _FOREIGN)
