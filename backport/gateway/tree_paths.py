# SPDX-License-Identifier: GPL-2.0-or-later
"""The paths of a stored tree, as a file system has them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pygit2

from backport.gateway.repository import Repo
from series.model import Oid


def tree_paths(repo: Repo, commit: Oid) -> Iterator[str]:
    """Every file, link and submodule of a commit's tree, in its order."""
    tree = repo.native[repo.tree(commit).id]
    assert isinstance(tree, pygit2.Tree)
    yield from _below(tree, "")


def _below(tree: pygit2.Tree, prefix: str) -> Iterator[str]:
    for entry in tree:
        assert entry.raw_name is not None
        path = prefix + os.fsdecode(entry.raw_name)
        if isinstance(entry, pygit2.Tree):
            yield from _below(entry, f"{path}/")
        else:
            yield path
