# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches without ids to one file, each at its very lines: what only foresight orders."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import pytest

from series.model import FileChange
from series.ordering import line_beam
from series.ordering.line_beam import foresighted_order
from series.ordering.line_shifts import line_sums, tightened
from series.ordering.many import line_order, walk_exactly
from series.placement.exact import place_exactly
from tests.series.strategies import change

_TRAPS = (1, 4, 9, 17, 22, 24, 30, 33)
"""Courses in which what fits by accident ends every attempt without foresight."""


def course(count: int, seed: int, size: int = 60) -> tuple[list[bytes], dict[int, FileChange]]:
    """So many patches to one file, nearly all of which add or remove lines, shuffled."""
    chance = random.Random(seed)
    lines = [b"line %d\n" % number for number in range(size)]
    base, edits = list(lines), list[FileChange]()
    for number in range(count):
        old = b"".join(lines)
        at, cut, add = (
            chance.randrange(len(lines)),
            chance.choice((0, 0, 1, 2)),
            chance.choice((0, 1, 1, 3)),
        )
        add += cut == add
        lines[at : at + cut] = [b"patch %d line %d\n" % (number, at) for at in range(add)]
        edits.append(change(b"f", old, b"".join(lines)))
    places = list(range(count))
    random.Random(seed).shuffle(places)
    return base, {place: edits[number] for place, number in enumerate(places)}


@pytest.mark.parametrize("seed", _TRAPS)
def test_accidental_fits_do_not_mislead(seed: int) -> None:
    base, edits = course(14, seed)
    rank = range(len(edits))
    greedy = walk_exactly(base, edits, rank, {})
    assert greedy is None or len(greedy[0]) < len(edits)
    order = foresighted_order(base, edits, rank, {})
    assert order is not None
    text = base
    for patch in order:
        placed = place_exactly(text, edits[patch].hunks)
        assert placed is not None
        text = placed[0]


def apart() -> tuple[list[bytes], dict[int, FileChange]]:
    """Five patches 120 lines apart, so that it is certain which gains are above."""
    base = [b"line %d\n" % number for number in range(600)]
    text, edits = list(base), dict[int, FileChange]()
    for patch, (line, gain) in enumerate(((500, 0), (20, 2), (260, 1), (140, -1), (380, 0))):
        at, old = text.index(b"line %d\n" % line), b"".join(text)
        text[at : at + 1 + max(-gain, 0)] = [b"patch %d\n" % patch] * (1 + max(gain, 0))
        edits[patch] = change(b"f", old, b"".join(text))
    return base, edits


def test_line_numbers_alone_order_patches_that_are_far_apart() -> None:
    base, edits = apart()
    sums = line_sums(base, edits)
    assert sums is not None
    needs = tightened({patch: set() for patch in edits}, sums)
    assert needs is not None
    # Line 500 is changed at its first place, which +2 without its -2 would leave.
    assert 0 in needs[1]
    # 380 has moved by +2, +1 and -1.
    assert needs[4] >= {1}
    assert all(before < patch for patch, those in needs.items() for before in those)


def test_an_order_that_the_line_numbers_exclude_is_none() -> None:
    base, edits = apart()
    sums = line_sums(base, edits)
    assert sums is not None
    needs: dict[int, set[int]] = {patch: set() for patch in edits}
    assert tightened({**needs, 0: {1}}, sums) is None
    assert foresighted_order(base, edits, range(5), {0: [1]}) is None
    assert tightened({**needs, 0: {1}, 1: {0}}, []) is None


def test_a_line_added_twice_proves_nothing_of_who_removes_it() -> None:
    """One takes one of the two copies, another keeps the other: either may be first."""
    base = [b"%d\n" % number for number in range(9)]
    old = b"".join(base)
    twice = b"x\n" + old + b"x\n"
    edits = {
        0: change(b"f", old, twice),
        1: change(b"f", twice, old + b"x\n"),
        2: change(b"f", old + b"x\n", old + b"x\ny\n"),
    }
    assert (2, 1) not in line_order(base, edits)


def test_the_work_grows_with_the_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts made, also where no order is found: so many a patch, however many there are."""
    made = [0]
    edited = line_beam._edited

    def counted(text: list[bytes], blocks: Sequence[line_beam._Block]) -> list[bytes]:
        made[0] += 1
        return edited(text, blocks)

    monkeypatch.setattr(line_beam, "_edited", counted)

    def work(count: int) -> int:
        made[0] = 0
        base, edits = course(count, 3, size=20 * count)
        edits[count] = change(b"f", b"odd\n", b"other\n")
        assert foresighted_order(base, edits, range(count + 1), {}) is None
        return made[0]

    assert work(60) < 6 * work(15)


@pytest.mark.torture
def test_a_hunk_of_very_many_lines_is_followed_at_the_cost_of_its_lines() -> None:
    def seconds(count: int) -> float:
        base = [b"line %d\n" % number for number in range(count)]
        new = [b"new %d\n" % n if n % 2 else line for n, line in enumerate(base)]
        edits = {0: change(b"f", b"".join(base), b"".join(new))}
        begun = time.process_time()
        line_sums(base, edits)
        return time.process_time() - begun

    # Eight times as many took 64 times as long where each edit looked at all lines of its hunk.
    assert seconds(8000) < 20 * max(seconds(1000), 0.01)
