# SPDX-License-Identifier: GPL-2.0-or-later
"""The row of runs against a plain list of lines."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from series.graph import runs as module
from series.graph.runs import BASE, ENDLESS, Run, Runs

OPERATIONS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 5), st.integers(0, 5)), max_size=60
)


def lines(row: Runs) -> list[tuple[int, int]]:
    """(author, killer) of each line, tombstones with them; of an endless base the first 200."""
    return [(run.author, run.killer) for run in row for _ in range(min(run.size, 200))]


@settings(max_examples=200, deadline=None)
@given(OPERATIONS, st.booleans())
def test_edits_leave_what_they_leave_in_a_list(
    operations: list[tuple[int, int, int]], based: bool
) -> None:
    row = Runs(Run(ENDLESS, BASE) if based else None)
    model: list[list[int]] = [[BASE, BASE] for _ in range(200)] if based else []
    most, module._MOST = module._MOST, 4  # small blocks: their seams are met
    try:
        for patch, (at, removed, added) in enumerate(operations):
            live = [place for place, line in enumerate(model) if line[1] == BASE]
            if at > len(live) or at + removed > len(live):
                continue
            first = row.cut(at)
            assert row.live_before(first) == at
            last, left = first, removed
            while left:
                assert last is not None
                if last.live:
                    if last.size > left:
                        row.split(last, left)
                    left -= last.size
                    row.kill(last, patch)
                last = last.after
            row.insert(last, Run(added, patch))
            place = live[at] if at < len(live) else len(model)
            for each in live[at : at + removed]:
                model[each][1] = patch
            end = live[at + removed - 1] + 1 if removed else place
            model[end:end] = [[patch, BASE] for _ in range(added)]
            length = min(len(model), 150)
            assert lines(row)[:length] == [tuple(line) for line in model[:length]]
    finally:
        module._MOST = most
    walked = list(row)
    assert list(row.ahead(None)) == walked[::-1]
    assert [run for one in walked[:1] for run in row.behind(one)] == walked


def test_an_edit_is_found_in_few_steps_whatever_the_length() -> None:
    """One of 20,000 runs: a look at each block and a walk through one, not through the row."""
    row = Runs(Run(ENDLESS, BASE))
    for number in range(20_000):
        row.insert(row.cut(2 * number), Run(1, number))
    steps = 0
    behind = row.behind

    def counted(run: Run | None):  # type: ignore[no-untyped-def]
        nonlocal steps
        for one in behind(run):
            steps += 1
            yield one

    row.behind = counted  # type: ignore[method-assign]
    for number in range(0, 20_000, 500):
        row.cut(2 * number)
    assert steps < 40 * 2 * module._MOST
