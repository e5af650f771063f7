# SPDX-License-Identifier: GPL-2.0-or-later
"""Names looked for in a tree: few by git grep, many in one pass, with the same answer."""

from __future__ import annotations

from pathlib import Path

from backport.gateway.words import find_words
from tests.backport.trees import Files, git, new_repo, open_repo

FILES: Files = {
    "a.c": "int one(two *three);\nxfour five_x 6six\n",
    "deep/b.h": "#define seven eight->nine\n",
    "binary": b"ten\0",
    "latin": b"\xe9eleven\xe9\n",
}
THERE = frozenset([b"one", b"two", b"three", b"xfour", b"seven", b"eight", b"nine", b"eleven"])
NOT = frozenset([b"four", b"five", b"six", b"ten", b"eigh"])


def test_the_words_of_a_tree(tmp_path: Path) -> None:
    new_repo(tmp_path / "repo", FILES)
    repo = open_repo(tmp_path / "repo")
    tree = repo.tree(repo.commit("stable")).id
    assert find_words(repo.git_dir, tree, THERE | NOT) == THERE
    assert repo.git.words(tree, THERE | NOT) == THERE
    more = frozenset(b"none%d" % number for number in range(100))
    assert repo.git.words(tree, THERE | NOT | more) == THERE


def test_a_link_is_no_text(tmp_path: Path) -> None:
    made = new_repo(tmp_path / "repo", FILES)
    (made / "link").symlink_to("twelve")
    git(made, "add", "link")
    git(made, "commit", "-q", "-m", "link")
    repo = open_repo(made)
    tree = repo.tree(repo.commit("stable")).id
    assert find_words(repo.git_dir, tree, frozenset([b"twelve", b"one"])) == {b"one"}
