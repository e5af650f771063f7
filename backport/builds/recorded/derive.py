# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: PTH118, PTH119, PTH120
# (paths by the hundred thousand: os.path takes a tenth of the time)
"""From the log of a watched build to its commands and keepers.

A path is written by at most one command: what writes the same paths is merged, and so is what waits
for each other in a circle.  What makes a command unsure (it is never run on its own) stands in
`_unsure`; each is a way in which a run now could differ from its run in a clean build.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from backport.builds.recorded.places import Places
from backport.builds.recorded.recording import (
    Command,
    Keeper,
    Run,
    Signature,
    Touched,
    signature,
)
from backport.builds.recorded.watch import Image, Process
from backport.store.cache import digest

_MAKES = frozenset({"make", "gmake", "remake", "ninja", "samu", "bmake"})
_SHELLS = frozenset({"sh", "dash", "bash", "busybox", "ksh", "mksh", "zsh"})
_NOWHERE = ("/dev/", "/proc/", "/sys/")
_NOISE = re.compile(
    r"(?:_|PWD|OLDPWD|SHLVL|TERM|COLUMNS|LINES|LS_COLORS|DISPLAY|WINDOWID|MAKELEVEL|MAKE_TERM\w+"
    r"|SSH_\w+|XDG_\w+|GIT_\w+|DBUS_\w+|PYTEST_\w+|COV_\w+)="
)
_CLOCK = re.compile(r"\w+_(?:DATE|TIME|TIMESTAMP)=")
"""What makefiles export of the clock: no two builds of the same would be the same by it."""
_JOBS = re.compile(r" ?(?:-j\d*|--jobserver-(?:auth|fds)=\S+|--sync-mutex=\S+)")
_GLOB = re.compile(r"[^\s'\";&|()<>]*[*?\[][^\s'\";&|()<>]*")
_DEPFILE = re.compile(r"-(?:Wp,)?-?M(?:M?D|F)")


@dataclass(slots=True)
class _Unit:
    """A process that a keeper started, with all below it."""

    processes: list[Process]
    keeper: int
    start: Image | None
    status: int | None
    events: list[tuple[int, str, str]] = field(default_factory=list)
    unsure: str = ""
    answers: bool = False
    """Its keeper reads what it prints, or (a shell) may go by how it ends."""
    under_make: bool = False
    writes: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Derived:
    """What one watched run of the build did."""

    commands: tuple[Command, ...]
    keepers: tuple[Keeper, ...]
    outside: dict[str, Signature]
    outside_absent: frozenset[str]
    blind: str
    """What a keeper did that could not be followed: nothing is known then."""


class Paths:
    """Sorts what processes named into the worktree, temporary, and outside."""

    def __init__(self, places: Places, temporary: Sequence[str], writable: Sequence[str]) -> None:
        self.places = places
        self.temporary = tuple(f"{x.rstrip('/')}/" for x in temporary)
        self.writable = tuple(f"{x.rstrip('/')}/" for x in writable)
        self.outside: set[str] = set()
        self.outside_absent: set[str] = set()
        self.made: dict[str, int] = {}
        """Temporary and outside files that were written, with the unit that did."""
        self.stray: dict[int, str] = {}
        """Units that left or shared something outside."""

    def sort(
        self, events: Iterable[tuple[int, str, str]], unit: int
    ) -> Iterator[tuple[int, str, str]]:
        """The events in the worktree, by relative path; notes the others."""
        for number, kind, raw in events:
            follow = kind in "RWASD"
            path, links = self.places.resolve(raw, follow=follow)
            for link in links:
                inside = self.places.inside(link)
                if inside is not None:
                    yield number, "R", inside
            inside = self.places.inside(path)
            if inside is not None:
                yield number, kind, inside
            elif not path.startswith((*_NOWHERE, *self.writable)) and not path.startswith("/?"):
                self._elsewhere(kind, path, unit)

    def _elsewhere(self, kind: str, path: str, unit: int) -> None:
        if kind in "WAN":
            if self.made.setdefault(path, unit) != unit:
                self.stray[unit] = self.stray[self.made[path]] = f"shares {path}"
            if kind == "A" and path in self.outside:
                self.stray[unit] = f"changes {path}"
        elif path in self.made:
            if self.made[path] != unit and kind != "S":
                self.stray[unit] = self.stray[self.made[path]] = f"shares {path}"
        elif kind == "R":
            self.outside.add(path)
        elif kind == "E" and not path.startswith(self.temporary):
            self.outside_absent.add(path)
        elif kind == "U":
            self.stray[unit] = f"removes {path}"

    def left(self) -> None:
        """Look at what is still there after the run."""
        for path, unit in self.made.items():
            if os.path.lexists(path):
                self.stray[unit] = f"writes {path}"
        self.outside -= self.made.keys()
        self.outside_absent -= self.made.keys()


def summarize(events: Iterable[tuple[int, str, str]]) -> tuple[Touched, set[str], set[str]]:
    """What was looked at before it was written, what was written, and what of it is gone again."""
    reads: set[str] = set()
    exists: set[str] = set()
    absent: set[str] = set()
    listings: set[str] = set()
    writes: set[str] = set()
    gone: set[str] = set()
    for _, kind, path in events:
        if kind == "D":
            listings.add(path)
            exists.add(path)
        elif kind in "WN":
            writes.add(path)
            gone.discard(path)
        elif kind == "U":
            writes.add(path)
            gone.add(path)
        elif kind == "A":
            if path not in writes:
                reads.add(path)
            writes.add(path)
        elif path not in writes:
            {"R": reads, "S": exists, "E": absent}[kind].add(path)
    return Touched(reads=frozenset(reads), exists=frozenset(exists - reads),
                   absent=frozenset(absent), listings=frozenset(listings)), writes, gone  # fmt: skip


def identity(image: Image) -> str:
    """What a keeper is: the same in the next build when nothing above it changed."""
    env = (plain(x) for x in image.env if not (_NOISE.match(x) or _CLOCK.match(x)))
    return digest(image.exe, image.cwd, *map(plain, image.argv), "", *sorted(env))


def plain(word: str) -> str:
    """Without make's jobserver, whose descriptors are another build's."""
    return _JOBS.sub("", word) if word.startswith(("MAKEFLAGS=", "MFLAGS=")) else word


def is_noise(variable: str) -> bool:
    """Whether a ``NAME=value`` of the environment says nothing to a build."""
    return _NOISE.match(variable) is not None


def derive(processes: Sequence[Process], paths: Paths) -> Derived:
    """The commands and keepers of a watched build."""
    by_serial = {process.serial: process for process in processes}
    keeping = _keepers(processes, by_serial)
    units = _units(processes, by_serial, keeping)
    keeper_events: dict[int, list[tuple[int, str, str]]] = {serial: [] for serial in keeping}
    for serial in keeping:
        keeper_events[serial] += paths.sort(by_serial[serial].events, -serial)
    for unit in units:
        number = unit.processes[0].serial
        events = sorted((e for p in unit.processes for e in p.events), key=lambda e: e[0])
        unit.events = list(paths.sort(events, number))
        unit.writes = summarize(unit.events)[1]
    paths.left()
    _drop_passing(units, paths.places.root)
    working = []
    for unit in units:
        unit.unsure = unit.unsure or paths.stray.get(unit.processes[0].serial, "")
        # A recipe that writes nothing is a check: make goes on or not, as it does on every run.
        unit.answers |= not unit.writes and not unit.under_make
        if unit.answers:
            keeper_events[unit.keeper] += unit.events
        else:
            working.append(unit)
    keepers, identities = _make_keepers(by_serial, keeping, keeper_events)
    kept_writes = frozenset[str]().union(*(keeper.writes for keeper in keepers))
    commands = _commands(working, identities, kept_writes, paths.places.root)
    depfiles = _depfiles(commands)
    keepers = tuple(
        Keeper(
            k.identity,
            k.parent,
            Touched(
                k.touched.reads - depfiles,
                k.touched.exists - depfiles,
                k.touched.absent - depfiles,
                k.touched.listings,
            ),
            k.writes,
        )
        for k in keepers
    )
    outside = {p: s for p in paths.outside if (s := signature(p)) is not None}
    relied = [by_serial[serial] for serial in sorted(keeping)]
    relied += [process for unit in units if unit.answers for process in unit.processes]
    blind = next((process.opaque for process in relied if process.opaque), "")
    return Derived(tuple(commands), keepers, outside, frozenset(paths.outside_absent), blind)


def _keepers(processes: Sequence[Process], by_serial: dict[int, Process]) -> set[int]:
    """Every make, what is above one, and the process that all began with."""
    found = {processes[0].serial}
    for process in processes:
        if any(os.path.basename(image.exe) in _MAKES for image in process.images):
            at = process.serial
            while at in by_serial and at not in found:
                found.add(at)
                at = by_serial[at].parent
    return found


def _units(
    processes: Sequence[Process], by_serial: dict[int, Process], keeping: set[int]
) -> list[_Unit]:
    units: dict[int, _Unit] = {}
    top: dict[int, int] = {}
    for process in processes:  # parents before children: serials are given in that order
        if process.serial in keeping:
            continue
        if process.parent in keeping:
            top[process.serial] = process.serial
            units[process.serial] = _unit(process, by_serial[process.parent])
        else:
            top[process.serial] = top[process.parent]
            units[top[process.serial]].processes.append(process)
        unit = units[top[process.serial]]
        if process.opaque:
            unit.unsure = unit.unsure or process.opaque
    return list(units.values())


def _unit(process: Process, parent: Process) -> _Unit:
    start = process.images[0] if process.images else None
    unit = _Unit([process], parent.serial, start, process.status)
    above = parent.images[-1] if parent.images else None
    if start is None or above is None:
        unit.unsure = "a part of a shell's own script"
        unit.answers = start is None and not process.events
        return unit
    is_make = unit.under_make = os.path.basename(above.exe) in _MAKES
    if start.stdout != above.stdout and start.stdout.startswith(("pipe:", "socket:")):
        unit.answers = True
    elif start.stdout != above.stdout and not is_make and start.stdout != "/dev/null":
        unit.unsure = "the shell above redirected its output to a file"
    if not is_make and start.stdin not in (above.stdin, "/dev/null"):
        unit.unsure = "its input came from the shell above"
    # The program's own path is read at the moment it starts, just before `at`.
    before = [p for n, kind, p in process.events if n < start.at - 1 and kind in "WAR"]
    if any(not path.startswith(_NOWHERE) for path in before):
        unit.unsure = "the shell above opened a file for it"
    return unit


def _drop_passing(units: Sequence[_Unit], root: str) -> None:
    """Forget paths that one unit made and removed and nobody else saw (``.tmp.1234``)."""
    seen: dict[str, int] = {}
    for n, unit in enumerate(units):
        for path in {path for _, _, path in unit.events}:
            seen[path] = -1 if path in seen else n
    for n, unit in enumerate(units):
        passing = {
            path
            for path in unit.writes
            if seen[path] == n and not os.path.lexists(os.path.join(root, path))
        }
        if passing:
            unit.events = [event for event in unit.events if event[2] not in passing]
            unit.writes -= passing


def _make_keepers(
    by_serial: dict[int, Process],
    keeping: set[int],
    events: dict[int, list[tuple[int, str, str]]],
) -> tuple[tuple[Keeper, ...], dict[int, str]]:
    identities = {
        serial: identity(by_serial[serial].images[-1]) if by_serial[serial].images else ""
        for serial in keeping
    }
    merged: dict[str, Keeper] = {}
    for serial in sorted(keeping):
        touched, writes, _ = summarize(events[serial])
        me = identities[serial]
        # What a keeper wrote and then read it still relied on, for a command may write it too.
        everything = frozenset(path for _, kind, path in events[serial] if kind in "RA")
        touched |= Touched(reads=everything)
        parent = identities.get(by_serial[serial].parent, "")
        old = merged.get(me)
        if old is not None:
            touched, writes = touched | old.touched, writes | old.writes
        merged[me] = Keeper(me, parent, touched, frozenset(writes))
    return tuple(merged.values()), identities


def _commands(
    units: Sequence[_Unit], identities: dict[int, str], kept_writes: frozenset[str], root: str
) -> list[Command]:
    groups = _merge(units)
    made: list[Command] = []
    first_write: dict[str, int] = {}
    writer: dict[str, int] = {}
    for n, group in enumerate(groups):
        for unit in group:
            for number, kind, path in unit.events:
                if kind in "WANU":
                    first_write[path] = min(first_write.get(path, number), number)
                    writer[path] = n
    for n, group in enumerate(groups):
        group.sort(key=lambda unit: unit.processes[0].serial)
        events = sorted((e for unit in group for e in unit.events), key=lambda e: e[0])
        touched, writes, _ = summarize(events)
        unsure = next((unit.unsure for unit in group if unit.unsure), "")
        later = {
            path
            for path, at in first_write.items()
            if writer[path] != n and at > events[0][0] and os.path.lexists(os.path.join(root, path))
        }
        unsure = unsure or _unsure(group, events, touched, writes, kept_writes, first_write, later)
        made.append(
            Command(
                tuple(_run(unit) for unit in group if unit.start),
                touched,
                frozenset(writes),
                frozenset(identities[unit.keeper] for unit in group),
                unsure,
            )
        )
    return made


def _unsure(
    group: Sequence[_Unit],
    events: Sequence[tuple[int, str, str]],
    touched: Touched,
    writes: set[str],
    kept_writes: frozenset[str],
    first_write: dict[str, int],
    later: set[str],
) -> str:
    """Why a command may not be run on its own, or ""."""
    if any(unit.status is None for unit in group):
        return "its end was not recorded"
    if touched.reads & writes:
        return f"it changes {min(touched.reads & writes)} in place"
    if writes & kept_writes:
        return f"a make or shell writes {min(writes & kept_writes)} too"
    own = writes
    for number, kind, path in events:
        if kind in "RSE" and path not in own and first_write.get(path, 0) > number:
            if kind == "E" and path not in later:
                continue  # made and removed again: as absent now as then
            return f"it looked for {path} before that was made"
    for path in touched.listings:
        near = [p for p in later if os.path.dirname(p) == path]
        if near and not _only_globs(group, path, near):
            return f"it listed {path or '.'} before {near[0]} was made"
    return ""


def _only_globs(group: Sequence[_Unit], folder: str, names: Sequence[str]) -> bool:
    """Whether shells alone opened ``folder``, for patterns that none of ``names`` fits."""
    patterns: list[str] = []
    for unit in group:
        opened = {n for n, kind, path in unit.events if kind == "D" and path == folder}
        for process in unit.processes:
            for at in opened & {number for number, kind, _ in process.events if kind == "D"}:
                image = next((i for i in reversed(process.images) if i.at < at), unit.start)
                if image is None or os.path.basename(image.exe) not in _SHELLS:
                    return False
                if "-c" not in image.argv:
                    return False
                patterns += _GLOB.findall(" ".join(image.argv))
    return bool(patterns) and not any(
        fnmatch.fnmatch(os.path.basename(name), os.path.basename(pattern))
        for name in names
        for pattern in patterns
    )


def _run(unit: _Unit) -> Run:
    assert unit.start is not None
    start = unit.start
    return Run(start.exe, start.cwd, start.argv, tuple(map(plain, start.env)), unit.status or 0)


def _merge(units: Sequence[_Unit]) -> list[list[_Unit]]:
    """Units that write the same path together; then those that wait for each other in a circle."""
    up = list(range(len(units)))

    def top(n: int) -> int:
        while up[n] != n:
            up[n] = up[up[n]]
            n = up[n]
        return n

    first: dict[str, int] = {}
    for n, unit in enumerate(units):
        for path in unit.writes:
            up[top(n)] = top(first.setdefault(path, n))
    last: dict[str, int] = {}
    for unit in units:
        for number, kind, path in unit.events:
            if kind in "WANU":
                last[path] = max(last.get(path, 0), number)
    edges: set[tuple[int, int]] = set()
    for n, unit in enumerate(units):
        for number, kind, path in unit.events:
            if kind in "RS" and path in first and top(first[path]) != top(n):
                edges.add((top(first[path]), top(n)))
                if last[path] > number:  # it must have been read before it goes
                    edges.add((top(n), top(first[path])))
    for ring in circles({top(n) for n in range(len(units))}, edges):
        for n in ring[1:]:
            up[top(n)] = top(ring[0])
    groups: dict[int, list[_Unit]] = {}
    for n, unit in enumerate(units):
        groups.setdefault(top(n), []).append(unit)
    return list(groups.values())


def circles(nodes: Iterable[int], edges: Iterable[tuple[int, int]]) -> Iterator[list[int]]:
    """Strongly connected components of more than one node."""
    import networkx

    graph: networkx.DiGraph[int] = networkx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(edges)
    for ring in networkx.strongly_connected_components(graph):
        if len(ring) > 1:
            yield sorted(ring)


def _depfiles(commands: Sequence[Command]) -> frozenset[str]:
    """Compilers' lists of the headers they read, and what is made of such lists alone.

    Make takes from them what to build again, never how.
    """
    found = {path for command in commands for path in command.writes if _is_depfile(command, path)}
    for command in commands:  # in the order of their first runs: makers before users
        if command.touched.reads and command.touched.reads <= found:
            found |= command.writes
    return frozenset(found)


def _is_depfile(command: Command, path: str) -> bool:
    return path.endswith(".d") and any(
        _DEPFILE.match(word) or "-MD" in word or "-MMD" in word
        for run in command.runs
        for word in run.argv
    )
