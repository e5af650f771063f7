# SPDX-License-Identifier: GPL-2.0-or-later
"""Many identifiers as one regular expression in which they share their beginnings.

A matcher that tries one name after the other takes time by their number at every word of a tree; here it
follows the letters that it meets.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

_DEEPEST = 100
"""Groups in groups; PCRE takes 250."""


def any_of(names: Sequence[str]) -> str:
    """A Perl-compatible group that matches any of ``names``: distinct identifiers, at least one."""
    return _group(sorted(names), _DEEPEST)


def _group(names: list[str], deeper: int) -> str:
    # Sorted, names that begin alike stand together, and a name before those that it begins.
    parts = []
    for _, alike in groupby((name for name in names if name), key=lambda name: name[0]):
        some = list(alike)
        if not deeper:
            parts += some[::-1]
            continue
        size = _common(some[0], some[-1])
        rest = [name[size:] for name in some]
        parts.append(some[0][:size] + (_group(rest, deeper - 1) if len(rest) > 1 else ""))
    return f"(?:{'|'.join(parts)})" + ("?" if "" in names else "")


def _common(one: str, other: str) -> int:
    """How many letters two names begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
