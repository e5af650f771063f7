# SPDX-License-Identifier: GPL-2.0-or-later
"""Every hunk of a patch is in the result, in a conflict, or in a note; none is dropped."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backport.gateway.repository import Repo
from backport.gateway.text_diff import unified
from backport.gateway.trees import FILE, Entry
from backport.pick.patch import pick_patch
from backport.pick.proposals import propose
from backport.pick.region_merge import Finer
from series.model import Identity, Patch
from series.reading.diff import parse_diff
from tests.backport.trees import new_repo, open_repo

SIZE = 16
KINDS = st.sampled_from(["keep"] * 6 + ["replace", "change", "delete", "insert"])
SIDE = st.lists(KINDS, min_size=SIZE, max_size=SIZE)
NAME = b"a.c"


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    return open_repo(new_repo(tmp_path_factory.mktemp("hunks") / "repo", {"x": "x\n"}))


def made(kinds: list[str], who: str) -> bytes:
    """A file of lines that stand once, after one side's edits; who makes a line is told by its words."""
    out = []
    for number, kind in enumerate(kinds):
        old = f"line({number}, {number});\n"
        if kind in ("keep", "insert"):
            out.append(old)
        if kind in ("replace", "insert"):
            out.append(f"{who}_{number};\n")
        if kind == "change":
            out.append(f"line({number}, {who});\n")
    return "".join(out).encode()


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(SIDE, SIDE, st.booleans())
def test_none_is_dropped(repo: Repo, branch: list[str], patch: list[str], alike: bool) -> None:
    """``alike``: what both sides make is the same, so that the branch has hunks already."""
    objects = repo.objects
    base = made(["keep"] * SIZE, "")
    ours, theirs = made(branch, "own" if not alike else "new"), made(patch, "new")
    if theirs == base:
        return
    old, new, there = map(objects.write_blob, (base, theirs, ours))
    diff = f"diff --git a/a.c b/a.c\nindex {old}..{new} 100644\n--- a/a.c\n+++ b/a.c\n".encode()
    changes = parse_diff(diff + unified(base, theirs), "one")
    tree = repo.tree(repo.commit("HEAD")).edited({NAME: Entry(there, FILE)})
    picked = pick_patch(objects, tree, Patch("one", Identity(b"A", b"a@b"), None, b"s\n", changes))
    lines = [line for change in changes for hunk in change.hunks for line in hunk.lines]
    added = {line.text for line in lines if line.op == b"+"}
    taken = {line.text for line in lines if line.op == b"-"} - added
    if picked.clean:
        result = set((picked.tree.read(NAME) or b"").splitlines(keepends=True))
        assert added <= result
        assert not taken & result
        return
    (clash,) = picked.clashes
    assert clash.content is not None
    shown = set(clash.content.splitlines(keepends=True))
    assert added <= shown
    # What the branch has done stands there as well.
    assert set(ours.splitlines(keepends=True)) - taken <= shown | set(
        base.splitlines(keepends=True)
    )
    found = propose(objects, picked)
    if found is not None and found.finer is not Finer.TOKENS:
        resolved = set(found.texts[NAME].splitlines(keepends=True))
        assert added <= resolved and not taken & resolved
