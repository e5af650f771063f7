# SPDX-License-Identifier: GPL-2.0-or-later
"""Two sides of a conflict that do not touch the same thing."""

from __future__ import annotations

import pytest

from backport.pick.learnt_names import learnt_names
from backport.pick.region_merge import Finer, resolve


def marked(base: str, ours: str, theirs: str) -> bytes:
    return (
        f"before\n<<<<<<< ours\n{ours}||||||| base\n{base}=======\n{theirs}>>>>>>> theirs\nafter\n"
    ).encode()


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "result", "finer"),
    [
        ("a\nb\n", "x\nb\n", "a\ny\n", "x\ny\n", Finer.LINES),
        ("a\nb\nc\n", "a\nc\n", "a\nb\nz\n", "a\nz\n", Finer.LINES),
        ("f(a, b);\n", "g(a, b);\n", "f(a, c);\n", "g(a, c);\n", Finer.TOKENS),
        ("a\n", "x\n", "x\n", "x\n", Finer.LINES),
    ],
)
def test_changes_of_different_things(
    base: str, ours: str, theirs: str, result: str, finer: Finer
) -> None:
    assert resolve(marked(base, ours, theirs)) == (f"before\n{result}after\n".encode(), finer)


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        ("f(a);\n", "f(b);\n", "f(c);\n"),  # the same word
        ("f(a);\n", "", "f(c);\n"),  # one side took it away
        ("a\n", "a\nx\n", "a\ny\n"),  # two additions in one place: which is first?
        ("f(a b);\n", "f(x b);\n", "f(a y z);\n"[:0] or "f(xx b);\n"),
    ],
)
def test_the_same_thing_is_left_to_the_user(base: str, ours: str, theirs: str) -> None:
    assert resolve(marked(base, ours, theirs)) is None


def test_a_long_region_is_not_tried() -> None:
    text = "".join(f"line {n}\n" for n in range(3000))
    assert resolve(marked(text, f"x\n{text}", f"{text}y\n")) is None


def test_a_name_is_learnt_where_nothing_speaks_against_it() -> None:
    base = b"old(1);\nold(2);\nkeep(3);\n"
    patched = b"old(1);\nold(2 + 1);\nkeep(3);\n"

    def learnt(ours: bytes, theirs: bytes = patched) -> dict[bytes, bytes]:
        return learnt_names(base, ours, theirs)

    assert learnt(b"new(1);\nnew(2);\nkeep(3);\n") == {b"old": b"new"}
    assert learnt(b"new(1);\nother(2);\nkeep(3);\n") == {}  # two names for one
    assert learnt(b"new(1);\nold(2);\nkeep(3);\n") == {}  # the old one is still there
    assert learnt(b"keep(1);\nkeep(2);\nkeep(3);\n") == {}  # it had a meaning before


def test_what_the_branch_did_to_the_patched_line_is_no_rename() -> None:
    """It would be lost: base and patch brought to the branch's word, the patch's side wins."""
    base, theirs = b"a\nfive\nc\n", b"a\nFIVE\nc\n"
    assert learnt_names(base, b"a\nours\nc\n", theirs) == {}
