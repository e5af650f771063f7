# SPDX-License-Identifier: GPL-2.0-or-later
"""What a file of an earlier commit is called now."""

from __future__ import annotations

from pathlib import Path

import pytest

from backport.gateway.repository import Repo
from backport.history.renamed_since import followed
from series.model import Oid
from tests.backport.trees import commit, git, lines, new_repo, open_repo


def text(number: int) -> str:
    return lines((3, f"file {number}"), (4, f"{number} again"), (5, f"and {number}"))


def test_from_name_to_name(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"a": text(1), "b": text(2), "c": text(3)})
    start = Oid(git(repo, "rev-parse", "HEAD"))
    middle = Oid(commit(repo, {"a": None, "a2": text(1)}, "move a"))
    commit(repo, {"b": None, "c": "x\n"}, "delete b, change c")
    commit(repo, {"b": "other\n"}, "another b")
    commit(repo, {"c": None, "c2": "x\n"}, "move c")
    tip = Oid(commit(repo, {"a2": None, "a3": text(1)}, "move a again"))
    opened = open_repo(repo)
    assert followed(opened, start, b"a", tip) == b"a3"
    assert followed(opened, middle, b"a2", tip) == b"a3"
    assert followed(opened, start, b"a", middle) == b"a2"
    assert followed(opened, start, b"b", tip) is None
    assert followed(opened, start, b"c", tip) == b"c2"
    assert followed(opened, tip, b"c2", tip) == b"c2"
    with pytest.raises(LookupError, match="no such file"):
        followed(opened, tip, b"a", tip)
    with pytest.raises(LookupError, match="does not lead to"):
        followed(opened, tip, b"a3", start)


def test_a_deleted_file_whose_content_is_made_again_is_gone(tmp_path: Path) -> None:
    repo = new_repo(tmp_path / "r", {"a": text(1), "z": "z\n"})
    start = Oid(git(repo, "rev-parse", "HEAD"))
    commit(repo, {"a": None}, "delete it")
    tip = Oid(commit(repo, {"b": text(1)}, "the same under another name"))
    assert followed(open_repo(repo), start, b"a", tip) is None


def test_history_is_walked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For all the files that were moved in it."""
    count = 8
    repo = new_repo(tmp_path / "r", {f"f{n}": text(n) for n in range(count)})
    start = tip = Oid(git(repo, "rev-parse", "HEAD"))
    for n in range(count):
        tip = Oid(commit(repo, {f"f{n}": None, f"g{n}": text(n)}, f"move {n}"))
    opened, asked = open_repo(repo), list[Oid]()
    parents = Repo.parents

    def counted(self: Repo, one: Oid) -> tuple[Oid, ...]:
        asked.append(one)
        return parents(self, one)

    monkeypatch.setattr(Repo, "parents", counted)
    for n in range(count):
        assert followed(opened, start, f"f{n}".encode(), tip) == f"g{n}".encode()
    assert len(asked) == count
