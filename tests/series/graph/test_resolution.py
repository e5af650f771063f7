# SPDX-License-Identifier: GPL-2.0-or-later
"""One order from all the evidence, and what each shape of contradiction does to it."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from series.graph.edges import add_evidence, new_graph, order_edges, order_of
from series.graph.evidence import Kind, Precedes
from series.graph.resolution import Resolution, numbered_after, resolve, resolve_claims
from series.model import Numbering, Patch, Series, When
from series.ordering.recovery import recover_order
from series.reading.trailers import parse_trailers
from tests.series.ordering.test_order import LINES, line, numbered, recover
from tests.series.strategies import DictBase, as_patches, change, patch

Edges = Mapping[tuple[int, int], Kind]


def graph_of(
    count: int, edges: Edges, numbers: Iterable[Sequence[int]] = ()
) -> networkx.DiGraph[int]:
    """Patches p0, p1 ...; ``numbers`` are postings, each in the order of its numbers."""
    graph = new_graph([patch(f"p{index}") for index in range(count)])
    add_evidence(graph, ((a, b, Precedes(kind, f"follows p{a}")) for (a, b), kind in edges.items()))
    for posting in numbers:
        pairs = itertools.pairwise(posting)
        add_evidence(graph, ((a, b, numbered_after(graph.nodes[a]["patch"])) for a, b in pairs))
    return graph


def resolved(count: int, edges: Edges, *numbers: Sequence[int]) -> Resolution:
    graph = graph_of(count, edges, numbers)
    found = resolve(graph, range(count))
    assert networkx.is_directed_acyclic_graph(graph)
    place = {node: at for at, node in enumerate(found.order)}
    assert all(place[a] < place[b] for a, b in graph.edges)
    return found


def reference(count: int, pairs: Iterable[tuple[int, int]], rank: Sequence[int]) -> tuple[int, ...]:
    """Kahn's algorithm with a heap: the most preferred of those that are ready."""
    after: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for a, b in pairs:
        after[a].append(b)
        waiting[b] += 1
    ready = [(rank[node], node) for node in range(count) if not waiting[node]]
    heapq.heapify(ready)
    order = []
    while ready:
        _, node = heapq.heappop(ready)
        order.append(node)
        for other in after[node]:
            waiting[other] -= 1
            if not waiting[other]:
                heapq.heappush(ready, (rank[other], other))
    return tuple(order)


@st.composite
def acyclic(draw: st.DrawFn) -> tuple[int, set[tuple[int, int]], list[int]]:
    """How many nodes, edges without a circle, and a rank of each node."""
    count = draw(st.integers(1, 14))
    nodes = st.integers(0, count - 1)
    pairs = draw(st.sets(st.tuples(nodes, nodes), max_size=3 * count))
    names = draw(st.permutations(range(count)))
    return (
        count,
        {(names[a], names[b]) for a, b in pairs if a < b},
        draw(st.permutations(range(count))),
    )


@given(acyclic())
def test_the_order_is_that_of_an_independent_sort(
    given_graph: tuple[int, set[tuple[int, int]], list[int]],
) -> None:
    count, pairs, rank = given_graph
    found = resolve(graph_of(count, dict.fromkeys(pairs, Kind.SYMBOL)), rank)
    assert found.order == reference(count, pairs, rank)
    assert not found.refuted
    assert not found.circles


_PAIRS = st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda pair: pair[0] != pair[1])


@settings(max_examples=300)
@given(st.dictionaries(_PAIRS, st.sampled_from(Kind), max_size=24), st.permutations(range(8)))
def test_whatever_contradicts_itself_an_order_comes_out(
    edges: dict[tuple[int, int], Kind], numbers: list[int]
) -> None:
    edges = {pair: kind for pair, kind in edges.items() if kind is not Kind.NUMBERING}
    found = resolved(8, edges, numbers[:5], numbers[5:])
    assert sorted(found.order) == list(range(8))
    strongest = {pair for pair, kind in edges.items() if kind is Kind.BLOB}
    if networkx.is_directed_acyclic_graph(networkx.DiGraph(list(strongest))):
        place = {node: at for at, node in enumerate(found.order)}
        assert all(place[a] < place[b] for a, b in strongest)


