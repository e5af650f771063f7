# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a change goes in a text: the pure applier, exact as ``git apply`` without fuzz.

For each hunk the stated line is tried first, then lines ever farther from it, forward before
backward, where all context matches exactly (apply.c, find_pos).  As there, a hunk that starts at
line 1 matches at the beginning only, one without trailing context at the end only, and no line that
an earlier hunk wrote matches again.  One thing differs: a hunk without any context (``diff -U0``)
goes to its stated line or nowhere, where ``git apply`` would append an insertion to the file.

Fuzz is left out on purpose: measured over real backports it adds wrong results, not right ones.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from itertools import islice

from msgspec import Struct

from series.binary import apply_delta
from series.errors import SeriesError
from series.lines import split_lines
from series.model import Binary, FileChange, Hunk, shown
from series.placement.stated import Edit, anchors, edited, edits_as_stated, stated_line
from series.reverse import reverse_hunk

_MAX_TWINS = 8
# Lines compared in one search at most: a text of equal lines would make it quadratic.
_MAX_COMPARED = 20_000_000
_MOST_LOOKED = 20_000_000
"""Lines looked at for the hunks of one change: 200 of them are looked for in 100,000 lines each."""
_NEAR = 64
"""Lines on each side of the stated one that a search looks at first; then four times as many, and so on."""


class PlaceError(SeriesError):
    """A hunk that does not fit: path, hunk number (1-based), line, what stands there instead."""

    def __init__(
        self,
        path: bytes,
        what: str,
        *,
        hunk: int = 0,
        line: int = 0,
        expected: bytes | None = None,
        found: bytes | None = None,
    ) -> None:
        self.path, self.what, self.hunk, self.line = path, what, hunk, line
        self.expected, self.found = expected, found
        at = ", ".join([f"line {line}"] * (line > 0) + [f"hunk {hunk}"] * (hunk > 0))
        self.reason = f"{at}: {what}" if at else what
        """The message without the path, for where the path is said already."""
        if expected is not None:
            self.reason += f"; expected {quoted(expected)}, found {quoted(found)}"
        super().__init__(f"{path.decode('utf-8', 'backslashreplace')}: {self.reason}")


class HunkPlace(Struct, frozen=True):
    """Where one hunk went: ``line`` is 1-based in the text that the hunks before it had made."""

    number: int
    line: int
    offset: int
    twins: tuple[int, ...] = ()
    """Other lines where a hunk that had to move fits as well: the choice is a guess."""

    @property
    def ambiguous(self) -> bool:
        """Whether the hunk had to move and fits in more than one place."""
        return bool(self.twins)


class Placed(Struct, frozen=True):
    """The post-image and where each hunk went."""

    text: bytes
    hunks: tuple[HunkPlace, ...] = ()
    edits: tuple[Edit, ...] = ()
    """What was done to the pre-image; none where that is not known."""

    @property
    def exact(self) -> bool:
        """Whether every hunk went to the line its header states."""
        return not any(place.offset for place in self.hunks)


def apply_change(pre: bytes, change: FileChange) -> Placed:
    """Apply ``change`` to ``pre``, the content of its old path (empty for a creation)."""
    if change.binary:
        return Placed(apply_binary(pre, change))
    if change.kind == "create" and pre:
        raise PlaceError(change.path, "the file to create exists already and is not empty")
    if not change.hunks:
        if change.kind == "delete" and pre:
            raise PlaceError(
                change.path, "the file to delete is not empty, but the patch says that it is"
            )
        return Placed(pre)
    edits = edits_as_stated(pre, change.hunks)
    if edits is not None:
        places = tuple(
            HunkPlace(number, stated_line(hunk) + 1, 0)
            for number, hunk in enumerate(change.hunks, 1)
        )
        placed = Placed(edited(pre, edits), places, edits)
    else:
        lines = split_lines(pre)
        places = apply_hunks(lines, change.hunks, change.path)
        placed = Placed(b"".join(lines), places)
    if change.kind == "delete" and placed.text:
        left = len(split_lines(placed.text))
        raise PlaceError(change.path, f"{left} lines would be left of the deleted file")
    return placed


def apply_binary(pre: bytes, change: FileChange) -> bytes:
    """The post-image of a binary change; it must carry its data."""
    if change.forward is None:
        raise PlaceError(
            change.path, "binary content differs, but the patch has none (git diff --binary)"
        )
    try:
        return _binary(pre, change.forward)
    except ValueError as exc:
        raise PlaceError(change.path, f"the binary delta does not apply: {exc}") from exc


def _binary(pre: bytes, side: Binary) -> bytes:
    return side.data if side.kind == "literal" else apply_delta(pre, side.data)


