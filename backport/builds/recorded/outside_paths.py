# SPDX-License-Identifier: GPL-2.0-or-later
"""Sorts what processes named into the worktree and what lies outside of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from backport.builds.outside_state import ABSENT, LISTING, state
from backport.builds.recorded.places import Places

Event = tuple[int, str, str]
"""Number in the log, kind (`watch.c`), path."""
_NOWHERE = ("/dev/", "/proc/", "/sys/")
_CACHES = ("CCACHE_DIR=", "CCACHE_TEMPDIR=", "SCCACHE_DIR=")


class Paths:
    """What lies outside: looked at (``outside``, with its state), made, and who did what to it."""

    def __init__(self, places: Places, caches: Sequence[str] = ()) -> None:
        self.places = places
        self._caches = tuple(f"{x.rstrip('/')}/" for x in caches)
        self.outside: dict[str, str] = {}
        self.made: dict[str, int] = {}
        """Files outside that were written, with the unit that did."""
        self.stray: dict[int, str] = {}
        """Units that left or shared something outside."""

    def sort(self, events: Iterable[Event], unit: int) -> Iterator[Event]:
        """The events in the worktree, by relative path; notes the others."""
        for number, kind, raw in events:
            path, links = self.places.resolve(raw, follow=kind in "RWASD")
            for link in links:
                inside = self.places.inside(link)
                if inside is not None:
                    yield number, "R", inside
                elif not link.startswith(_NOWHERE):
                    self._look(link, link)
            inside = self.places.inside(path)
            if inside is not None:
                yield number, kind, inside
            elif not f"{path}/".startswith((*_NOWHERE, *self._caches, "/?")):
                self._elsewhere(kind, path, unit)

    def _elsewhere(self, kind: str, path: str, unit: int) -> None:
        if kind in "WANM":
            if self.made.setdefault(path, unit) != unit:
                self.stray[unit] = self.stray[self.made[path]] = f"shares {path}"
            if kind == "A" and self.outside.get(path, ABSENT) != ABSENT:
                self.stray[unit] = f"changes {path}"
        elif path in self.made:
            if self.made[path] != unit:
                self.stray[unit] = self.stray[self.made[path]] = f"shares {path}"
        elif kind in "UK":
            self.stray[unit] = f"removes {path}"
        elif kind == "D":
            self._look(f"{path.rstrip('/')}{LISTING}", path)
        else:
            self._look(path, path)
            if kind == "E" and not os.path.lexists(path):
                self.outside[path] = ABSENT

    def _look(self, key: str, path: str) -> None:
        if key in self.outside or path in self.made:
            return
        found = state(key)
        if found != ABSENT:
            self.outside[key] = found

    def left(self) -> None:
        """Look at what is still there after the run."""
        for path, unit in self.made.items():
            if os.path.lexists(path):
                self.stray[unit] = f"writes {path}"
            self.outside.pop(path, None)


def compiler_caches(variables: Iterable[str], writable: Sequence[str]) -> tuple[str, ...]:
    """The folders of compiler caches that may be written to, as ``NAME=value`` names them: a cache answers
    as the compiler would."""
    named = {x.partition("=")[2] for x in variables if x.startswith(_CACHES)}
    found = {os.path.normpath(place) for place in named if place.startswith("/")}
    open_to = [Path(folder).resolve() for folder in writable]
    return tuple(
        sorted(
            place
            for place in found
            if any(folder == Path(place) or folder in Path(place).parents for folder in open_to)
        )
    )
