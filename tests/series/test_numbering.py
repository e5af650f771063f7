# SPDX-License-Identifier: GPL-2.0-or-later
"""Which numbers of a posting are missing: a stranger wrote the total, so the answer is bounded."""

from __future__ import annotations

import time

import pytest

from series.numbering import listed, missing_numbers


@pytest.mark.parametrize(
    ("have", "total", "missing"),
    [
        ((1, 2, 3), 3, ()),
        ((3, 1), 3, (2,)),
        ((2, 2, 0, 9), 3, (1, 3)),
        ((), 2, (1, 2)),
    ],
)
def test_what_is_missing(have: tuple[int, ...], total: int, missing: tuple[int, ...]) -> None:
    assert missing_numbers(have, total) == missing


def test_a_huge_total_costs_no_more_than_what_is_there() -> None:
    begun = time.process_time()
    found = missing_numbers((2, 10**7), 10**7)
    assert time.process_time() - begun < 0.2
    assert found[:2] == (1, 3)
    assert len(found) <= 10_000


def test_no_more_than_ten_thousand_are_named() -> None:
    """The patches that are there stand in front of what is missing, or behind, or between."""
    for have in ((), range(1, 5_000), range(5_000, 9_000), range(1, 9_000, 2)):
        missing = sorted(set(range(1, 50_001)) - set(have))
        assert missing_numbers(have, 50_000) == tuple(missing[:10_000])


def test_a_list_for_a_message() -> None:
    assert listed((1, 3)) == "1, 3"
    assert listed(range(1, 5), most=3) == "1, 2, 3, ..."
