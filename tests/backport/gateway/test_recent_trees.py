# SPDX-License-Identifier: GPL-2.0-or-later
"""Trees at hand: what is read stays, what is not goes, and a run does not hold all of its trees."""

from __future__ import annotations

import gc
import time
from pathlib import Path

import pygit2

from backport.gateway.objects import Objects
from backport.gateway.recent_trees import RecentTrees
from backport.gateway.trees import EMPTY, Entry, Tree, TreeView
from series.model import Oid


def _tree(number: int, size: int = 1) -> tuple[Oid, Tree]:
    blob = Entry(Oid(f"{number:040x}"), 0o100644)
    tree = Tree(b"", {b"%d" % entry: blob for entry in range(size)})
    return Oid(f"{number:040x}"), tree


def test_what_is_read_stays_and_what_is_not_goes() -> None:
    trees = RecentTrees(most=4)
    read, unread = _tree(1), _tree(2)
    trees.add(*read)
    trees.add(*unread)
    for number in range(3, 60):
        trees.add(*_tree(number))
        assert trees.find(read[0]) is read[1]
    assert trees.find(unread[0]) is None


def test_a_tree_larger_than_the_bound_is_at_hand() -> None:
    trees = RecentTrees(most=4)
    oid, large = _tree(1, size=50)
    trees.add(oid, large)
    assert trees.find(oid) is large


def test_the_trees_of_a_long_run_are_not_all_held(tmp_path: Path) -> None:
    objects = Objects(pygit2.init_repository(tmp_path, bare=True))
    view = TreeView(objects, objects.write_tree(Tree.parse(b"")))
    first = {b"d/%d" % n: Entry(objects.write_blob(b"%d" % n), 0o100644) for n in range(2000)}
    view = view.edited(first)
    held = []
    for step in range(60):
        entry = Entry(objects.write_blob(b"step %d" % step), 0o100644)
        view, before = view.edited({b"d/1": entry}), view
        assert before.entry(b"d/1") != entry
        held.append(before.id)
    assert sum(objects._trees.find(oid) is not None for oid in held) < 40
    assert all(TreeView(objects, oid).entry(b"d/7") == first[b"d/7"] for oid in held)


def test_many_entries_of_one_tree_are_replaced_at_the_cost_of_the_tree() -> None:
    def seconds(count: int) -> float:
        one, other = (Entry(Oid(digit * 40), 0o100644) for digit in "12")
        tree = EMPTY.edited({b"%06d" % n: one for n in range(count)})
        gc.disable()  # it would look through all that the other tests have left
        begun = time.process_time()
        made = tree.edited(dict.fromkeys(tree.entries, other))
        spent = time.process_time() - begun
        gc.enable()
        assert made.raw == EMPTY.edited(made.entries).raw
        return spent

    def best(count: int) -> float:
        """Python may tidy up in between."""
        return min(seconds(count) for _ in range(3))

    # Eight times as many took 60 times as long where each was put into the bytes by itself.
    assert best(16_000) < 20 * max(best(2000), 0.01)
