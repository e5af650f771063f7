# SPDX-License-Identifier: GPL-2.0-or-later
"""Sorts what processes named into the worktree and what lies outside of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from backport.builds.outside_state import ABSENT, DATE, LISTING, state
from backport.builds.recorded.places import ELSEWHERE, Places
from backport.builds.recorded.watch import Process

Event = tuple[int, str, str]
"""Number in the log, kind (`watch.c`), path."""
_NOWHERE = ("/dev/", "/proc/", "/sys/")
_SHARED = ("/dev/shm/", "/dev/mqueue/")
"""What lies there is of the build's own making, as in any other folder."""
_KERNEL = ("/proc/sys/", "/proc/cmdline/", "/proc/filesystems/", "/proc/version/", "/sys/")
"""What the kernel says of itself there is as good as a file; of processes and of the moment it is not."""
_WITH_DATES = ("100", "120", "4")
"""What the states of regular files, links and folders begin with: their modes."""
_MANY = 0
"""No part's number."""
_CACHES = ("CCACHE_DIR=", "CCACHE_TEMPDIR=", "SCCACHE_DIR=")


class Paths:
    """What lies outside: looked at (``outside``, with its state), made, and who did what to it.

    A part of the build (a number) that makes something outside and another that looks at it are not
    independent, in whichever order the log has them: `expect` is given all of them first.
    """

    def __init__(self, places: Places, caches: Sequence[str] = ()) -> None:
        self.places = places
        self._caches = tuple(f"{x.rstrip('/')}/" for x in caches)
        self.outside: dict[str, str] = {}
        self.made: dict[str, int] = {}
        """Files outside that were written, with the part that did."""
        self._shown: dict[str, int] = {}
        """The folders that these lie in, with the part that made something there."""
        self.stray: dict[int, str] = {}
        """Parts that left or shared something outside."""
        self._settled: set[tuple[str, str]] = set()
        """What has been looked at outside in the same way: 9 of 10 events of a build."""
        self.remaining: set[str] = set()
        """Of what was made, what was not removed again."""
        self.looked_at: set[str] = set()
        """What was looked at outside; of a folder that was listed, with `LISTING`."""
        self.blind = ""
        """Why it is not known what a part looked at."""

    def expect(self, parts: Mapping[int, Sequence[Process]]) -> None:
        """Take in what the parts made, and which links they followed, before any of it is sorted."""
        processes = [process for part in parts.values() for process in part]
        names = sorted(
            (number, path)
            for process in processes
            for number, kind, path in process.events
            if kind in "NUMK"
        )
        absent = (
            (number, path)
            for process in processes
            for number, kind, path in process.events
            if kind == "E"
        )
        self.places.note([link for process in processes for link in process.links], names, absent)
        made = sorted(
            (number, kind, path, part)
            for part, below in parts.items()
            for process in below
            for number, kind, path in process.events
            if kind in "WANMUK"
        )
        for number, kind, raw, part in made:
            path = self.places.resolve(raw, follow=kind in "WA", at=number)[0]
            if self.places.inside(path) is None and not self._is_nowhere(path):
                if kind in "UK":
                    self.remaining.discard(path)
                else:
                    self.remaining.add(path)
                    self._expect(path, kind, part)
        for process in processes:
            self.blind = self.blind or process.opaque

    def _expect(self, path: str, kind: str, part: int) -> None:
        if kind == "A" and path not in self.made:
            self.stray[part] = f"changes {path}"
        if self.made.setdefault(path, part) != part:
            self._share(part, path)
        folder = str(Path(path).parent)
        if self._shown.setdefault(folder, part) != part:
            self._shown[folder] = _MANY

    def _is_nowhere(self, path: str) -> bool:
        there = f"{path}/"
        return there.startswith((*_NOWHERE, *self._caches, "/?")) and not there.startswith(
            (*_SHARED, *_KERNEL)
        )

    def _share(self, part: int, path: str) -> None:
        self.stray[part] = self.stray[self.made[path]] = f"shares {path}"

    def sort(self, events: Iterable[Event], unit: int) -> Iterator[Event]:
        """The events in the worktree, by relative path; notes the others."""
        for number, kind, raw in events:
            if (kind, raw) in self._settled:
                continue
            # What is not there may be the end of a link that is.
            path, links = self.places.resolve(raw, follow=kind in "RWASPED", at=number)
            if ELSEWHERE.match(path) or (kind == "D" and ELSEWHERE.match(f"{path}/")):
                self.blind = f"a path through {path}"
            through_tree = False
            for link in links:
                left = link.removesuffix("/..")
                inside = self.places.inside(left)
                if inside is not None:
                    through_tree = True
                    yield number, "R" if left == link else "P", inside
                elif left == link and not self._is_nowhere(link):
                    self._look(link, link)
            inside = self.places.inside(path)
            if inside is not None:
                yield number, kind, inside
            elif not self._is_nowhere(path):
                self._elsewhere(kind, path, unit)
                lasting = not (through_tree or self.places.some_links_turned)
                if lasting and kind in "RSPE" and path not in self.made:
                    self._settled.add((kind, raw))

    def _elsewhere(self, kind: str, path: str, unit: int) -> None:
        self.looked_at.add(f"{path.rstrip('/')}{LISTING}" if kind == "D" else path)
        if path in self.made:
            if self.made[path] != unit:
                self._share(unit, path)
        elif kind in "UK":
            self.stray[unit] = f"removes {path}"
        elif kind == "D":
            if self._shown.get(path, unit) != unit:
                self.stray[unit] = f"lists {path}, where others make files"
            self._look(f"{path.rstrip('/')}{LISTING}", path)
        else:
            self._look(path, path)
            if kind == "E" and not os.path.lexists(path):
                self.outside[path] = ABSENT

    def _look(self, key: str, path: str) -> None:
        if key in self.outside or path in self.made:
            return
        found = state(key)
        if found == ABSENT:
            return
        self.outside[key] = found
        if key == path and found.startswith(_WITH_DATES) and not path.startswith(_KERNEL):
            self.outside[path + DATE] = state(path + DATE)

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