def apply_hunks(lines: list[bytes], hunks: Sequence[Hunk], path: bytes) -> tuple[HunkPlace, ...]:
    """Apply ``hunks`` to ``lines`` in place; on PlaceError ``lines`` is left half done.

    Cost, for hunks in order: one slice comparison a hunk where the stated line fits, else the lines up to
    where it fits, and those where it might as well.  Of very many hunks none is looked for very far.
    """
    reach = reach_of(len(hunks))
    places: list[HunkPlace] = []
    written: list[tuple[int, int]] = []
    for number, hunk in enumerate(hunks, 1):
        before, after = hunk.before, hunk.after
        wanted = stated_line(hunk)
        at = find(lines, hunk, list(before), wanted, written, reach)
        if at is None:
            raise _misfit(lines, hunk, before, wanted, number, path, reach)
        twins: tuple[int, ...] = ()
        if at != wanted:
            twins = _twins(lines, hunk, list(before), at, written, reach)
        lines[at : at + len(before)] = after
        shift = len(after) - len(before)
        if written and written[-1][0] >= at:  # out of order, which is rare
            written = [(a + shift, b + shift) if a >= at else (a, b) for a, b in written]
        insort(written, (at, at + len(after)))
        places.append(HunkPlace(number, at + 1, at - wanted, twins))
    return tuple(places)


