# SPDX-License-Identifier: GPL-2.0-or-later
"""A small mutation loop: for machines without atheris, and for the spread in the normal suite.

It is blind (no coverage), but knows lines and the words of each format; the same seed gives the same inputs.
"""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.fuzz.targets import Target

_LARGEST = 1 << 20
_EXTREMES = (b"0", b"-1", b"1", b"99999999999999999999", b"4294967296", b"2147483648")


@dataclass(frozen=True, slots=True)
class Fault:
    """An input and what it did; ``where`` is the same for the same fault."""

    data: bytes
    where: str
    trace: str


class TooLong(Exception):
    """One input took more computing time than any may."""


def attempt(target: Target, data: bytes) -> Fault | None:
    """Run one input."""
    begun = time.process_time()
    try:
        target.run(data)
        spent = time.process_time() - begun
        if spent > target.seconds:
            raise TooLong(f"{spent:.1f} s for {len(data)} bytes")
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        where = f"{type(error).__name__} at {frames[-1].filename}:{frames[-1].lineno}"
        return Fault(data, where, traceback.format_exc(limit=-12))
    return None


def inputs(target: Target, seed: int) -> Iterator[bytes]:
    """The corpus, then mutations of it without end."""
    corpus = list(target.corpus())
    yield from corpus
    dice = random.Random(seed)
    while True:
        data = dice.choice(corpus)
        for _ in range(dice.choice((1, 1, 2, 3, 5, 9, 17))):
            data = dice.choice(_WAYS)(dice, data, corpus, target.words)[:_LARGEST]
        yield data


_Way = Callable[[random.Random, bytes, Sequence[bytes], Sequence[bytes]], bytes]


def _bytes(dice: random.Random, data: bytes, _: Sequence[bytes], __: Sequence[bytes]) -> bytes:
    if not data:
        return bytes((dice.randrange(256),))
    at = dice.randrange(len(data))
    changed = bytes((dice.choice((dice.randrange(256), data[at] ^ 1 << dice.randrange(8))),))
    return data[:at] + changed + data[at + 1 :]


def _word(dice: random.Random, data: bytes, _: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """A word of the format, put in or over what is there."""
    word, at = dice.choice(words or _EXTREMES), dice.randrange(len(data) + 1)
    return data[:at] + word + data[at + dice.choice((0, len(word))) :]


def _cut(dice: random.Random, data: bytes, _: Sequence[bytes], __: Sequence[bytes]) -> bytes:
    start, end = _range(dice, len(data))
    return data[:start] + data[end:]


def _again(dice: random.Random, data: bytes, _: Sequence[bytes], __: Sequence[bytes]) -> bytes:
    start, end = _range(dice, len(data))
    times = dice.choice((1, 2, 40, 400)) if end - start < 200 else 1
    return data[:end] + data[start:end] * times + data[end:]


def _splice(dice: random.Random, data: bytes, corpus: Sequence[bytes], _: Sequence[bytes]) -> bytes:
    other = dice.choice(corpus)
    start, end = _range(dice, len(other))
    at = dice.randrange(len(data) + 1)
    return data[:at] + other[start:end] + data[at:]


def _lines(dice: random.Random, data: bytes, _: Sequence[bytes], __: Sequence[bytes]) -> bytes:
    """A line moves, goes, or comes twice."""
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    line = lines.pop(dice.randrange(len(lines)))
    for _time in range(dice.randrange(3)):
        lines.insert(dice.randrange(len(lines) + 1), line)
    return b"".join(lines)


def _number(dice: random.Random, data: bytes, _: Sequence[bytes], __: Sequence[bytes]) -> bytes:
    """Digits become another number."""
    places = [at for at, byte in enumerate(data[:50_000]) if 0x30 <= byte <= 0x39]
    if not places:
        return data
    start = end = dice.choice(places)
    while end < len(data) and 0x30 <= data[end] <= 0x39:
        end += 1
    return data[:start] + dice.choice(_EXTREMES) + data[end:]


_WAYS: Sequence[_Way] = (
    _bytes,
    _bytes,
    _word,
    _word,
    _cut,
    _again,
    _splice,
    _lines,
    _lines,
    _number,
)


def _range(dice: random.Random, length: int) -> tuple[int, int]:
    start = dice.randrange(length + 1)
    return start, min(length, start + int(dice.expovariate(1 / 30)) + 1)
