# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run puts on: a patch of the series as it was given, or a commit taken from upstream."""

from __future__ import annotations

import re

from msgspec import Struct

from series.model import Oid


class Posted(Struct, frozen=True):
    """Patch ``position`` (from 0) of the series as it was given."""

    position: int

    def __str__(self) -> str:
        """As journals and JSON have it."""
        return f"p{self.position}"


class Taken(Struct, frozen=True):
    """A prerequisite that is picked from upstream."""

    commit: Oid

    def __str__(self) -> str:
        """As journals and JSON have it."""
        return f"c{self.commit}"


Item = Posted | Taken

_WRITTEN = re.compile(r"p(\d+)|c([0-9a-f]{40})")


def parse_item(text: str) -> Item:
    """An item as ``str`` writes it.  Raises `ValueError`."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} names no patch and no commit")
    return Posted(int(match[1])) if match[1] else Taken(Oid(match[2]))
