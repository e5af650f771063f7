# SPDX-License-Identifier: GPL-2.0-or-later
"""A deletion whose file the branch has under another name, where nothing of the patch's tree is at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from backport.pick.outcome import How, Picked
from tests.backport.pick.test_pick import last
from tests.backport.trees import Files, commit, lines, new_repo

FILE = lines(count=20)


def deletion(folder: Path, ours: Files) -> Picked:
    repo = new_repo(folder / "made", {"d/f": FILE, "other": "x\n"})
    commit(repo, {"d/f": None}, "drop d/f")
    return last(repo, new_repo(folder / "ours", {"other": "x\n", **ours})).pick()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("e/g", FILE),
        ("e/g", lines((3, "ours"), count=20)),
        ("e/f", lines(*((n, "ours") for n in range(2, 9)), count=20)),
    ],
    ids=["the same", "changed", "much changed, of that name"],
)
def test_git_would_ask(tmp_path: Path, name: str, content: str) -> None:
    (clash,) = deletion(tmp_path, {name: content}).clashes
    assert clash.path == name.encode()
    assert clash.deleted
    assert "the patch deletes d/f, which is this file" in clash.reason


@pytest.mark.parametrize(
    "ours",
    [{}, {"e/g": lines(*((n, "ours") for n in range(2, 9)), count=20)}],
    ids=["nothing alike", "little alike"],
)
def test_that_it_is_not_here_is_noted(tmp_path: Path, ours: Files) -> None:
    picked = deletion(tmp_path, ours)
    assert picked.already
    (change,) = picked.changes
    assert (change.how, change.notes) == (How.ALREADY, ("there is no such file here",))
