# SPDX-License-Identifier: GPL-2.0-or-later
"""The dependency graph: its orders apply, and its evidence says why."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Sequence
from itertools import pairwise
from subprocess import run as run_process

import networkx
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from series.graph.dependencies import (
    add_dependencies,
    build_graph,
    closure,
    dependents,
    needs,
    reduced,
)
from series.graph.edges import dependencies_of, new_graph, order_of
from series.graph.evidence import Declared, FileLife, SymbolUse, TextAdjacent, TextTouch
from series.graph.line_history import TreeHistory
from series.model import FileChange, Patch
from series.reading.trailers import parse_trailers
from tests.series.ordering.test_order import LINES, Tree, line, recover, run
from tests.series.strategies import DictBase, as_patches, change, histories, patch


def linear(graph: networkx.DiGraph[int], rank: Sequence[int]) -> tuple[int, ...]:
    """The order the graph allows that is nearest to ``rank``."""
    return tuple(networkx.lexicographical_topological_sort(graph, key=rank.__getitem__))


@settings(max_examples=80, deadline=None)
@given(history=histories(files=1, steps=6), seed=st.integers(0, 99))
def test_every_order_of_the_graph_applies(history: tuple[Tree, Sequence[Tree]], seed: int) -> None:
    """With the reach of a patch's context, any order gives the same tree through the applier."""
    base, trees = history
    patches = as_patches(base, trees)
    graph = build_graph(patches, DictBase(base), reach=3)
    wish = list(range(len(patches)))
    random.Random(seed).shuffle(wish)
    order = linear(graph, wish)
    assert run([patches[index] for index in order], base) == trees[-1]


@given(history=histories(), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_order_it_came_from_is_kept(history: tuple[Tree, Sequence[Tree]], seed: int) -> None:
    base, trees = history
    patches = as_patches(base, trees)
    graph = build_graph(patches, DictBase(base))
    assert linear(graph, range(len(patches))) == tuple(range(len(patches)))


def edges(patches: Sequence[Patch], base: Tree, reach: int = 1) -> dict[tuple[int, int], set[type]]:
    graph = build_graph(patches, DictBase(base), reach=reach)
    return {
        (a, b): {type(one) for one in data["evidence"]} for a, b, data in graph.edges(data=True)
    }


def steps(*texts: bytes) -> list[Patch]:
    return as_patches({b"f": texts[0]}, [{b"f": text} for text in texts[1:]])


def test_a_context_that_begins_the_file_needs_what_was_removed_before_it() -> None:
    shorter = LINES.split(b"\n", 1)[1]
    inserted = line(shorter, 3, b"new")
    assert TextAdjacent in edges(steps(LINES, shorter, inserted), {b"f": LINES}, reach=3)[0, 1]
    assert not edges(steps(LINES, shorter, inserted), {b"f": LINES}, reach=1)


def test_touch_and_neighbours_and_distance() -> None:
    one = line(LINES, 10, b"x")
    touch = one.replace(b"x\n", b"y\n")
    beside = line(touch, 9, b"z")
    near = line(beside, 12, b"w")
    far = line(near, 40, b"v")
    found = edges(steps(LINES, one, touch, beside, near, far), {b"f": LINES})
    assert TextTouch in found[0, 1]
    assert TextAdjacent in found.get((1, 2), set()) or (1, 2) not in found
    assert not [pair for pair in found if pair[1] == 4]
    assert not [pair for pair in found if pair[1] == 3]
    assert [
        pair
        for pair in edges(steps(LINES, one, touch, beside, near), {b"f": LINES}, 3)
        if pair[1] == 3
    ]


def test_six_lines_of_context_in_one_hunk_hold_together() -> None:
    """Two removals six lines apart are one hunk: what goes between them, three lines from each, is later."""
    cut = LINES.replace(b"\n10\n", b"\n").replace(b"\n17\n", b"\n")
    between = cut.replace(b"\n13\n", b"\n13\nnew\n")
    assert len(steps(LINES, cut)[0].changes[0].hunks) == 1
    assert (0, 1) in edges(steps(LINES, cut, between), {b"f": LINES}, reach=3)
    aside = cut.replace(b"\n20\n", b"\n20\nnew\n")
    assert not edges(steps(LINES, cut, aside), {b"f": LINES}, reach=3)


def test_removed_lines_are_remembered() -> None:
    cut = LINES.replace(b"20\n", b"")
    filled = cut.replace(b"19\n21\n", b"19\nnew\n21\n")
    found = edges(steps(LINES, cut, filled), {b"f": LINES})
    assert found == {(0, 1): {TextAdjacent}}


def test_file_life() -> None:
    rename = FileChange("rename", b"a", b"b", similarity=100)
    mode = FileChange("modify", b"b", b"b", old_mode=0o100644, new_mode=0o100755)
    copy = FileChange("copy", b"b", b"c", similarity=100)
    patches = [
        patch("make", change(b"a", None, LINES)),
        patch("edit", change(b"a", LINES, line(LINES, 10, b"x"))),
        patch("rename", rename),
        patch("mode", mode),
        patch("copy", copy),
        patch("edit later", change(b"b", line(LINES, 10, b"x"), line(LINES, 10, b"x") + b"end\n")),
        patch("delete copy", change(b"c", line(LINES, 10, b"x"), None)),
        patch("make again", change(b"c", None, b"new\n")),
    ]
    found = edges(patches, {})
    for pair in ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (4, 6), (6, 7)):
        assert FileLife in found[pair], pair


