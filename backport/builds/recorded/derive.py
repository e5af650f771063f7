# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: PTH112, PTH118, PTH119, PTH120
# (paths by the hundred thousand: os.path takes a tenth of the time)
"""From the log of a watched build to its commands, and what its drivers looked at.

A path is written by at most one command: what writes the same paths is merged, and so is what waits
for each other in a circle.  What makes a command unsure (it is never run on its own) stands in `units`
and `unsure`; each is a way in which a run now could differ from its run in a clean build.  What makes
the whole recording unfit stands in `unfit_because`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from backport.builds.recorded.change_times import Names, named, note_change_times
from backport.builds.recorded.depfiles import lists_of_headers, rules_of, takes_texts
from backport.builds.recorded.outside_paths import Event, Paths
from backport.builds.recorded.places import Places
from backport.builds.recorded.recording import Command, Run, Touched
from backport.builds.recorded.twins import written_through
from backport.builds.recorded.units import (
    Unit,
    altered,
    find_drivers,
    find_units,
    image_at,
    is_make,
    unfit_because,
)
from backport.builds.recorded.unsure import (
    Written,
    fresh_folders,
    hidden_outputs,
    lies_in_submodule,
    shown_names,
    unsure_because,
)
from backport.builds.recorded.watch import Image, Process
from backport.builds.recorded.written_again import split_off_earlier

_SCRIPTS = 6
"""More scripts that interpret one another than the kernel follows."""
_DRIVERS = -1
"""The number of all drivers together, as a part of the build."""
_JOBS = re.compile(r" ?(?:-j\d*|--jobserver-(?:auth|fds)=\S+|--sync-mutex=\S+)")


class Derived(Struct, frozen=True):
    """What one watched run of the build did."""

    commands: tuple[Command, ...]
    drivers: Touched
    outside: dict[str, str]
    written: frozenset[str]
    """What the drivers wrote, and the folders that they made."""
    lists: frozenset[str]
    """Lists of headers that the drivers read."""
    altered: frozenset[str]
    """Files of the tree that commands changed or removed."""
    left: frozenset[str]
    """What was left outside of the worktree, in the build's own folders there: each command that is run again
    finds these empty."""
    unfit: str
    """Why no step may be built from it: something in it could not be followed."""


def summarize(
    events: Iterable[Event], make: Collection[int] = ()
) -> tuple[Touched, set[str], set[str]]:
    """What was looked at before it was written, what was written, and what of it is gone again.

    Who asks about a path may see all of it; only where a make asks (``make``: the numbers of such
    events), or by access(2), its being there is enough.
    """
    reads: set[str] = set()
    exists: set[str] = set()
    absent: set[str] = set()
    listings: set[str] = set()
    writes: set[str] = set()
    gone: set[str] = set()
    for number, kind, path in events:
        if kind == "D":
            listings.add(path)
            exists.add(path)
        elif kind in "Mm":
            # Whether it is there already is an answer; and where it went, so would what lies in it.
            absent.add(path)
            exists.add(path)
        elif kind == "K":
            listings.add(path)  # it was empty
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
            if kind == "E":
                absent.add(path)
            elif kind == "P" or (kind == "S" and number in make):
                exists.add(path)
            else:
                reads.add(path)
    return Touched(reads=frozenset(reads), exists=frozenset(exists - reads),
                   absent=frozenset(absent), listings=frozenset(listings)), writes, gone  # fmt: skip


def plain(word: str) -> str:
    """Without make's jobserver, whose descriptors are another build's."""
    return _JOBS.sub("", word) if word.startswith(("MAKEFLAGS=", "MFLAGS=")) else word


def derive(processes: Sequence[Process], paths: Paths, tracked: Collection[str]) -> Derived:
    """The commands of a watched build, and what was looked at to decide on them."""
    by_serial = {process.serial: process for process in processes}
    note_change_times(processes)
    root = paths.places.root
    driving = find_drivers(processes, by_serial, root)
    units = find_units(processes, by_serial, driving, root)
    parts = {unit.processes[0].serial: unit.processes for unit in units}
    parts[_DRIVERS] = [by_serial[serial] for serial in sorted(driving)]
    paths.expect(parts)
    driver_events: list[Event] = []
    makes: set[int] = set()
    for process in parts[_DRIVERS]:
        driver_events += paths.sort(process.events, _DRIVERS)
        makes |= {
            number
            for number, kind, _ in process.events
            if kind in "SR" and is_make(image_at(process, number), root)
            if not _loads_objects(process)
        }
    for unit in units:
        number = unit.processes[0].serial
        events = sorted((e for p in unit.processes for e in p.events), key=lambda e: e[0])
        unit.events = list(paths.sort(events, number))
        # What was looked at before the program was in place decided which program that is.
        if unit.start is not None:
            begun = unit.start.at - 1
            driver_events += [e for e in unit.events if e[0] < begun and e[1] in "RSPED"]
    paths.left()
    split_off_earlier(units, driver_events, paths.places, tracked)
    for unit in units:
        unit.writes = summarize(unit.events)[1]
    unfit = unfit_because(units, by_serial, driving, driver_events, tracked, root)
    _drop_passing(units, root, tracked)
    working = []
    of_the_tree: set[str] = set()
    names = _names(units, root)
    for unit in units:
        changed = altered(unit.events, tracked)
        of_the_tree |= changed
        if changed:
            unit.unsure = unit.unsure or f"it changes {min(changed)}, which is a file of the tree"
        unit.unsure = unit.unsure or paths.stray.get(unit.processes[0].serial, "")
        if not unit.unsure and (text := named(unit.processes, unit.events, root, names)):
            unit.unsure = f"it may go by when files were changed or read, as {text} does"
        # A recipe that writes nothing is a check: make goes on or not, as it does on every run.
        unit.answers |= not unit.writes and (not unit.under_make or unit.start is None)
        if unit.answers:
            driver_events += unit.events
        else:
            working.append(unit)
    driver_events.sort(key=lambda event: event[0])
    touched, driver_writes, _ = summarize(driver_events, makes)
    # What a driver wrote and then read it still relied on, for a command may write it too.
    touched |= Touched(reads=frozenset(path for _, kind, path in driver_events if kind in "RA"))
    written_by_drivers = frozenset(driver_writes)
    commands = _commands(
        working, driver_events, written_by_drivers, makes, root, of_the_tree, tracked
    )
    # Of what a command makes, access(2) tells the mode as well.
    made_by_commands = frozenset[str]().union(*(command.writes for command in commands))
    asked = {path for _, kind, path in driver_events if kind == "P"}
    touched |= Touched(reads=frozenset(asked & made_by_commands))
    lists = lists_of_headers(commands, root)
    read = _read_late(lists & touched.reads, driver_events, makes, working, root)
    depfiles = read | (lists - touched.reads)
    drivers = Touched(
        touched.reads - depfiles,
        touched.exists - depfiles,
        touched.absent - depfiles,
        touched.listings,
    )
    if not unfit:
        relied = [
            *parts[_DRIVERS],
            *(one for unit in units if unit.answers for one in unit.processes),
        ]
        unfit = (
            _moved_folder(processes, paths.places, tracked)
            or paths.blind
            or next((process.loose for process in relied if process.loose), "")
        )
    if not unfit and (name := written_through(processes, paths.places)):
        unfit = f"{name} is written to, and has another name"
    made = driver_writes | {path for _, kind, path in driver_events if kind == "M"}
    return Derived(
        tuple(commands),
        drivers,
        paths.outside,
        frozenset(made),
        read,
        frozenset(of_the_tree),
        frozenset(paths.remaining),
        unfit,
    )


def _read_late(
    lists: Collection[str],
    driver_events: Sequence[Event],
    makes: Collection[int],
    units: Sequence[Unit],
    root: str,
) -> frozenset[str]:
    """Of the lists of headers that drivers read, those that could decide nothing any more (`depfiles`).
    ``makes``: the numbers of what makes did."""
    if not lists:
        return frozenset()
    first: dict[str, int] = {}
    makefiles: set[str] = set()
    others: set[str] = set()
    for number, kind, path in driver_events:
        if kind in "RSPA" and number not in makes:
            others.add(path)
        elif kind == "R":
            makefiles.add(path)
            first.setdefault(path, number)
    if any(takes_texts(Path(root, path)) for path in makefiles - frozenset(lists)):
        return frozenset()
    made: dict[str, int] = {}
    for unit in units:
        for path in unit.writes:
            name = os.path.basename(path)
            made[name] = max(made.get(name, 0), unit.ended or sys.maxsize)
    found: set[str] = set()
    for path in lists:
        rules = rules_of(Path(root, path)) if path in first and path not in others else None
        if rules is not None and all(0 < made.get(x, 0) < first[path] for x in rules.targets):
            found.add(path)
    return frozenset(found)


def _names(units: Sequence[Unit], root: str) -> Names:
    by: dict[str, list[Unit]] = {}
    for unit in units:
        for path in unit.writes:
            by.setdefault(path, []).append(unit)
    return Names(
        root,
        lambda path: {p for one in by.get(path, ()) for _, kind, p in one.events if kind in "RA"},
    )


def _moved_folder(processes: Sequence[Process], places: Places, tracked: Collection[str]) -> str:
    """A folder that was renamed with what is read by its new name without being in the log by that: files of
    the tree, and links."""
    for process in processes:
        for number, raw in process.moved:
            place = places.resolve(raw, follow=False, at=number)[0]
            inside = places.inside(place)
            if inside is None or any(path.startswith(f"{inside}/") for path in tracked):
                return f"the folder {raw} is renamed"
            links = (link for one in processes for _, link, _ in one.links)
            if any(link.startswith((f"{place}/", f"{raw}/")) for link in links):
                return f"the folder {raw} is renamed, with links in it"
    return ""


def _loads_objects(process: Process) -> bool:
    """Whether a make has others' code in it (``load``, Guile), which may look at more than make does."""
    return any(kind == "R" and path.endswith(".so") for _, kind, path in process.events)


