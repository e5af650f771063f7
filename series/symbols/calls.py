# SPDX-License-Identifier: GPL-2.0-or-later
"""How many arguments calls have, and members reached through others, in C that is not parsed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from series.symbols.words import places

_CALLED = re.compile(rb"\b([A-Za-z_]\w{2,})\s*\(")
_OPENS = re.compile(rb"\s*\(")
_NO_CALLS = frozenset(
    b"if while for switch return sizeof defined typeof do else case and not the".split()
)
_LONGEST = 2000
"""Bytes that a call may take."""
_CHAIN = re.compile(rb"(?:\.|->)([A-Za-z_]\w*)(?=(?:\.|->)([A-Za-z_]\w*))")


def called(text: bytes) -> dict[bytes, frozenset[int]]:
    """The names that are followed by a bracket, each with the numbers of arguments it is given."""
    return _counted(text, ((match[1], match.end()) for match in _CALLED.finditer(text)))


def arguments(text: bytes, names: Iterable[bytes]) -> dict[bytes, frozenset[int]]:
    """The same for ``names`` alone, in a text of any length."""
    behind = (
        (name, match.end())
        for name in names
        for at in places(text, name)
        if (match := _OPENS.match(text, at + len(name))) is not None
    )
    return _counted(text, behind)


def members(text: bytes) -> frozenset[tuple[bytes, bytes]]:
    """``arch`` and ``pv`` of ``d->arch.pv.x``, ``pv`` and ``x``: a member, and the one reached through it."""
    return frozenset((match[1], match[2]) for match in _CHAIN.finditer(text))


def _counted(text: bytes, calls: Iterator[tuple[bytes, int]]) -> dict[bytes, frozenset[int]]:
    """``calls`` are names, each with the place behind the bracket that follows it."""
    found: dict[bytes, set[int]] = {}
    for name, start in calls:
        if name not in _NO_CALLS:
            number = _count(text[start : start + _LONGEST])
            if number is not None:
                found.setdefault(name, set()).add(number)
    return {name: frozenset(numbers) for name, numbers in found.items()}


def _count(text: bytes) -> int | None:
    """Arguments up to the bracket that closes; None where it does not."""
    depth, commas, empty = 1, 0, True
    for letter in text:
        if letter in b"([{":
            depth += 1
        elif letter in b")]}":
            depth -= 1
            if not depth:
                return 0 if empty else commas + 1
        elif letter == ord(",") and depth == 1:
            commas += 1
        if letter not in b" \t\n\r":
            empty = False
    return None
