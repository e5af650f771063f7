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
_MARK = re.compile(rb"[][(){},]")
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
            number = _count(text, start)
            if number is not None:
                found.setdefault(name, set()).add(number)
    return {name: frozenset(numbers) for name, numbers in found.items()}


def _count(text: bytes, start: int) -> int | None:
    """Arguments from ``start`` up to the bracket that closes; None where it does not."""
    depth, commas = 1, 0
    for match in _MARK.finditer(text, start, start + _LONGEST):
        mark = match[0]
        if mark in b"([{":
            depth += 1
        elif mark == b",":
            commas += depth == 1
        else:
            depth -= 1
            if not depth:
                return commas + 1 if text[start : match.start()].strip(b" \t\n\r") else 0
    return None
