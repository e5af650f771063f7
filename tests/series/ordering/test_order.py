# SPDX-License-Identifier: GPL-2.0-or-later
"""Orders recovered from each kind of evidence, and what is said when the evidence is bad."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from series.model import FileChange, Numbering, Patch, Series, When
from series.ordering.recovery import Ordering, recover_order
from series.placement.hunks import apply_change
from tests.series.strategies import DictBase, as_patches, change, histories, patch

Tree = dict[bytes, bytes]


def recover(patches: Sequence[Patch], base: Tree) -> Ordering:
    return recover_order(Series(tuple(patches), "test"), DictBase(base))


def run(patches: Sequence[Patch], base: Tree) -> Tree:
    """Apply all in the order given, each hunk where it says."""
    tree = dict(base)
    for one in patches:
        for item in one.changes:
            placed = apply_change(tree[item.old_path] if item.old_path else b"", item)
            if item.old_path and item.kind in ("rename", "delete"):
                del tree[item.old_path]
            if item.new_path:
                tree[item.new_path] = placed.text
    return tree


@settings(max_examples=80, deadline=None)
@given(history=histories(), seed=st.integers(0, 99), blobs=st.booleans())
def test_any_shuffle_gives_the_same_tree(
    history: tuple[Tree, Sequence[Tree]], seed: int, blobs: bool
) -> None:
    base, trees = history
    patches = as_patches(base, trees, blobs)
    random.Random(seed).shuffle(patches)
    found = recover(patches, base)
    assert sorted(found.order) == list(range(len(patches)))
    assert not found.missing
    assert run([patches[index] for index in found.order], base) == trees[-1]


@settings(max_examples=30, deadline=None)
@given(history=histories(), seed=st.integers(0, 99))
def test_order_does_not_depend_on_the_input(
    history: tuple[Tree, Sequence[Tree]], seed: int
) -> None:
    base, trees = history
    patches = as_patches(base, trees)
    other = list(patches)
    random.Random(seed).shuffle(other)
    one = [patches[index].name for index in recover(patches, base).order]
    two = [other[index].name for index in recover(other, base).order]
    assert one == two


def numbered(patches: Sequence[Patch], numbers: Sequence[int]) -> list[Patch]:
    return [
        replace(one, numbering=Numbering(number, len(patches)))
        for one, number in zip(patches, numbers, strict=True)
    ]


LINES = b"".join(b"%d\n" % number for number in range(1, 61))


def line(text: bytes, number: int, new: bytes) -> bytes:
    return text.replace(b"\n%d\n" % number, b"\n%d\n%s\n" % (number, new))


def three(blobs: bool = True) -> tuple[list[Patch], Tree]:
    """One after the other at distant places of one file."""
    trees = [LINES]
    for number in (10, 30, 50):
        trees.append(line(trees[-1], number, b"new%d" % number))
    patches = as_patches({b"f": LINES}, [{b"f": text} for text in trees[1:]], blobs)
    return patches, {b"f": LINES}


@pytest.mark.parametrize("blobs", [True, False])
def test_numbering_is_kept_where_it_holds(blobs: bool) -> None:
    patches, base = three(blobs)
    told = numbered(patches, [1, 2, 3])
    found = recover([told[2], told[0], told[1]], base)
    assert found.order == (1, 2, 0)
    assert not found.contradictions
    assert "posted as 3 of 3" in found.reasons[0]


def test_numbering_orders_what_text_leaves_open() -> None:
    files = {b"f%d" % number: LINES for number in range(4)}
    patches = [patch(f"p{n}", change(b"f%d" % n, LINES, LINES + b"x\n")) for n in range(4)]
    told = numbered(patches, [3, 1, 4, 2])
    assert recover(told, files).order == (1, 3, 0, 2)


def test_wrong_numbering_is_contradicted_by_blobs() -> None:
    patches, base = three()
    found = recover(numbered(patches, [3, 2, 1]), base)
    assert found.order == (0, 1, 2)
    assert any("numbering puts" in text for text in found.contradictions)


def test_gaps_in_the_numbering_are_named() -> None:
    patches, base = three()
    told = [
        replace(one, numbering=Numbering(n, 5)) for one, n in zip(patches, (1, 2, 4), strict=True)
    ]
    assert any("3, 5 are not here" in note for note in recover(told, base).notes)


def test_a_missing_prerequisite_is_named() -> None:
    trees = [LINES, LINES.replace(b"30\n", b"a\nb\nc\n")]
    trees.append(trees[1].replace(b"b\n", b"B\n"))
    patches = as_patches({b"f": LINES}, [{b"f": text} for text in trees[1:]], blobs=True)
    other = patch("other", change(b"g", None, b"x\n"))
    found = recover([patches[1], other], {b"f": LINES})
    assert sorted(found.order) == [0, 1]
    assert [one.patch for one in found.missing] == [0]
    assert "made for version" in found.missing[0].text


@pytest.mark.parametrize("blobs", [True, False])
def test_an_applied_patch_is_recognised(blobs: bool) -> None:
    patches, base = three(blobs)
    found = recover(patches, {b"f": run(patches[:1], base)[b"f"]})
    assert found.applied == (0,)
    assert not found.missing
    rest = [index for index in found.order if index not in found.applied]
    assert rest == [1, 2]


def test_a_base_with_more_lines_above() -> None:
    patches, _ = three(blobs=False)
    drifted = {b"f": b"more\n" * 7 + LINES}
    shuffled = [patches[2], patches[0], patches[1]]
    found = recover(shuffled, drifted)
    assert found.order == (1, 2, 0)
    assert not found.missing


def test_a_file_that_comes_back_to_an_earlier_content() -> None:
    texts = [LINES, line(LINES, 10, b"x"), LINES, line(LINES, 20, b"y")]
    patches = as_patches({b"f": LINES}, [{b"f": text} for text in texts[1:]], blobs=True)
    told = [replace(one, date=When(100 + n, 0)) for n, one in enumerate(patches)]
    found = recover([told[1], told[2], told[0]], {b"f": LINES})
    assert found.order == (2, 0, 1)
    assert not found.applied


def test_life_of_a_file() -> None:
    rename = FileChange("rename", b"a.c", b"b.c", similarity=100)
    patches = [
        patch("delete", change(b"b.c", line(LINES, 10, b"x"), None)),
        patch("edit new name", change(b"b.c", LINES, line(LINES, 10, b"x"))),
        patch("rename", rename),
        patch("make", change(b"a.c", None, LINES)),
    ]
    assert recover(patches, {}).order == (3, 2, 1, 0)


def test_names_order_what_text_leaves_open() -> None:
    base = {b"m.c": b"int main(void)\n{\n}\n", b"h.h": b"/* */\n"}
    patches = [
        patch("a uses", change(b"m.c", base[b"m.c"], b"int main(void)\n{\n    shiny();\n}\n")),
        patch("b makes", change(b"h.h", base[b"h.h"], base[b"h.h"] + b"void shiny(void);\n")),
    ]
    found = recover(patches, base)
    assert found.order == (1, 0)
    assert "uses the function shiny (m.c:3) that b makes introduces [symbol]" in found.reasons[0]


def test_text_outweighs_names() -> None:
    """A series that uses a name too early stays in the order its text proves, and says so."""
    start = b"int main(void)\n{\n}\n"
    used = b"int main(void)\n{\n    shiny();\n}\n"
    both = b"void shiny(void);\nint main(void)\n{\n    shiny();\n}\n"
    patches = as_patches({b"m.c": start}, [{b"m.c": used}, {b"m.c": both}], blobs=True)
    found = recover(patches, {b"m.c": start})
    assert found.order == (0, 1)
    assert any("shiny" in text for text in found.contradictions)


def test_depends_on() -> None:
    from series.reading.trailers import parse_trailers

    files = {b"f%d" % n: LINES for n in range(2)}
    message = b"first\n\nDepends-on: second\n"
    patches = [
        replace(
            patch("p0", change(b"f0", LINES, LINES + b"x\n"), message=message),
            trailers=parse_trailers(message),
            date=When(1, 0),
        ),
        replace(
            patch("p1", change(b"f1", LINES, LINES + b"x\n"), message=b"second\n"), date=When(2, 0)
        ),
    ]
    assert recover(patches, files).order == (1, 0)


def test_threading() -> None:
    files = {b"f%d" % n: LINES for n in range(3)}
    patches = [
        replace(
            patch(f"p{n}", change(b"f%d" % n, LINES, LINES + b"x\n")),
            message_id=f"<{n}@x>",
            in_reply_to=(f"<{n + 1}@x>",) if n < 2 else (),
            date=When(n, 0),
        )
        for n in range(3)
    ]
    assert recover(patches, files).order == (2, 1, 0)


def test_send_email_message_ids() -> None:
    files = {b"f%d" % n: LINES for n in range(3)}
    patches = [
        replace(
            patch(f"p{n}", change(b"f%d" % n, LINES, LINES + b"x\n")),
            message_id=f"<20180111174800.4711-{12 - n}-a@x>",
        )
        for n in range(3)
    ]
    assert recover(patches, files).order == (2, 1, 0)


def test_an_ordered_source_is_believed() -> None:
    patches, base = three()
    series = Series((patches[1], patches[0]), "quilt", ordered=True)
    assert recover_order(series, DictBase(base)).order == (0, 1)


def test_many_patches_that_fit_nowhere_stay_cheap() -> None:
    patches = [
        patch(
            f"p{n}",
            change(b"f", LINES.replace(b"30", b"x%d" % n), LINES.replace(b"30", b"y%d" % n)),
        )
        for n in range(60)
    ]
    found = recover(patches, {b"f": LINES})
    assert len(found.missing) == 60
    assert len(found.order) == 60


def test_what_builds_on_a_lost_patch_is_lost_too() -> None:
    """The first patch misfits in f; so its new file g is not there for the second."""
    patches = [
        patch("a", change(b"f", b"other\n", b"text\n"), change(b"g", None, LINES)),
        patch("b", change(b"g", LINES, LINES + b"x\n")),
        patch("c", change(b"h", None, b"x\n")),
    ]
    found = recover(patches, {b"f": LINES})
    assert [one.patch for one in found.missing] == [0, 1]
    assert "it builds on a, which cannot be placed" in found.missing[1].text


def test_applied_patches_whose_file_goes_on_changing() -> None:
    patches, base = three()
    found = recover(patches[::-1], {b"f": run(patches[:2], base)[b"f"]})
    assert found.applied == (1, 2)
    assert found.order == (2, 1, 0)


def test_dates_do_not_outweigh_the_base() -> None:
    """A file that is made and deleted: the base has none, though the deletion was written first."""
    patches = as_patches({}, [{b"f": LINES}, {}], blobs=True)
    dated = [replace(one, date=When(9 - n, 0)) for n, one in enumerate(patches)]
    assert recover(dated, {}).order == (0, 1)


@pytest.mark.parametrize("misled", [False, True], ids=["dates fit", "a date is wrong"])
def test_a_base_that_has_the_first_of_a_circle(misled: bool) -> None:
    """A file is made and later deleted; the base has what the first makes, as a branch that took it.

    The dates put the patch before the deletion, unless elsewhere they are proven wrong.
    """
    one, two = LINES, LINES.replace(b"3", b"three")
    states = [{b"f": LINES, b"g": one}, {b"f": LINES, b"g": two}, {b"g": two}]
    patches = as_patches({b"g": one}, states, blobs=True)
    more = as_patches({b"g": two}, [{b"g": two + b"more\n"}], blobs=True)
    moments = [0, 2 if misled else 1, 3, 1 if misled else 2]
    dated = [
        replace(patch, date=When(at, 0))
        for patch, at in zip((*patches, *more), moments, strict=True)
    ]
    found = recover(dated, {b"f": LINES, b"g": one})
    first = found.order.index(0) < found.order.index(2)
    assert first is not misled
