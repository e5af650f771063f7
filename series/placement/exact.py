# SPDX-License-Identifier: GPL-2.0-or-later
"""Hunks that stand at their very lines of the pre-image, or all as far off as another text would make it.

Quick, for those who try many orders: a slice is compared for each hunk, and nothing is looked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from series.model import Hunk
from series.placement.stated import in_order, pre_image_line


def place_exactly(
    lines: list[bytes], hunks: Sequence[Hunk], shifts: Sequence[int] = (0,)
) -> tuple[list[bytes], tuple[Hunk, ...]] | None:
    """``lines`` after the hunks, and the hunks with the lines where they stood; None where one does not.

    Each hunk is tried at its line plus each of ``shifts``, in that order.
    """
    if not in_order(hunks):
        return None
    stood: list[Hunk] = []
    for hunk in hunks:
        at, before = pre_image_line(hunk), list(hunk.before)
        for shift in shifts:
            here = at + shift
            if 0 <= here <= len(lines) and lines[here : here + len(before)] == before:
                stood.append(replace(hunk, old_start=hunk.old_start + shift) if shift else hunk)
                break
        else:
            return None
    made = list(lines)
    for hunk in reversed(stood):
        at = pre_image_line(hunk)
        made[at : at + hunk.old_count] = hunk.after
    return made, tuple(stood)
