# SPDX-License-Identifier: GPL-2.0-or-later
"""What a hunk's header says of its place, and hunks that stand right there.

A patch whose very pre-image is at hand goes to its stated lines.  Such a place is found in the bytes:
to take a file of thousands of lines apart and put it together again, for one hunk, costs some ten times
as much.  And it is known then what of the old text is left where, which is what a delta says.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from series.model import Hunk

_MOST_TRIED = 64
"""Places looked at for one hunk; a hostile text has as many as it has lines."""


class Edit(Struct, frozen=True):
    """``size`` bytes of the old text from offset ``at`` on become ``text``."""

    at: int
    size: int
    text: bytes


def stated_line(hunk: Hunk) -> int:
    """The 0-based line where the hunk begins in the text that the hunks before it have made."""
    # 1-based, but of an empty side git writes the line before it.
    return max(hunk.new_start - (1 if hunk.new_count else 0), 0)


def pre_image_line(hunk: Hunk) -> int:
    """The 0-based line where the hunk begins in the text that it was made for."""
    return max(hunk.old_start - (1 if hunk.old_count else 0), 0)


def in_order(hunks: Sequence[Hunk]) -> bool:
    """Whether each hunk begins behind the end of the one before, as in every patch that a diff made.

    Of other hunks the stated lines cannot be used: two for one line would both fit, and make no edit.
    """
    end = 0
    for hunk in hunks:
        at = pre_image_line(hunk)
        if at < end:
            return False
        end = at + hunk.old_count
    return True


def anchors(hunk: Hunk) -> tuple[bool, bool, bool]:
    """Must match at the beginning, must match at the end, has no context at all."""
    ops = [line.op for line in hunk.lines]
    if b" " not in ops:
        return False, False, True
    return hunk.old_start <= 1, ops[-1] != b" ", False


def edits_as_stated(text: bytes, hunks: Sequence[Hunk]) -> tuple[Edit, ...] | None:
    """The hunks as edits of ``text``, in order; None unless each one stands at its stated line.

    Cost: one search for each hunk, together over the text once.
    """
    edits: list[Edit] = []
    at = line = shift = 0
    for hunk in hunks:
        before, after = hunk.before, hunk.after
        wanted = stated_line(hunk)
        at_start, at_end, _ = anchors(hunk)
        block = b"".join(before)
        # A line without its end is the last one, of the hunk and of the text.
        ended = block.endswith(b"\n")
        if not block or block.count(b"\n") + (not ended) != len(before):
            return None
        found = _standing(text, block, at, wanted - shift - line)
        if found is None:
            return None
        end = found + len(block)
        if (at_start and wanted) or ((at_end or not ended) and end != len(text)):
            return None
        edits.append(Edit(found, len(block), b"".join(after)))
        at, line = end, wanted - shift + len(before)
        shift += len(after) - len(before)
    return tuple(edits)


def edited(text: bytes, edits: Sequence[Edit]) -> bytes:
    """``text`` with the edits made, which are in order and do not overlap."""
    parts, at = [], 0
    for edit in edits:
        parts += [text[at : edit.at], edit.text]
        at = edit.at + edit.size
    return b"".join((*parts, text[at:]))


def _standing(text: bytes, block: bytes, at: int, lines: int) -> int | None:
    """The offset of ``block`` where it begins the line that is ``lines`` below the one at ``at``."""
    found = at - 1
    for _ in range(_MOST_TRIED):
        found = text.find(block, found + 1)
        if found < 0:
            return None
        lines -= text.count(b"\n", at, found)
        if lines <= 0:
            begins = found == 0 or text[found - 1 : found] == b"\n"
            return found if lines == 0 and begins else None
        at = found
    return None
