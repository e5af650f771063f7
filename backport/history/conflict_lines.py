# SPDX-License-Identifier: GPL-2.0-or-later
"""The lines over which a patch and a branch do not agree, as what to look for in upstream's history.

What the file lacks that the patch expects was written by a commit which the branch does not have; what
stands in the file where the patch works, and did not where it was made, was taken away by one.  Lines that
are nowhere else in the other version are the surest.  Where no commit is found by these, the lines of the
places themselves are looked for, however common they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from backport.gateway.objects import Objects
from backport.gateway.text_diff import line_edits
from backport.pick.outcome import Clash
from series.lines import split_lines
from series.model import FileChange, Oid

_TELLING = 3
"""Letters of a line that says something: a bracket or an empty line does not."""
_NEAR = 1
"""Lines between a hunk and an edit of the branch that still clash."""


class Wanted(Struct, frozen=True):
    """``missing`` lines are expected by the patch; ``extra`` ones stand where it works."""

    missing: tuple[bytes, ...]
    extra: tuple[bytes, ...] = ()


def wanted_lines(objects: Objects, clash: Clash, change: FileChange | None) -> Iterator[Wanted]:
    """What to look for, the surest first."""
    if clash.base is None or clash.ours is None or change is None or not clash.content:
        yield Wanted(clash.missing)
        return
    missing, extra = _apart(objects, clash.base, clash.ours, change)
    base, ours = objects.blob(clash.base), objects.blob(clash.ours)
    yield Wanted(
        tuple(dict.fromkeys((*clash.missing, *_nowhere(missing, ours)))), _nowhere(extra, base)
    )
    yield Wanted(_telling(missing), _telling(extra))


def _apart(
    objects: Objects, base: Oid, ours: Oid, change: FileChange
) -> tuple[list[bytes], list[bytes]]:
    """The lines of ``base`` and of ``ours`` in which these differ at the hunks of ``change``."""
    old = objects.blob(base)
    lines = split_lines(old)
    places = []
    for hunk in change.hunks:
        first = hunk.old_start - (1 if hunk.old_count else 0)
        places.append((first - _NEAR, first + hunk.old_count + _NEAR))
    missing: list[bytes] = []
    extra: list[bytes] = []
    for edit in line_edits(old, objects.blob(ours)):
        if any(first <= edit.start + edit.count and edit.start <= end for first, end in places):
            missing += lines[edit.start : edit.start + edit.count]
            extra += edit.lines
    return missing, extra


def _nowhere(lines: Iterable[bytes], text: bytes) -> tuple[bytes, ...]:
    have = {line.rstrip(b"\r") for line in text.split(b"\n")}
    return tuple(line for line in _telling(lines) if line not in have)


def _telling(lines: Iterable[bytes]) -> tuple[bytes, ...]:
    ends = (line.rstrip(b"\r\n") for line in lines)
    return tuple(dict.fromkeys(line for line in ends if len(line.strip()) >= _TELLING))