def _drop_passing(units: Sequence[Unit], root: str, tracked: Collection[str]) -> None:
    """Of a path that one unit made and removed, and no other unit saw (``.tmp.1234``), keep only that nothing
    was there."""
    seen: dict[str, int] = {}
    for n, unit in enumerate(units):
        for path in {path for _, _, path in unit.events}:
            seen[path] = -1 if path in seen else n
    for n, unit in enumerate(units):
        made = {path for _, kind, path in unit.events if kind == "M"}
        passing = {
            path
            for path in unit.writes | made
            if seen[path] == n
            and path not in tracked
            and not os.path.lexists(os.path.join(root, path))
        }
        if passing:
            unit.events = list(as_absent(unit.events, passing))
            unit.writes -= passing


def as_absent(events: Iterable[Event], passing: Collection[str]) -> Iterator[Event]:
    """What was done to passing paths, as what it tells of the tree: nothing is there, in a folder that is."""
    for number, kind, path in events:
        if path not in passing:
            yield number, kind, path
            continue
        yield number, "E", path
        if kind in "WANM" and (folder := os.path.dirname(path)) not in passing:
            yield number, "P", folder


def _commands(
    units: Sequence[Unit],
    driver_events: Sequence[Event],
    driver_writes: frozenset[str],
    makes: Collection[int],
    root: str,
    of_the_tree: Collection[str],
    tracked: Collection[str],
) -> list[Command]:
    groups = _merge(units)
    made: list[Command] = []
    written = Written(groups, driver_events, makes, root, of_the_tree)
    for n, group in enumerate(groups):
        group.sort(key=lambda unit: unit.processes[0].serial)
        events = sorted((e for unit in group for e in unit.events), key=lambda e: e[0])
        touched, writes, _ = summarize(events)
        runs: list[Run] = []
        unsure = next((unit.unsure for unit in group if unit.unsure), "")
        for unit in group:
            run = _run(unit)
            if isinstance(run, Run):
                if len(group) > 1:
                    _, wrote, removed = summarize(unit.events)
                    removed &= unit.writes
                    wrote = wrote & unit.writes - removed
                    run = replace(run, wrote=frozenset(wrote), removed=frozenset(removed))
                runs.append(run)
            else:
                unsure = unsure or run
        fresh = fresh_folders(group, written.there)
        hidden = frozenset(
            path
            for path in hidden_outputs(n, group, events, written) - fresh
            if not lies_in_submodule(path, tracked)
        )
        unsure = unsure or unsure_because(
            n, group, events, touched, writes, driver_writes, written, fresh | hidden
        )
        listed = frozenset(
            path
            for number, kind, folder in events
            if kind == "D"
            for path in shown_names(group, folder, written.others(folder, n))
            if path in written.there and written.first[path] < number
        )
        folders = frozenset(
            path
            for path in {path for _, kind, path in events if kind == "M"}
            if os.path.isdir(os.path.join(root, path))
        )
        gone = frozenset(path for path in writes if path not in written.there)
        links = frozenset(path for path in writes - gone if Path(root, path).is_symlink())
        earlier = {path: old for unit in group for path, old in unit.earlier.items()}
        left = listed, folders, gone, links, fresh, hidden, earlier
        made.append(Command(tuple(runs), touched, frozenset(writes), *left, unsure))
    return made


