# SPDX-License-Identifier: GPL-2.0-or-later
"""A spread of what the fuzzing loop does, and what it has found."""

from __future__ import annotations

import hashlib
import itertools

import pytest

from tests.fuzz import seeds
from tests.fuzz.loop import attempt, inputs
from tests.fuzz.targets import CUT, TARGETS, Target

COUNT = {"objects": 6, "images": 0, "profiles": 8, "headers": 60}
"""Of those that are slow, or of which other tests make enough; 120 of the others."""


@pytest.mark.parametrize("name", TARGETS)
def test_a_spread(name: str) -> None:
    for data in itertools.islice(inputs(TARGETS[name], seed=7), COUNT.get(name, 120)):
        fault = attempt(TARGETS[name], data)
        assert fault is None, fault.trace


@pytest.mark.torture
@pytest.mark.parametrize("name", TARGETS)
def test_more_of_it(name: str) -> None:
    count = 20 * COUNT.get(name, 120) or 12
    for data in itertools.islice(inputs(TARGETS[name], seed=11), count):
        fault = attempt(TARGETS[name], data)
        assert fault is None, fault.trace


def test_a_fault_is_seen() -> None:
    """The loop itself: what is not a documented error is a fault, and so is too much time."""

    def broken(data: bytes) -> None:
        if b"x" in data:
            raise ValueError(data)

    target = Target(broken, lambda: (b"", b"axb"))
    assert attempt(target, b"") is None
    fault = attempt(target, b"axb")
    assert fault is not None
    assert fault.where.startswith("ValueError at ")
    slow = Target(lambda data: None, lambda: (b"",), seconds=-1.0)
    fault = attempt(slow, b"")
    assert fault is not None
    assert fault.where.startswith("TooLong at ")


FOUND = {
    "an author with a bracket": (
        "quilt",
        CUT.join((b"one.patch\n", b"Author: A <s more <>\n\n" + seeds.DIFF)),
    ),
    "deep JSON as a journal": ("journal", b"[" * 100_000),
    "a list for settings": (
        "journal",
        seeds.journal()[0].replace(b'"settings": {', b'"settings": [], "x": {'),
    ),
    "deep JSON as a recording": ("recordings", b'{"format":' + b"[" * 100_000),
    "a list for outputs": ("recordings", seeds.recordings()[0].replace(b'{"a.o":[1,2,3]}', b"[]")),
    "another answer than was kept": ("cache", b"{}"),
    "no JSON behind its own seal": ("cache", hashlib.sha256(b"{").hexdigest().encode() + b"\n{"),
    "no text behind its own seal": (
        "cache",
        hashlib.sha256(b"\x9b").hexdigest().encode() + b"\n\x9b",
    ),
    "a number among paths": (
        "recordings",
        seeds.recordings()[0].replace(b'"paths":["', b'"paths":[1.5,"'),
    ),
    "a zero byte in a path": ("logs", seeds.logs()[0] + b"R 3 3\na\0c\n"),
    "a record of no kind": ("logs", seeds.logs()[0] + b" 3 3\na\0c\n"),
    "a process below the first": ("logs", b"Q -1 1\n0\n" + seeds.logs()[0]),
}


@pytest.mark.parametrize(("name", "data"), FOUND.values(), ids=FOUND)
def test_what_was_found(name: str, data: bytes) -> None:
    fault = attempt(TARGETS[name], data)
    assert fault is None, fault.trace
