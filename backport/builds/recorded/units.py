# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: PTH119
# (paths by the hundred thousand: os.path takes a tenth of the time)
"""The processes of a watched build: which decide what is run, and what each of these started.

What is said here of a unit at its birth is what it was given by the process above it: descriptors, umask,
a program that was found by looking in several places.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct, field

from backport.builds.recorded.outside_paths import Event
from backport.builds.recorded.recording import Earlier
from backport.builds.recorded.watch import Image, Process

_MAKES = frozenset({"make", "gmake"})
"""Whose ways are known: for GNU make a file is there or not, newer or older, and no more."""
SHELLS = frozenset({"sh", "dash", "bash", "busybox", "ksh", "mksh", "zsh"})
_PIPES = ("pipe:", "socket:")
_NOWHERE = ("/dev/", "/proc/", "/sys/")
_DESCRIPTORS = re.compile(r"/proc/[^/]+(?:/task/[^/]+)?/fd(?:info)?/?|/dev/fd/?")


class Unit(Struct):
    """A process that a driver started, with all below it."""

    processes: list[Process]
    start: Image | None
    status: int | None
    events: list[Event] = field(default_factory=list)
    unsure: str = ""
    answers: bool = False
    """Its driver reads what it prints, or (a shell) may go by how it ends."""
    under_make: bool = False
    writes: set[str] = field(default_factory=set)
    earlier: dict[str, Earlier] = field(default_factory=dict)
    """What of these is there before it runs, and what it holds then (`written_again`)."""

    @property
    def ended(self) -> int:
        """The last of its ends; 0 where one is not known."""
        ends = [process.ended for process in self.processes]
        return 0 if 0 in ends else max(ends)


def image_at(process: Process, number: int) -> Image | None:
    """The program that a process was when a record was made."""
    return next((image for image in reversed(process.images) if image.at < number), None)


def is_make(image: Image | None, root: str) -> bool:
    """Whether that is the machine's GNU make, not one that lies in the tree."""
    return (
        image is not None
        and os.path.basename(image.exe) in _MAKES
        and not image.exe.startswith(f"{root}/")
    )


def find_drivers(
    processes: Sequence[Process], by_serial: Mapping[int, Process], root: str
) -> set[int]:
    """The process that all began with, and each make with what is above it, if that is makes and shells.

    A make that another program runs (CMake tries a compiler so), or whose output a shell reads (a
    ``configure`` asks what make can do), only helps to give that one's answer: it is a part of it.
    """
    found = {processes[0].serial}
    for process in processes:
        if any(is_make(image, root) for image in process.images):
            above = list(_line_of(process, by_serial))
            named = [one for one in above if one.images]  # a part of a shell's own script has none
            if all(_is_handed_on(child, parent, root) for child, parent in pairwise(named)):
                found.update(one.serial for one in above)
    return found


def _line_of(process: Process, by_serial: Mapping[int, Process]) -> Iterator[Process]:
    """A process and those above it."""
    at: Process | None = process
    while at is not None:
        yield at
        at = by_serial.get(at.parent)


def _is_handed_on(child: Process, parent: Process, root: str) -> bool:
    """Whether what ``child`` does is what ``parent``, a make or shell, is there to have done."""
    start = child.images[0]
    above = image_at(parent, start.at)
    if above is None or not (is_make(above, root) or os.path.basename(above.exe) in SHELLS):
        return False
    if not is_make(above, root) and start.stdin != above.stdin and start.stdin.startswith(_PIPES):
        return False  # its rules come through a pipe (config.status does so)
    pairs = ((start.stdout, above.stdout), (start.stderr, above.stderr))
    return all(ours == its or not ours.startswith(_PIPES) for ours, its in pairs)


def find_units(
    processes: Sequence[Process],
    by_serial: Mapping[int, Process],
    driving: Collection[int],
    root: str,
) -> list[Unit]:
    units: dict[int, Unit] = {}
    top: dict[int, int] = {}
    first = processes[0].images[0] if processes[0].images else None
    for process in processes:  # parents before children: serials are given in that order
        if process.serial in driving:
            continue
        if process.parent in driving:
            top[process.serial] = process.serial
            units[process.serial] = _unit(process, by_serial, first, root)
        else:
            top[process.serial] = top[process.parent]
            units[top[process.serial]].processes.append(process)
        unit = units[top[process.serial]]
        unit.unsure = unit.unsure or process.loose
    _note_signals(processes, units, top)
    for unit in units.values():
        end = unit.processes[0].ended
        if any(not process.ended or process.ended > end for process in unit.processes):
            unit.unsure = unit.unsure or "it leaves a process running"
        if unit.start is not None and unit.start.inherited and _lists_descriptors(unit):
            unit.unsure = unit.unsure or "it lists its open files, and has some of them from make"
    return list(units.values())