@given(st.dictionaries(_PAIRS, st.sampled_from(Kind), max_size=24), st.permutations(range(8)))
def test_names_of_nodes_do_not_matter(edges: dict[tuple[int, int], Kind], names: list[int]) -> None:
    edges = {pair: kind for pair, kind in edges.items() if kind is not Kind.NUMBERING}
    renamed = {(names[a], names[b]): kind for (a, b), kind in edges.items()}
    posting = [names[node] for node in (2, 5, 1)]
    rank = [0] * 8
    for node, name in enumerate(names):
        rank[name] = node
    one = resolve(graph_of(8, edges, [(2, 5, 1)]), range(8))
    two = resolve(graph_of(8, renamed, [posting]), rank)
    assert tuple(names[node] for node in one.order) == two.order


def test_the_order_comes_from_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where evidence runs against the dates, networkx sorts."""
    sort: Callable[..., Any] = networkx.lexicographical_topological_sort
    files = {b"f%d" % number: LINES for number in range(4)}
    trees = [{b"f0": LINES + b"x\n"}, {b"f0": LINES + b"x\ny\n"}]
    patches = as_patches({b"f0": LINES}, trees, blobs=True)
    patches += [patch(f"q{n}", change(b"f%d" % n, LINES, LINES + b"x\n")) for n in (1, 2)]
    dated = [replace(one, date=When(9 - n, 0)) for n, one in enumerate(patches)]
    assert recover(dated, files).order == (3, 2, 0, 1)

    def last_first(graph: networkx.DiGraph[int], key: Callable[[int], int]) -> Any:
        return sort(graph, key=lambda node: -key(node))

    monkeypatch.setattr(networkx, "lexicographical_topological_sort", last_first)
    assert recover(dated, files).order == (0, 1, 2, 3)


@settings(max_examples=200, deadline=None)
@given(
    pairs=st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=12),
    ranks=st.permutations(range(8)),
)
def test_ranks_that_no_claim_contradicts_are_the_topological_sort(
    pairs: set[tuple[int, int]], ranks: list[int]
) -> None:
    """The short way to the order, without networkx, gives what the graph gives."""
    agreeing = [(a, b) if ranks[a] < ranks[b] else (b, a) for a, b in pairs if a != b]
    claims = [(a, b, Precedes(Kind.SYMBOL, f"uses p{a}")) for a, b in agreeing]
    patches = [patch(f"p{index}") for index in range(8)]
    graph = new_graph(patches)
    add_evidence(graph, claims)
    assert resolve_claims(patches, claims, ranks).order == resolve(graph, ranks).order


def test_each_edge_carries_all_its_evidence() -> None:
    graph = graph_of(2, {(0, 1): Kind.SYMBOL}, [(0, 1)])
    add_evidence(graph, [(0, 1, Precedes(Kind.BLOB, "starts from it"))])
    add_evidence(graph, [(0, 1, Precedes(Kind.BLOB, "starts from it"))])
    assert [one.kind for one in order_of(graph, 0, 1)] == [
        Kind.BLOB,
        Kind.NUMBERING,
        Kind.SYMBOL,
    ]


# -- contradictions, shape by shape


def test_what_leads_against_stronger_evidence_goes_alone() -> None:
    blobs = {(0, 1): Kind.BLOB, (1, 2): Kind.BLOB}
    found = resolved(4, {**blobs, (2, 0): Kind.SYMBOL, (0, 3): Kind.SYMBOL, (3, 2): Kind.SYMBOL})
    (wrong,) = found.refuted
    assert (wrong.before, wrong.after) == (2, 0)
    assert [claim[:2] for claim in wrong.path] == [(0, 1), (1, 2)]
    assert not found.circles
    assert found.order == (0, 1, 3, 2)


def test_a_circle_of_one_kind_proves_nothing_and_the_next_kind_decides() -> None:
    circle = {(0, 1): Kind.BLOB, (1, 0): Kind.BLOB}
    found = resolved(3, {**circle, (1, 2): Kind.BLOB, (2, 1): Kind.TRAILER})
    assert [one.patches for one in found.circles] == [(0, 1)]
    assert found.order == (0, 1, 2)
    graph = graph_of(2, circle)
    add_evidence(graph, [(1, 0, Precedes(Kind.SYMBOL, "uses it"))])
    assert resolve(graph, range(2)).order == (1, 0)


def test_a_circle_does_not_take_others_with_it() -> None:
    """4 -> 0 closes the short circle 0 -> 4 -> 0, and with it longer ones through 1, 2 and 3."""
    chain = dict.fromkeys(((0, 1), (1, 2), (2, 3), (3, 4), (0, 4), (4, 0)), Kind.SYMBOL)
    graph = graph_of(5, chain)
    found = resolve(graph, [4, 3, 2, 1, 0])
    assert [one.patches for one in found.circles] == [(0, 4)]
    assert found.order == (0, 1, 2, 3, 4)


def test_a_circle_with_the_help_of_stronger_evidence() -> None:
    mixed = {(0, 1): Kind.BLOB, (1, 2): Kind.SYMBOL, (2, 3): Kind.BLOB, (3, 0): Kind.SYMBOL}
    found = resolved(4, mixed)
    assert {claim[:2] for claim in found.circles[0].given_up} == {(1, 2), (3, 0)}


def test_two_circles_at_different_strengths() -> None:
    edges = {(0, 1): Kind.TEXT, (1, 0): Kind.TEXT, (1, 2): Kind.SYMBOL, (2, 1): Kind.SYMBOL}
    assert {one.kind for one in resolved(3, edges).circles} == {Kind.TEXT, Kind.SYMBOL}


def test_one_wrong_number_leaves_the_others() -> None:
    """Patch 0 is numbered first and needs 5; 1 to 4 keep the order of their numbers, not of their rank."""
    graph = graph_of(8, {(5, 0): Kind.BLOB}, [range(8)])
    add_evidence(graph, [(4, 1, Precedes(Kind.SYMBOL, "uses it"))])
    found = resolve(graph, range(8))
    assert found.order == (1, 2, 3, 4, 5, 0, 6, 7)
    assert found.misnumbered == {0, 5}
    assert [one.patches for one in found.circles] == [(0, 1, 2, 3, 4, 5)]


def test_a_patch_out_of_place_is_the_one_to_blame() -> None:
    """Numbered first, it needs 1, 3 and 5: it alone loses its number, so 1 to 5 stay as numbered."""
    needs = {(1, 0): Kind.BLOB, (3, 0): Kind.BLOB, (5, 0): Kind.BLOB}
    graph = graph_of(7, needs, [range(7)])
    found = resolve(graph, [0, 5, 4, 3, 2, 1, 6])
    assert found.misnumbered == {0}
    assert found.order == (1, 2, 3, 4, 5, 0, 6)


def test_circles_of_the_numbering_side_by_side_keep_their_order() -> None:
    """0 1 2 and 3 4 5 are each numbered the wrong way round; all of the first come before the second."""
    graph = graph_of(6, {(2, 0): Kind.BLOB, (5, 3): Kind.BLOB}, [range(6)])
    found = resolve(graph, [3, 4, 5, 0, 1, 2])
    assert set(found.order[:3]) == {0, 1, 2}
    assert found.order.index(2) < found.order.index(0)
    assert found.order.index(5) < found.order.index(3)


def test_two_postings_that_only_together_go_in_a_circle() -> None:
    edges = {(1, 2): Kind.BLOB, (3, 0): Kind.BLOB}
    found = resolved(4, edges, (0, 1), (2, 3))
    assert found.circles[0].kind is Kind.NUMBERING
    assert found.order.index(1) < found.order.index(2)
    assert found.order.index(3) < found.order.index(0)


def test_numbers_weigh_more_than_names_and_less_than_text() -> None:
    assert resolved(2, {(1, 0): Kind.SYMBOL}, (0, 1)).order == (0, 1)
    assert resolved(2, {(1, 0): Kind.LINE_NUMBERS}, (0, 1)).order == (1, 0)


def test_a_large_circle_is_given_up_as_a_whole() -> None:
    count = 2000
    ring = {(node, (node + 1) % count): Kind.SYMBOL for node in range(count)}
    found = resolved(count, ring)
    assert found.order == tuple(range(count))
    assert len(found.circles[0].patches) == count


# -- the same, from patches


def reverted() -> list[Patch]:
    """A change, another file, and the change taken back."""
    changed = line(LINES, 20, b"twenty")
    return [
        patch("A", change(b"f", LINES, changed, blobs=True)),
        patch("B", change(b"g", None, b"y\n", blobs=True)),
        patch("Revert A", change(b"f", changed, LINES, blobs=True)),
    ]


@pytest.mark.parametrize("base", [LINES, b"another\n" + LINES])
def test_a_patch_and_its_revert_keep_their_numbers(base: bytes) -> None:
    patches = numbered(reverted(), [1, 2, 3])
    found = recover([patches[2], patches[0], patches[1]], {b"f": base})
    assert found.order == (1, 2, 0)
    assert not found.missing


@pytest.mark.parametrize("base", [LINES, b"another\n" + LINES])
def test_a_patch_its_revert_and_the_patch_again(base: bytes) -> None:
    first, _, back = reverted()
    again = replace(first, name="A again", message=b"A again\n")
    dated = [replace(one, date=When(n, 0)) for n, one in enumerate((first, back, again))]
    for patches in (dated, numbered((first, back, again), [1, 2, 3])):
        for seed in range(6):
            shuffled = list(patches)
            random.Random(seed).shuffle(shuffled)
            order = recover(shuffled, {b"f": base}).order
            assert [shuffled[index].name for index in order] == ["A", "Revert A", "A again"]


def test_patches_that_depend_on_each_other_by_their_own_word() -> None:
    files = {b"f%d" % n: LINES for n in range(3)}
    patches = []
    for number, other in ((0, 1), (1, 2), (2, 0)):
        message = b"p%d\n\nDepends-on: p%d\n" % (number, other)
        one = patch(f"p{number}", change(b"f%d" % number, LINES, LINES + b"x\n"), message=message)
        patches.append(replace(one, trailers=parse_trailers(message), date=When(number, 0)))
    found = recover(patches, files)
    assert found.order == (0, 1, 2)
    (said,) = found.contradictions
    assert "p0, p1, p2" in said
    assert "Depends-on" in said


def test_a_contradicted_number_does_not_silence_the_others() -> None:
    """Names would put 3 before 2: the blob ids that move 1 behind 4 do not make that count."""
    chain = as_patches({b"f": LINES}, [{b"f": LINES + b"x\n"}, {b"f": LINES + b"x\ny\n"}], True)
    base = {b"f": LINES, b"m.c": b"int main(void)\n{\n}\n", b"h.h": b"/* */\n"}
    used = patch("uses", change(b"m.c", base[b"m.c"], b"int main(void)\n{\n    shiny();\n}\n"))
    made = patch("makes", change(b"h.h", base[b"h.h"], base[b"h.h"] + b"void shiny(void);\n"))
    patches = numbered([chain[1], used, made, chain[0]], [1, 2, 3, 4])
    found = recover(patches, base)
    assert [patches[index].name for index in found.order] == ["uses", "makes", "step 0", "step 1"]


def test_weaker_evidence_decides_for_a_patch_with_a_wrong_number() -> None:
    """Blob ids void the numbers 1 and 4; names then put 4, which makes what 2 uses, before 2."""
    base = {b"f": LINES, b"m.c": b"int main(void)\n{\n}\n", b"h.h": b"/* */\n", b"g": LINES}
    first = {**base, b"f": LINES + b"x\n", b"h.h": base[b"h.h"] + b"void shiny(void);\n"}
    makes, after = as_patches(base, [first, {**first, b"f": LINES + b"x\ny\n"}], True)
    uses = patch("uses", change(b"m.c", base[b"m.c"], b"int main(void)\n{\n    shiny();\n}\n"))
    other = patch("other", change(b"g", LINES, LINES + b"z\n"))
    found = recover(numbered([after, uses, other, makes], [1, 2, 3, 4]), base)
    assert found.order == (3, 0, 1, 2)


def test_a_series_of_one() -> None:
    one = patch("p", change(b"f", LINES, LINES + b"x\n"))
    assert recover([one], {b"f": LINES}).order == (0,)


@pytest.mark.parametrize("count", [1000, pytest.param(10_000, marks=pytest.mark.torture)])
def test_thousands_of_patches_to_one_file(count: int) -> None:
    """Each starts from the blob of the one before; numbers run the other way for all of them."""
    base = b"0\n"
    texts = [b"%d\n" % number for number in range(1, count + 1)]
    patches = []
    for number, text in enumerate(texts):
        one = patch(f"p{number}", change(b"f", texts[number - 1] if number else base, text, True))
        patches.append(replace(one, numbering=Numbering(count - number, count)))
    found = recover_order(Series(tuple(patches), "test"), DictBase({b"f": base}))
    assert found.order == tuple(range(count))
    assert found.graph is not None
    assert {one.kind for _, _, one in order_edges(found.graph)} == {Kind.BLOB}
