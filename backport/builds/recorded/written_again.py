# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths that one part of a build writes, a make reads, and a later command writes again.

Automake's ``config.status`` makes an empty list of headers for each object, make includes it, and the
compiler puts its own list there.  The later command can be run again from what the earlier one left, which
the watcher has kept.  All else that looked at the earlier state is never run on its own; so that stays as it
is, and so does what the drivers learnt from it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from backport.builds.recorded.outside_paths import Event
from backport.builds.recorded.places import Places
from backport.builds.recorded.recording import Earlier
from backport.builds.recorded.units import Unit

_FILES = "WNAU"
_FOLDERS = "MmKD"
_LOOKS = "RSPA"
_RENAMED = 3
"""Records from what was kept to the new name of a file: the old one is read and goes in between."""


def split_off_earlier(
    units: Sequence[Unit], driver_events: list[Event], places: Places, tracked: Collection[str]
) -> None:
    """Give the last of a path's writers what it held before (``Unit.earlier``), and take from the events what
    was done with that."""
    kept = dict(_kept(units, places))
    names = {path for path, _ in kept}
    writers: dict[str, list[Unit]] = {}
    for unit in units if names else ():
        for path in {path for _, kind, path in unit.events if kind in _FILES} & names:
            writers.setdefault(path, []).append(unit)
    looks: dict[str, list[int]] = {}
    odd = set(tracked)
    for number, kind, path in driver_events:
        if path in writers and kind in _LOOKS:
            looks.setdefault(path, []).append(number)
        if kind in _FILES or kind in _FOLDERS:
            odd.add(path)
    odd.update(path for unit in units for _, kind, path in unit.events if kind in _FOLDERS)
    since: dict[str, int] = {}
    for path in looks.keys() - odd:
        *others, last = sorted(writers[path], key=lambda unit: _first(unit, path))
        if others and last.start is not None:
            ended = max(unit.ended or _first(last, path) for unit in others)
            first = _first(last, path)
            between = any(ended < number < first for number in looks[path])
            if between and ended < last.start.at and (path, first) in kept:
                since[path] = first
                last.earlier[path] = kept[path, first]
    if not since:
        return
    driver_events[:] = _later(driver_events, since)
    for unit in units:
        before = {path for n, _, path in unit.events if n < since.get(path, 0)}
        if others_too := before - unit.earlier.keys():
            unit.unsure = (
                unit.unsure or f"it goes by {min(others_too)}, which is written again later"
            )
        if before:
            unit.events = list(_later(unit.events, since))


def without_earlier(events: Iterable[Event], earlier: Collection[str]) -> list[Event]:
    """What a command did, but for its looks at what it was given to write over."""
    due = set(earlier)
    found: list[Event] = []
    for number, kind, path in events:
        if path in due and kind in "WN":
            due.discard(path)
        if path not in due or kind in _FILES:
            found.append((number, kind, path))
    return found


def _kept(units: Iterable[Unit], places: Places) -> Iterator[tuple[tuple[str, int], Earlier]]:
    """What files held, by path and the number of the record that says that they were written over."""
    for unit in units:
        for process in unit.processes:
            if not process.old:
                continue
            writes = {number: kind for number, kind, _ in process.events if kind in "WN"}
            for number, raw, old in process.old:
                at = number + 1 if writes.get(number + 1) == "W" else number + _RENAMED
                kind = writes.get(at)
                if kind is not None:
                    place = places.resolve(raw, follow=kind == "W", at=at)[0]
                    if inside := places.inside(place):
                        yield (inside, at), old


def _first(unit: Unit, path: str) -> int:
    """The number of the first record of a path that a unit writes."""
    return min(number for number, kind, p in unit.events if p == path and kind in _FILES)


def _later(events: Iterable[Event], since: Mapping[str, int]) -> Iterator[Event]:
    return (event for event in events if event[0] >= since.get(event[2], 0))