def _run(unit: Unit) -> Run | str:
    """What to start to have a unit again; or why that is not known."""
    start = unit.start
    if start is None:
        return "a part of a shell's own script"
    exe, argv = start.named or start.exe, start.argv
    if os.path.realpath(exe) != start.exe:
        # The kernel put an interpreter in place: it is for the script to name it, at the next run too.
        argv = argv[_interpreter_words(exe, start) :]
        if argv[:1] != (start.asked or exe,):
            return f"{exe} is run by another program"
    outs = (("1", start.stdout), ("2", start.stderr))
    mute = "".join(number for number, out in outs if out == "/dev/null")
    status, piped = unit.status or 0, start.stdin != "/dev/null"
    return Run(start.asked or exe, start.cwd, argv, start.env, status, piped, mute)


def _interpreter_words(script: str, start: Image) -> int:
    """How many arguments the kernel put before the name of a script: its interpreter and what its first line
    gives that, and the same again of an interpreter that is a script; 0 where it is something else."""
    count = 0
    for _ in range(_SCRIPTS):
        line = _first_line(script)
        if not line.startswith(b"#!"):
            return count if os.path.realpath(script) == start.exe else 0
        words = line[2:].strip().split(None, 1)
        if not words:
            return 0
        count += len(words)
        script = os.path.join(start.cwd, os.fsdecode(words[0]))
    return 0


def _first_line(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.readline(4096)
    except OSError:
        return b""


def _merge(units: Sequence[Unit]) -> list[list[Unit]]:
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
            if kind in "WANUMK":
                last[path] = max(last.get(path, 0), number)
    edges: set[tuple[int, int]] = set()
    for n, unit in enumerate(units):
        for number, kind, path in unit.events:
            if kind in "RSP" and path in first and top(first[path]) != top(n):
                edges.add((top(first[path]), top(n)))
                if last[path] > number:  # it must have been read before it goes
                    edges.add((top(n), top(first[path])))
    for ring in circles({top(n) for n in range(len(units))}, edges):
        for n in ring[1:]:
            up[top(n)] = top(ring[0])
    groups: dict[int, list[Unit]] = {}
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
