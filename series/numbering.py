# SPDX-License-Identifier: GPL-2.0-or-later
"""Which numbers of a posting are missing."""

from __future__ import annotations

from collections.abc import Iterable

_MOST = 10_000
"""Numbers that are looked for; the total is what a stranger wrote."""


def missing_numbers(have: Iterable[int], total: int) -> tuple[int, ...]:
    """The numbers of ``1..total`` that are not in ``have``, in order; at most 10,000 of them.

    Cost: linear in what is there, however large the total.
    """
    there = {number for number in have if 0 < number <= total}
    end = min(total, len(there) + _MOST)
    return tuple(number for number in range(1, end + 1) if number not in there)[:_MOST]


def listed(numbers: Iterable[int], most: int = 10) -> str:
    """Numbers for a message, the first ``most`` of them."""
    shown = list(numbers)
    return ", ".join(map(str, shown[:most])) + (", ..." if len(shown) > most else "")