def reach_of(count: int) -> int:
    """How many lines from its stated one each of ``count`` hunks is looked for."""
    return max(_MOST_LOOKED // max(count, 1), _NEAR)


def find(
    lines: list[bytes],
    hunk: Hunk,
    before: list[bytes],
    wanted: int,
    written: Sequence[tuple[int, int]] = (),
    reach: int = _MOST_LOOKED,
) -> int | None:
    """The 0-based line nearest to ``wanted`` where the hunk fits; None where it fits nowhere within
    ``reach`` lines of it."""
    size, total = len(before), len(lines)
    at_start, at_end, bare = anchors(hunk)
    if bare:
        fits = wanted + size <= total and lines[wanted : wanted + size] == before
        return wanted if fits and _free(written, wanted, size) else None
    if at_start:
        wanted = 0
    elif at_end:
        wanted = total - size
    if size > total or wanted < 0:
        return None
    wanted = min(wanted, total)
    if lines[wanted : wanted + size] == before and _free(written, wanted, size):
        if (not at_start or wanted == 0) and (not at_end or wanted + size == total):
            return wanted
        return None
    if at_start or at_end:
        return None
    return _nearest(lines, before, wanted, reach, written)


def _nearest(
    lines: list[bytes],
    before: list[bytes],
    wanted: int,
    reach: int,
    written: Sequence[tuple[int, int]] = (),
) -> int | None:
    """The nearest match, forward before backward.  Cost: the lines up to it, a few times over."""
    size, last = len(before), len(lines) - len(before)
    above, below = wanted, wanted - 1  # what lies between, both included, has been looked at
    radius = min(_NEAR, reach)
    while True:
        first, end = max(wanted - radius, 0), min(wanted + radius, last)
        ahead = (at for at in _matches(lines, before, below + 1, end) if _free(written, at, size))
        behind = [
            at for at in _matches(lines, before, first, above - 1) if _free(written, at, size)
        ]
        found = [*islice(ahead, 1), *behind[-1:]]
        if found:
            return min(found, key=lambda at: _distance(at, wanted))
        if radius >= reach or (first == 0 and end == last):
            return None
        above, below = min(above, first), max(below, end)
        radius = min(radius * 4, reach)


def _distance(at: int, wanted: int) -> tuple[int, int]:
    return (abs(at - wanted), 0 if at >= wanted else 1)


def _matches(lines: list[bytes], before: list[bytes], first: int, last: int) -> Iterator[int]:
    """The places from ``first`` to ``last`` where ``before`` stands, by way of its rarest-looking line:
    the longest."""
    size = len(before)
    pivot = max(range(size), key=lambda i: len(before[i]))
    needle, at, end = before[pivot], max(first, 0) + pivot - 1, last + pivot + 1
    for _ in range(_MAX_COMPARED // size):
        try:
            at = lines.index(needle, at + 1, end)
        except ValueError:
            return
        start = at - pivot
        if lines[start : start + size] == before:
            yield start


def _twins(
    lines: list[bytes],
    hunk: Hunk,
    before: list[bytes],
    at: int,
    written: list[tuple[int, int]],
    reach: int,
) -> tuple[int, ...]:
    if not before or any(anchors(hunk)):
        return ()
    size = len(before)
    # Behind it first: what stands before it the hunks before it have written, as a rule.
    spans = ((at + 1, at + reach), (at - reach, at - 1))
    places = (place for span in spans for place in _matches(lines, before, *span))
    others = (place + 1 for place in places if _free(written, place, size))
    return tuple(sorted(islice(others, _MAX_TWINS)))


def _free(written: Sequence[tuple[int, int]], at: int, size: int) -> bool:
    """Whether none of ``written``, which are in order and apart, reaches into these lines."""
    # Of those that begin before the end of the lines the last one has the farthest end.
    last = bisect_left(written, (at + size, -1)) - 1
    return last < 0 or written[last][1] <= at


def _misfit(
    lines: list[bytes],
    hunk: Hunk,
    before: tuple[bytes, ...],
    wanted: int,
    number: int,
    path: bytes,
    reach: int,
) -> PlaceError:
    """Name the first line that differs where the most of the hunk's lines agree."""
    count = max(len(lines) - len(before), 0) + 1
    best, score = min(wanted, max(len(lines) - 1, 0)), -1
    # Near the stated line only: this is for a message, and must not cost more than the search.
    for at in range(max(wanted - 100, 0), min(wanted + 100, count)):
        agree = sum(map(bytes.__eq__, before, lines[at : at + len(before)]))
        if (agree, -abs(at - wanted)) > (score, -abs(best - wanted)):
            best, score = at, agree
    for index, line in enumerate(before):
        found = lines[best + index] if best + index < len(lines) else None
        if found != line:
            where = (
                f"within {reach} lines of its place" if reach < count else "here or anywhere else"
            )
            return PlaceError(
                path,
                f"does not fit {where} in the file",
                hunk=number,
                line=best + index + 1,
                expected=line,
                found=found,
            )
    return PlaceError(
        path, "fits only where it must not go", hunk=number, line=max(hunk.old_start, 1)
    )


def quoted(line: bytes | None) -> str:
    """A line of a file for a message, its control characters made visible."""
    if line is None:
        return "the end of the file"
    text = shown(line.removesuffix(b"\n"))
    if not line.endswith(b"\n"):
        return f"'{text[:120]}' without a line end"
    return f"'{text[:120]}'"


def is_applied(text: bytes | None, change: FileChange) -> bool:
    """Whether ``text``, the content at the change's new path, may well have the change already.

    ``text`` is None where the path does not exist.  True only when the whole change can be taken
    back from it, and there is something in the change to tell by.  The lines are found anywhere, so
    a twin of the block passes too: good enough to order by, never to leave a patch out by (see
    `standing`).
    """
    if change.kind == "delete":
        return text is None
    if text is None:
        return False
    if change.binary:
        return _has_binary(text, change)
    if change.kind in ("rename", "copy") and not change.hunks:
        return _is_blob(text, change.old_blob)
    if not any(line.op != b" " for hunk in change.hunks for line in hunk.lines):
        return change.kind == "create" and not text
    lines = split_lines(text)
    try:
        apply_hunks(lines, [reverse_hunk(hunk) for hunk in change.hunks], change.path)
    except PlaceError:
        return False
    return change.kind != "create" or not lines


class Standing(Struct, frozen=True):
    """A text that holds what every hunk would make, the first of them at ``line`` (1-based).

    ``sure`` when it cannot be another block of the same lines: each hunk's result stands in one place
    only, in order, below the line that the hunk's header names, and where the header names none at
    the very line it states.
    """

    line: int
    sure: bool


def standing(text: bytes, change: FileChange) -> Standing | None:
    """Where the results of the hunks stand in ``text``; None where one of them is not there."""
    lines = split_lines(text)
    if not change.hunks or change.binary:
        return None
    reach = reach_of(len(change.hunks))
    # What was not looked at may hold another block of the same lines.
    first, end, sure = 0, 0, reach >= len(lines)
    for hunk in change.hunks:
        after = list(hunk.after)
        if not after or all(line.op == b" " for line in hunk.lines):
            return None
        home = max(hunk.new_start - 1, 0)
        at = _nearest(lines, after, min(home, len(lines)), reach)
        if at is None:
            return None
        alone = len([*islice(_matches(lines, after, at - reach, at + reach), 2)]) == 1
        sure = sure and alone and at >= end and _belongs(lines, hunk, at, home)
        first, end = first or at + 1, at + len(after)
    return Standing(first, sure)


def stands_at_home(lines: Sequence[bytes], hunk: Hunk) -> bool:
    """Whether what ``hunk`` would make stands at the line it states, before or after its neighbours."""
    after = list(hunk.after)
    homes = {max(start - 1, 0) for start in (hunk.old_start, hunk.new_start)}
    return bool(after) and any(lines[home : home + len(after)] == after for home in homes)


# What git's default driver takes for the head of a function (xdiff/xemit.c, def_ff).
_HEAD = re.compile(rb"[A-Za-z_$]")


def _belongs(lines: Sequence[bytes], hunk: Hunk, at: int, home: int) -> bool:
    if not hunk.section:
        return at == home
    for above in reversed(lines[:at]):
        if _HEAD.match(above):
            return above.startswith(hunk.section)
    return False


def _is_blob(text: bytes, named: str | None) -> bool:
    blob = hashlib.sha1(b"blob %d\0%s" % (len(text), text), usedforsecurity=False)
    return bool(named) and blob.hexdigest().startswith(named or "-")


def _has_binary(text: bytes, change: FileChange) -> bool:
    if change.forward is not None and change.forward.kind == "literal":
        return text == change.forward.data
    if change.forward is None or change.reverse is None:
        return False
    try:
        return _binary(_binary(text, change.reverse), change.forward) == text
    except ValueError:
        return False