def test_evidence_explains_itself() -> None:
    for one, words in (
        (TextTouch(b"f", (3, 3)), "line 3"),
        (TextAdjacent(b"f", (3, 5)), "lines 3-5"),
        (FileLife(b"f", "creates it"), "it creates it: f"),
        (
            SymbolUse("macro", b"M", (b"h", 1), (b"c", 2)),
            "macro M (c:2), which it introduces (h:1)",
        ),
        (SymbolUse("macro", b"M", (b"h", 1), (b"c", 2), True), "which it changes (h:1)"),
        (Declared("Fixes", b"x"), "says 'Fixes: x'"),
    ):
        assert words in one.explain()
        assert json.loads(json.dumps(one.to_json()))["kind"]


def test_premature_use_is_reported_not_an_error() -> None:
    base = {b"m.c": b"int main(void)\n{\n}\n", b"h.h": b"/* */\n"}
    patches = [
        patch("uses", change(b"m.c", base[b"m.c"], b"int main(void)\n{\n    shiny();\n}\n")),
        patch("makes", change(b"h.h", base[b"h.h"], base[b"h.h"] + b"void shiny(void);\n")),
    ]
    graph = new_graph(patches)
    (early,) = add_dependencies(graph, range(2), DictBase(base))
    assert not graph.edges
    assert (early.user, early.maker) == (0, 1)
    assert "shiny" in early.evidence.explain()
    assert build_graph(patches[::-1], DictBase(base)).edges[0, 1]["evidence"]


def test_declared() -> None:
    message = b'two\n\nFixes: 0123456789ab ("one")\n'
    patches = [
        patch("p", change(b"f", LINES, LINES + b"x\n"), message=b"one\n"),
        replace(
            patch("q", change(b"g", LINES, LINES + b"x\n"), message=message),
            trailers=parse_trailers(message),
        ),
    ]
    assert edges(patches, {b"f": LINES, b"g": LINES}) == {(0, 1): {Declared}}


def test_closure_and_dependents() -> None:
    one = line(LINES, 10, b"x")
    two = one.replace(b"x\n", b"y\n")
    three = line(two, 50, b"z")
    graph = build_graph(steps(LINES, one, two, three), DictBase({b"f": LINES}))
    assert closure(graph, [1]) == {0, 1}
    assert dependents(graph, [0]) == {0, 1}
    assert closure(graph, [2]) == {2}


def test_reduced_keeps_what_no_longer_way_implies() -> None:
    one = line(LINES, 10, b"p\nq")
    two = one.replace(b"p\n", b"P\n")
    three = two.replace(b"P\nq\n", b"PP\nQ\n")
    graph = build_graph(steps(LINES, one, two, three), DictBase({b"f": LINES}))
    assert set(graph.edges) == {(0, 1), (0, 2), (1, 2)}
    less = reduced(graph)
    assert set(less.edges) == {(0, 1), (1, 2)}
    assert less.edges[0, 1]["evidence"] == graph.edges[0, 1]["evidence"]
    assert less.nodes[0]["patch"] is graph.nodes[0]["patch"]


def test_dependencies_go_onto_the_graph_that_gave_the_order() -> None:
    one = line(LINES, 10, b"x")
    patches = as_patches(
        {b"f": LINES},
        [{b"f": one}, {b"f": one.replace(b"x\n", b"y\n")}],
        blobs=True,
    )
    found = recover([patches[1], patches[0]], {b"f": LINES})
    graph = found.graph
    assert graph is not None
    add_dependencies(graph, found.order, DictBase({b"f": LINES}))
    assert [one.kind for one in order_of(graph, 1, 0)] == ["blob"]
    assert [type(one) for one in dependencies_of(graph, 1, 0)] == [TextTouch]
    alone = needs(graph, found.order)
    assert tuple(alone.nodes) == (1, 0)
    assert [type(one) for one in alone.edges[1, 0]["evidence"]] == [TextTouch]


def test_an_ordered_series_needs_no_networkx() -> None:
    code = (
        "import sys, series.reading.mail, series.reading.quilt, series.ordering.recovery;"
        "from series.model import Series;"
        "series.ordering.recovery.recover_order(Series((), 'x', ordered=True), None);"
        "sys.exit(bool({'networkx', 'unidiff'} & set(sys.modules)))"
    )
    assert run_process([sys.executable, "-c", code], check=False).returncode == 0


def test_what_goes_before_an_anchored_context() -> None:
    """The first hunk begins at line 1, so a line put there later must stay later."""
    cut = LINES.replace(b"4\n", b"", 1)
    assert (0, 1) in edges(steps(LINES, cut, b"new\n" + cut), {b"f": LINES}, 3)
    assert (0, 1) not in edges(steps(LINES, cut, b"new\n" + cut), {b"f": LINES}, 1)


def test_patches_that_revert_each_other_for_ever_lean_on_the_last_ones() -> None:
    """Each leaves a removed line at the one place; all of them together are their number squared."""
    count = 400
    texts = [b"a\n" if number % 2 == 0 else b"b\n" for number in range(count + 1)]
    history = TreeHistory()
    for number, (old, new) in enumerate(pairwise(texts)):
        history.add(number, (change(b"f", old, new),))
    pairs = {(one.earlier, one.later) for one in history.contacts}
    assert {(number, number + 1) for number in range(count - 1)} <= pairs
    assert len(history.contacts) < 100 * count
