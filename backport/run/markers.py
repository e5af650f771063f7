# SPDX-License-Identifier: GPL-2.0-or-later
"""Conflict markers in a file: cut into blocks, written in the style that the user has chosen for git.

What a pick hands over has diff3 markers with the label ``file``.  ``merge.conflictStyle`` decides what the
user sees: ``merge`` has no base, and like ``zdiff3`` no lines at a block's ends that both sides share.
Where nothing is chosen it is diff3, unlike git's ``merge``: a backport is resolved by what the patch was
made from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum

from msgspec import Struct

from backport.gateway.text_diff import line_edits
from series.lines import split_lines
from series.model import Hunk

_MARK = re.compile(rb"(<{7}|\|{7}|={7}|>{7})(?: file)?(\r?\n)?\Z")


class Style(StrEnum):
    """The values of ``merge.conflictStyle``."""

    MERGE = "merge"
    DIFF3 = "diff3"
    ZDIFF3 = "zdiff3"


class Block(Struct, frozen=True):
    """One place where the sides differ; ``end`` is the line end of its markers."""

    ours: tuple[bytes, ...]
    base: tuple[bytes, ...]
    theirs: tuple[bytes, ...]
    end: bytes


def cut(content: bytes) -> tuple[bytes | Block, ...]:
    """The lines and the blocks of a marked file; all lines where the markers are not ours to read."""
    lines = split_lines(content)
    found: list[bytes | Block] = []
    sides: list[list[bytes]] = []
    end = b"\n"
    for line in lines:
        mark = _MARK.match(line)
        kind = mark[1][:1] if mark is not None else b""
        if kind == b"<" and not sides and line.startswith(b"<<<<<<< file"):
            sides, end = [[]], mark[2] or b"\n" if mark else b"\n"
        elif (kind, len(sides)) in ((b"|", 1), (b"=", 2)):
            sides.append([])
        elif kind == b">" and len(sides) == 3:
            ours, base, theirs = map(tuple, sides)
            found.append(Block(ours, base, theirs, end))
            sides = []
        elif sides:
            sides[-1].append(line)
        else:
            found.append(line)
    return tuple(lines) if sides else tuple(found)


def styled(content: bytes, style: Style, labels: tuple[str, str, str]) -> bytes:
    """The marked file in ``style``; ``labels`` name the branch, the base and the patch."""
    ours, base, theirs = (label.encode("utf-8", "replace") for label in labels)
    out: list[bytes] = []
    for part in cut(content):
        if isinstance(part, bytes):
            out.append(part)
            continue
        head, block, tail = _trimmed(part) if style is not Style.DIFF3 else ((), part, ())
        out += head
        if block.ours != block.theirs:
            out += [b"<<<<<<< " + ours + part.end, *block.ours]
            if style is not Style.MERGE:
                out += [b"||||||| " + base + part.end, *block.base]
            out += [b"=======" + part.end, *block.theirs, b">>>>>>> " + theirs + part.end]
        out += tail
    return b"".join(out)


def _trimmed(block: Block) -> tuple[tuple[bytes, ...], Block, tuple[bytes, ...]]:
    """What both sides begin with, the block without it, and what both end with."""
    head = _common(block.ours, block.theirs)
    ours, theirs = block.ours[head:], block.theirs[head:]
    tail = _common(ours[::-1], theirs[::-1])
    inner = Block(ours[: len(ours) - tail], block.base, theirs[: len(theirs) - tail], block.end)
    return block.ours[:head], inner, ours[len(ours) - tail :]


def _common(one: Sequence[bytes], other: Sequence[bytes]) -> int:
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def open_hunks(content: bytes, theirs: bytes | None, hunks: Sequence[Hunk]) -> tuple[int, ...]:
    """The numbers of the hunks that a block of the marked file leaves to the user.

    ``theirs`` is the file as the patch has it, None where that is not known.
    """
    blocks = [part for part in cut(content) if isinstance(part, Block)]
    if theirs is None:
        whole = {b"".join(block.theirs).rstrip(b"\r\n") for block in blocks}
        return tuple(
            number
            for number, hunk in enumerate(hunks, 1)
            if b"".join(hunk.after).rstrip(b"\r\n") in whole
        )
    places = list(_places(content, theirs))
    found = []
    for number, hunk in enumerate(hunks, 1):
        first = hunk.new_start - (1 if hunk.new_count else 0)
        lead = next((n for n, line in enumerate(hunk.lines) if line.op != b" "), 0)
        trail = next((n for n, line in enumerate(reversed(hunk.lines)) if line.op != b" "), 0)
        begin, end = first + lead, first + hunk.new_count - trail
        # A deletion is at a point, and at the edge of a block it may be the block's.
        touch = begin == end
        if any(
            begin < last + (touch or start == last) and start < end + (touch or start == last)
            for start, last in places
        ):
            found.append(number)
    return tuple(found)


def _places(content: bytes, theirs: bytes) -> Iterator[tuple[int, int]]:
    """Where in ``theirs`` the blocks stand, as lines from 0, the end left out."""
    taken: list[bytes] = []
    spans = []
    for part in cut(content):
        if isinstance(part, bytes):
            taken.append(part)
        else:
            spans.append((len(taken), len(taken) + len(part.theirs)))
            taken += part.theirs
    edits = line_edits(b"".join(taken), theirs)
    for start, end in spans:
        before = sum(len(x.lines) - x.count for x in edits if x.start + x.count <= start)
        within = sum(
            len(x.lines) - x.count for x in edits if start < x.start + x.count and x.start < end
        )
        yield start + before, end + before + within
