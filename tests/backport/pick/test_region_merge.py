# SPDX-License-Identifier: GPL-2.0-or-later
"""Two sides of a conflict that do not touch the same thing."""

from __future__ import annotations

from pathlib import Path

import pytest

from backport.pick.learnt_names import learnt_names
from backport.pick.outcome import Clash, Picked
from backport.pick.proposals import propose
from backport.pick.region_merge import Finer, resolve
from tests.backport.trees import new_repo, open_repo


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
        ("a\n", "x\n", "x\n", "x\n", Finer.IN_PLACE),
        # The branch's line is still that line: every line keeps its place.
        ("f(1, 2);\nb\n", "f(1, 3);\nb\n", "f(1, 2);\ny\n", "f(1, 3);\ny\n", Finer.IN_PLACE),
        ("f(1, 2);\nb\n", "f(1, 3);\nb\n", "f(1, 2);\n", "f(1, 3);\n", Finer.IN_PLACE),
        ("b\nf(1, 2);\n", "b\nf(1, 3);\n", "y\nf(1, 2);\n", "y\nf(1, 3);\n", Finer.IN_PLACE),
        # What the patch puts beside it has no place of its own.
        ("f(1, 2);\n", "f(1, 3);\n", "new;\nf(1, 2);\n", "new;\nf(1, 3);\n", Finer.LINES),
        # The branch lacks the neighbour.
        ("f(1, 2);\nb\n", "b\n", "f(1, 2);\ny\n", "y\n", Finer.LINES),
        # A carriage return inside a line ends none.
        ("a\rb\n", "x\rb\n", "a\ry\n", "x\ry\n", Finer.TOKENS),
        # Nor is any blank lost.
        ("f(a, b);\r\n", "g(a, b);\r\n", "f(a, c);\r\n", "g(a, c);\r\n", Finer.TOKENS),
        ("f(a,\fb);\v\n", "g(a,\fb);\v\n", "f(a,\fc);\v\n", "g(a,\fc);\v\n", Finer.TOKENS),
        # Only the line that both changed is taken apart.
        (
            "a\nf(1, 2);\nc\nd\n",
            "x\nf(5, 2);\nc\n",
            "a\nf(1, 6);\nc\nd\n",
            "x\nf(5, 6);\nc\n",
            Finer.TOKENS,
        ),
    ],
)
def test_changes_of_different_things(
    base: str, ours: str, theirs: str, result: str, finer: Finer
) -> None:
    assert resolve(marked(base, ours, theirs), ()) == (f"before\n{result}after\n".encode(), finer)


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        ("f(a);\n", "f(b);\n", "f(c);\n"),  # the same word
        ("f(a);\n", "", "f(c);\n"),  # one side took it away
        ("a\n", "a\nx\n", "a\ny\n"),  # two additions in one place: which is first?
        ("f(a b);\n", "f(x b);\n", "f(xx b);\n"),
        # What the branch has put beside lines that go may belong to them.
        ("a\nb\n", "x\na\nb\n", ""),
        ("a\nb\nc\n", "a\nb\nx\nc\n", "c\n"),
        # Longer than any line that a side has: a person would break it.
        ("f(one, two);\n", "f(one, two_and_more);\n", "f(one_and_more, two);\n"),
    ],
)
def test_the_same_thing_is_left_to_the_user(base: str, ours: str, theirs: str) -> None:
    assert resolve(marked(base, ours, theirs), ()) is None


def test_a_long_region_is_not_tried() -> None:
    text = "".join(f"line {n}\n" for n in range(3000))
    assert resolve(marked(text, f"x\n{text}", f"{text}y\n"), ()) is None


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


def test_words_are_taken_apart_only_where_asked() -> None:
    text = marked("f(a, b);\n", "g(a, b);\n", "f(a, c);\n")
    assert resolve(text, (), words=False) is None
    assert resolve(text, ()) is not None


def test_prose_is_not_taken_apart_by_words(tmp_path: Path) -> None:
    """Who rewords a sentence has read all of it."""
    for name, found in (("a.c", True), ("a.md", False)):
        repo = open_repo(new_repo(tmp_path / name, {name: "f(a, b);\n"}))
        objects = repo.objects
        base, ours, theirs = map(objects.write_blob, (b"f(a, b);\n", b"g(a, b);\n", b"f(a, c);\n"))
        content = marked("f(a, b);\n", "g(a, b);\n", "f(a, c);\n")
        clash = Clash(name.encode(), "", base=base, ours=ours, theirs=theirs, content=content)
        tree = repo.tree(repo.commit("HEAD"))
        assert (propose(objects, Picked(tree, (), (clash,))) is not None) == found


@pytest.mark.parametrize(
    "side",
    [
        b"<<<<<<< HEAD\n",
        b"a\n||||||| b\n",
        b"Title\n=======\n",
        b">>>>>>> x\n",
        b"=======\r\n",
        b"a",
    ],
)
def test_a_text_that_could_be_taken_for_markers_is_not_taken_apart(side: bytes) -> None:
    """Nor one whose last line does not end: the markers below it would give it an end."""
    text = marked("a\nb\n", "x\nb\n", "a\ny\n")
    assert resolve(text, (b"a\n", b"======= \n", b"  <<<<<<< \n")) is not None
    assert resolve(text, (b"a\n", side, b"b\n")) is None
