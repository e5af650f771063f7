# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches of very many hunks: what is looked for, how far, and at what cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from series.model import FileChange, Hunk, HunkLine
from series.placement import hunks as module
from series.placement.exact import place_exactly
from series.placement.hunks import PlaceError, apply_change, standing


def _hunk(at: int, before: str, after: str) -> Hunk:
    lines = [HunkLine(b"-", b"%s\n" % x.encode()) for x in before]
    lines += [HunkLine(b"+", b"%s\n" % x.encode()) for x in after]
    lines += [HunkLine(b" ", b"end\n")]
    return Hunk(at, len(before) + 1, at, len(after) + 1, b"", tuple(lines))


def _change(*hunks: Hunk) -> FileChange:
    return FileChange("modify", b"f", b"f", hunks=hunks)


def _moved(count: int) -> tuple[bytes, FileChange]:
    """A text of equal blocks, and hunks that all stand one line below the place they state."""
    text = b"top\nmore\n" + b"a\nend\n" * count
    return text, _change(*(_hunk(2 * number + 2, "a", "b") for number in range(count)))


def _spent(work: Callable[[int], None], counts: tuple[int, ...]) -> list[float]:
    spent = []
    for count in counts:
        begun = time.process_time()
        work(count)
        spent.append(time.process_time() - begun)
    return spent


def test_hunks_that_moved_in_a_text_of_equal_lines() -> None:
    def work(count: int) -> None:
        text, change = _moved(count)
        assert apply_change(text, change).text == b"top\nmore\n" + b"b\nend\n" * count

    for less, more in pairwise(_spent(work, (500, 4000))):
        assert more < 24 * less + 0.5


def test_a_hunk_is_found_as_far_away_as_the_text_goes() -> None:
    text = b"x\n" * 5000 + b"a\nend\n" + b"x\n" * 5000
    for stated in (1000, 5001, 9000):
        assert apply_change(text, _change(_hunk(stated, "a", "b"))).text == text.replace(b"a", b"b")


def test_the_nearest_is_taken_and_the_others_are_named() -> None:
    places = (300, 1000, 4000)
    lines = [b"x\n"] * 6000
    for place in places:
        lines[place : place + 2] = [b"a\n", b"end\n"]
    for stated, nearest in ((2, 300), (700, 1000), (2400, 1000), (2800, 4000), (5900, 4000)):
        (placed,) = apply_change(b"".join(lines), _change(_hunk(stated, "a", "b"))).hunks
        assert placed.line == nearest + 1
        assert placed.twins == tuple(place + 1 for place in places if place != nearest)


def test_a_hunk_that_was_looked_for_nearby_only_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_LOOKED", 200)
    text = b"b\n" + b"x\n" * 500 + b"a\nend\n"
    with pytest.raises(PlaceError, match="does not fit within 200 lines of its place"):
        apply_change(text, _change(_hunk(2, "a", "b")))
    done = b"x\n" * 100 + b"b\nend\n" + b"x\n" * 200
    found = standing(done, _change(_hunk(101, "a", "b")))
    assert found is not None
    assert not found.sure  # what was not looked at may hold another
    monkeypatch.undo()
    found = standing(done, _change(_hunk(101, "a", "b")))
    assert found is not None
    assert found.sure


def test_hunks_for_one_line_are_no_edit() -> None:
    """Each stands at its stated line, and ``git apply`` refuses the second."""
    twice = (_hunk(2, "a", "a"), _hunk(2, "a", "a"))
    assert place_exactly([b"x\n", b"a\n", b"end\n"], twice) is None
    assert place_exactly([b"x\n", b"a\n", b"end\n"], twice[:1]) is not None
