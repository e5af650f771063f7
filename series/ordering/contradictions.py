# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person is told of an order: the evidence that was given up, the numbers that are not here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from series.graph.evidence import Kind
from series.graph.resolution import Circle, Resolution
from series.model import Patch
from series.numbering import listed, missing_numbers
from series.ordering.posted import Postings

_MOST_NAMED = 8


def contradictions(
    patches: Sequence[Patch], postings: Postings, resolved: Resolution
) -> Iterator[tuple[str, str]]:
    """In words, what was given up; before it what kind of contradiction it is."""
    named: set[int] = set()
    if resolved.misnumbered:
        for before, after, one in resolved.claims:
            if one.kind.strength > Kind.NUMBERING.strength and postings.against(before, after):
                named |= {before, after}
                yield (
                    "number",
                    f"the numbering puts {patches[after].name} before {patches[before].name}, "
                    f"but it {one.text}",
                )
    for circle in resolved.circles:
        if circle.kind is not Kind.NUMBERING:
            # A patch and its revert: where numbers order them, nothing is left open.
            if not postings.all_in_one(circle.patches):
                for text in _circle_words(patches, circle):
                    yield f"circle of {circle.kind}", text
        elif named.isdisjoint(circle.patches):
            names = _names(patches, circle.patches)
            yield "numbers", f"the numbers of {names} contradict the other evidence"
    for wrong in resolved.refuted:
        # What a change means for earlier uses is only a guess: it may have come to fit them.
        if wrong.evidence.kind is Kind.CHANGED_SYMBOL:
            continue
        why = "; ".join(f"{patches[after].name} {one.text}" for _, after, one in wrong.path)
        yield (
            f"refuted {wrong.evidence.kind}",
            f"{patches[wrong.after].name} {wrong.evidence.text}, yet it must come first"
            + (f": {why}" if why else ""),
        )


def by_kind(said: Iterable[tuple[str, str]]) -> Iterator[str]:
    """One line for each kind: the first of it, and how many more there are."""
    kinds: dict[str, dict[str, None]] = {}
    for kind, text in said:
        kinds.setdefault(kind, {})[text] = None
    for texts in kinds.values():
        more = f" (and {len(texts) - 1} more like it)" if len(texts) > 1 else ""
        yield f"{next(iter(texts))}{more}"


def _circle_words(patches: Sequence[Patch], circle: Circle) -> Iterator[str]:
    if circle.kind is Kind.CHANGED_SYMBOL:
        return
    why = [f"{patches[after].name} {one.text}" for _, after, one in circle.given_up[:_MOST_NAMED]]
    more = (
        f"; and {len(circle.given_up) - len(why)} more" if len(circle.given_up) > len(why) else ""
    )
    yield (
        f"the {circle.kind} evidence of {_names(patches, circle.patches)} goes in a circle and does not"
        f" order them: {'; '.join(why)}{more}"
    )


def gap_notes(patches: Sequence[Patch]) -> Iterator[str]:
    """A line for each posting whose numbering counts patches that are not here."""
    postings: dict[tuple[int, int], list[int]] = {}
    for patch in patches:
        if patch.numbering is not None:
            posting = (patch.part, patch.numbering.total)
            postings.setdefault(posting, []).append(patch.numbering.number)
    for (_, total), numbers in postings.items():
        if gaps := missing_numbers(numbers, total):
            yield f"of the {total} patches that the numbering counts, {listed(gaps)} are not here"


def _names(patches: Sequence[Patch], indexes: Sequence[int]) -> str:
    return few([patches[index].name for index in indexes])


def few(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
