# SPDX-License-Identifier: GPL-2.0-or-later
"""What is staged."""

from __future__ import annotations

import pygit2

from backport.errors import UsageError
from backport.gateway.repository import Repo
from series.model import Oid


def staged_tree(repo: Repo, index_file: str | None) -> Oid:
    """The tree that the commit would have; ``index_file`` is the one that git hands to a hook."""
    index = pygit2.Index(index_file) if index_file else repo.native.index
    try:
        return Oid(str(index.write_tree(repo.native)))
    except pygit2.GitError as error:
        raise UsageError(
            f"the index cannot be written as a tree: {error}", "resolve it first"
        ) from error