def _note_signals(
    processes: Iterable[Process], units: Mapping[int, Unit], top: Mapping[int, int]
) -> None:
    """Who sends signals to another part of the build, or gets one from there, is not alone."""
    for process in processes:
        mine = top.get(process.serial)
        for serial in process.signalled:
            other = top.get(serial)
            if other != mine or mine is None:
                for unit in (units[at] for at in (mine, other) if at is not None):
                    unit.unsure = unit.unsure or "a signal goes from it or to it"


def _unit(
    process: Process, by_serial: Mapping[int, Process], first: Image | None, root: str
) -> Unit:
    parent = by_serial[process.parent]
    start = process.images[0] if process.images else None
    unit = Unit([process], start, process.status)
    above = image_at(parent, start.at) if start is not None else None
    if start is None or above is None or first is None:
        unit.unsure = "a part of a shell's own script"
        unit.answers = start is None and not process.events
        return unit
    unit.under_make = is_make(above, root)
    for ours, its in ((start.stdout, above.stdout), (start.stderr, above.stderr)):
        if ours == "/dev/null":
            continue
        if ours.startswith(_PIPES):
            unit.answers |= ours != its and ours not in (first.stdout, first.stderr)
        elif not ours.startswith("/") or ours.startswith(_NOWHERE):
            unit.unsure = "its output is closed, or goes to a device"
        elif ours == its:
            continue
        else:
            unit.unsure = "make or a shell redirected its output to a file"
    if not _reads_nothing(process, start, by_serial, root):
        unit.unsure = "its input came from above"
    # Also the pipes of make's jobserver: what the command opens gets other numbers behind them.
    if extra := [name for name in start.inherited if name not in first.inherited]:
        unit.unsure = f"it inherited an open file ({extra[0]})"
    if start.given not in ("=", first.given):
        unit.unsure = "its umask, limits or ignored signals are not those that the build began with"
    # The program's own path is read at the moment it starts, just before `at`.
    before = [p for n, kind, p in process.events if n < start.at - 1 and kind in "WAR"]
    if any(not path.startswith(_NOWHERE) for path in before):
        unit.unsure = "the shell above opened a file for it"
    return unit


def _lists_descriptors(unit: Unit) -> bool:
    events = (event for process in unit.processes for event in process.events)
    return any(kind == "D" and _DESCRIPTORS.fullmatch(path) for _, kind, path in events)


def _reads_nothing(
    process: Process, image: Image, by_serial: Mapping[int, Process], root: str
) -> bool:
    """Whether the standard input of a process has nothing in it: /dev/null, or the empty pipe that a make
    gives to parallel jobs, which a make below it hands on to its own first job."""
    while image.stdin != "/dev/null":
        if image.stdin != process.images[0].stdin or process.parent not in by_serial:
            return False
        parent = by_serial[process.parent]
        above = image_at(parent, image.at)
        if above is None:
            return False
        if image.stdin != above.stdin:
            return is_make(above, root) and image.stdin.startswith("pipe:")
        process, image = parent, above
    return True


def altered(events: Iterable[Event], tracked: Collection[str]) -> set[str]:
    """The files of the tree that were changed or removed."""
    return {path for _, kind, path in events if kind in "WANUK" and path in tracked}


def unfit_because(
    units: Sequence[Unit],
    by_serial: Mapping[int, Process],
    driving: Collection[int],
    driver_events: Sequence[Event],
    tracked: Collection[str],
    root: str,
) -> str:
    """What of a build is such that no step can be built from a recording of it, or ""."""
    answers = (event for unit in units if unit.answers for event in unit.events)
    for path in sorted(altered((*driver_events, *answers), tracked)):
        return f"what decides what is run changes {path}, which is a file of the tree"
    first = next(iter(by_serial.values())).images
    job_pipes = _job_pipes(by_serial, root)
    own = {first[0].stdout, first[0].stderr, "/dev/null"} if first else set[str]()
    for unit in units:
        start = unit.start
        if start is None or unit.answers:
            continue
        for out in (start.stdout, start.stderr):
            if out in own:
                continue
            if out.startswith(_PIPES):
                return "another program reads what commands print"
            above = _above(unit, by_serial)
            if out in (above.stdout, above.stderr) and not out.endswith("(deleted)"):
                return f"what commands print goes to {out}"
        pipes = {name for name in start.inherited if name.startswith(_PIPES)} - job_pipes
        if pipes and not unit.under_make:
            return "a command and what is above it have a pipe besides"
    return ""


def _job_pipes(by_serial: Mapping[int, Process], root: str) -> set[str]:
    """The pipes by which makes share out jobs: what they hand on and were not given by another.  A shell
    between two makes has them, and all that it starts."""
    found: set[str] = set()
    for process in by_serial.values():
        for start in process.images[:1] if process.parent in by_serial else ():
            above = image_at(by_serial[process.parent], start.at)
            if above is not None and is_make(above, root):
                given = set(above.inherited) - found
                found |= {x for x in start.inherited if x.startswith("pipe:")} - given
    return found


def _above(unit: Unit, by_serial: Mapping[int, Process]) -> Image:
    parent = by_serial[unit.processes[0].parent]
    assert unit.start is not None
    found = image_at(parent, unit.start.at)
    return found if found is not None else unit.start
