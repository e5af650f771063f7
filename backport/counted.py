# SPDX-License-Identifier: GPL-2.0-or-later
"""``1 patch``, ``2 patches``: a count with its noun."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """The number and the noun; of ``step with a note`` it is the first word that changes."""
    first, space, rest = noun.partition(" ")
    return f"{count} {first if count == 1 else _plural(first)}{space}{rest}"


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("ch", "sh", "s", "x")) else f"{noun}s"
