# SPDX-License-Identifier: GPL-2.0-or-later
"""Which names a tree holds, asked of many trees of one history in any order."""

from __future__ import annotations

import random
from pathlib import Path

from backport.gateway.tree_words import TreeWords
from series.model import Oid
from tests.backport.trees import commit, git, new_repo, open_repo

NAMES = frozenset(b"name_%d" % number for number in range(12))


def test_it_says_of_every_tree_what_a_search_of_it_says(tmp_path: Path) -> None:
    """Some names stand in most files, some in few, and files come, change and go by ones and by tens."""
    draw = random.Random(5)
    repo = new_repo(tmp_path / "repo", {"start.c": ""})
    trees = []
    for step in range(14):
        files: dict[str, str | None] = {}
        for _ in range(draw.choice((1, 2, 12))):
            some = draw.sample(sorted(NAMES), draw.randrange(6))
            text = " ".join(f"int {name.decode()};" for name in some)
            files[f"f{draw.randrange(20)}.c"] = text if draw.random() < 0.7 else None
        kept = {name: text for name, text in files.items() if text or (repo / name).exists()}
        commit(repo, kept | {"step": str(step)}, f"step {step}")
        trees.append(Oid(git(repo, "rev-parse", "HEAD^{tree}")))
    native = open_repo(repo)
    words = TreeWords(native)
    for tree in draw.choices(trees, k=60):
        asked = frozenset(draw.sample(sorted(NAMES), 4))
        assert words.held(tree, asked) == native.git.words(tree, asked)
