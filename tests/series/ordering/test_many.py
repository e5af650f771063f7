# SPDX-License-Identifier: GPL-2.0-or-later
"""Many patches to one file without ids, and a search that gives up."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from series.model import Patch
from series.ordering import families, search, walk
from series.ordering.many import line_order, walk_exactly
from tests.series.ordering.test_order import recover, run
from tests.series.strategies import as_patches, change, patch


def edited(count: int, *, growing: bool) -> tuple[list[Patch], dict[bytes, bytes], bytes]:
    """So many patches that each change a line of a long file, shuffled; some add a line to it."""
    chance = random.Random(count)
    lines = [b"line %d\n" % number for number in range(4 * count)]
    base, trees = b"".join(lines), list[dict[bytes, bytes]]()
    for number in range(count):
        at = chance.randrange(len(lines))
        new = [b"change %d\n" % number]
        lines[at : at + 1] = new + ([b"more %d\n" % number] if growing and number % 7 == 0 else [])
        trees.append({b"f": b"".join(lines)})
    patches = as_patches({b"f": base}, trees, blobs=False)
    chance.shuffle(patches)
    return patches, {b"f": base}, trees[-1][b"f"]


@pytest.mark.parametrize("growing", [False, True])
def test_many_patches_to_one_file(growing: bool) -> None:
    patches, base, wanted = edited(120, growing=growing)
    found = recover(patches, base)
    assert not found.given_up
    assert run([patches[index] for index in found.order], base)[b"f"] == wanted


@pytest.mark.torture
def test_the_cost_grows_with_the_patches() -> None:
    def seconds(count: int) -> float:
        patches, base, _ = edited(count, growing=False)
        begun = time.process_time()
        assert not recover(patches, base).given_up
        return time.process_time() - begun

    # Four times as many take sixteen times as long where each is tried at every step.
    assert seconds(800) < 9 * max(seconds(200), 0.05)


def test_lines_that_are_there_twice_prove_nothing() -> None:
    base = [b"a\n", b"b\n", b"a\n"]
    one = change(b"f", b"a\nb\na\n", b"x\nb\na\n")
    two = change(b"f", b"x\nb\na\n", b"y\nb\na\n")
    assert line_order(base, {0: two, 1: one}) == [(1, 0)]
    three = change(b"f", b"a\nb\na\n", b"a\nb\nx\n")
    assert (1, 0) not in line_order(base, {0: two, 1: one, 2: three})


def test_what_fits_nowhere_is_left_out() -> None:
    one = change(b"f", b"a\n", b"b\n")
    two = change(b"f", b"c\n", b"d\n")
    assert walk_exactly([b"a\n"], {0: one, 1: two}, [0, 1], {}) == ([0], [])


def test_one_that_fits_nowhere_leaves_the_others_in_order() -> None:
    patches, base, wanted = edited(40, growing=False)
    odd = patch("odd", change(b"f", b"other\n", b"text\n"))
    found = recover([odd, *patches], base)
    assert [one.patch for one in found.missing] == [0]
    order = [index - 1 for index in found.order if index]
    assert run([patches[index] for index in order], base)[b"f"] == wanted


def test_many_patches_onto_a_base_with_more_lines_above() -> None:
    patches, base, wanted = edited(40, growing=False)
    found = recover(patches, {b"f": b"above\n" + base[b"f"]})
    assert not found.missing
    assert run([patches[index] for index in found.order], base)[b"f"] == wanted


def test_a_search_that_gives_up_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("series.ordering.search._BUDGET", 10)
    patches, base, _ = edited(20, growing=False)
    other = {
        b"f": base[b"f"].replace(b"line 3\n", b"line 3\n\n").replace(b"line 30\n", b"\nline 30\n")
    }
    found = recover(patches, other)
    assert found.given_up
    assert not {one.patch for one in found.missing} & set(found.given_up)


def test_a_search_among_patches_that_exclude_each_other_keeps_to_its_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One file created by each of them: to weigh one against all others takes their number squared."""
    asked = Counter[str]()
    exact = walk.Walk.exact

    def counted(walked: walk.Walk, item: families.Item, state: walk.State) -> object:
        asked["exact"] += 1
        return exact(walked, item, state)

    monkeypatch.setattr(walk.Walk, "exact", counted)
    count = 600
    made = [change(b"f", None, b"new\n") for _ in range(count)]
    recover([patch(str(number), one) for number, one in enumerate(made)], {})
    assert asked["exact"] < 2 * search._BUDGET
