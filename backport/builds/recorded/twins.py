# SPDX-License-Identifier: GPL-2.0-or-later
"""Files with two names: what is written through one of them changes what the other stands for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from backport.builds.recorded.outside_paths import Event
from backport.builds.recorded.places import Places
from backport.builds.recorded.watch import Process


def written_through(processes: Iterable[Process], places: Places) -> str:
    """The first name by which a file was written that had another name too; "" where there is none."""
    made = list(processes)
    twins = {number: old for process in made for number, old, _ in process.twins}
    if not twins:
        return ""
    same: dict[str, set[str]] = {}
    moved: tuple[int, set[str]] = 0, set()
    for number, kind, path in _names(made, places):
        if number in twins:
            old = places.resolve(twins[number], follow=False, at=number)[0]
            _drop(same, path)
            _add(same, path, same.setdefault(old, {old}))
        elif kind == "U":
            moved = number, _drop(same, path)
        elif kind == "N":
            _drop(same, path)
            if number == moved[0] + 1 and moved[1]:  # a rename: the file has this name now
                _add(same, path, moved[1])
        elif len(same.get(path, ())) > 1:
            return path
    return ""


def _names(processes: Iterable[Process], places: Places) -> Iterator[Event]:
    events = chain.from_iterable(process.events for process in processes)
    for number, kind, raw in sorted(event for event in events if event[1] in "WANU"):
        yield number, kind, places.resolve(raw, follow=kind in "WA", at=number)[0]


def _add(same: dict[str, set[str]], path: str, names: set[str]) -> None:
    names.add(path)
    same[path] = names


def _drop(same: dict[str, set[str]], path: str) -> set[str]:
    """Take a name away; the other names of what it stood for."""
    names = same.pop(path, set())
    names.discard(path)
    return names
