# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: PTH119
# (paths by the hundred thousand: os.path takes a tenth of the time)
"""Runs the commands of a recording whose inputs changed, each under watch again.

Whether a command that only reads what another makes must run is known when that one has ended: an
output whose bytes are the same stops the change there.

Where only some outputs are wanted, a command that takes nothing but objects which link as before
(`names`) is put off, unless it is on the way to one of those: it is `late`, until something that must
run needs it, or until the whole is wanted again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

from backport.builds.process import Stop, run_bounded
from backport.builds.recorded.contents import Contents
from backport.builds.recorded.derive import Paths, summarize
from backport.builds.recorded.places import Places
from backport.builds.recorded.recording import (
    Command,
    Recording,
    Run,
    Signature,
    Touched,
    signature,
)
from backport.builds.recorded.watch import read_log


class Stopped(Exception):
    """A replay that cannot be trusted or did not succeed; the full build decides."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Outputs of one command that differ now; ``quiet`` are those that link as before."""

    changed: frozenset[str]
    quiet: frozenset[str]


class Runner:
    """One replay of a recording; ``late`` are the commands that it has put off."""

    def __init__(
        self,
        recording: Recording,
        root: Path,
        prefix: Sequence[str],
        watcher: Path,
        temporary: Path,
        writable: Sequence[str],
        timeout: int,
        contents: Contents,
        made: Callable[[str], None],
    ) -> None:
        self.contents = contents
        self.recording = recording
        self.root = root
        self.prefix = (*prefix, str(watcher))
        self.temporary = temporary
        self.writable = tuple(writable)
        self.timeout = timeout
        self.made = made
        self.commands = list(recording.commands)
        self.outside: dict[str, Signature] = {}
        self.outside_absent: set[str] = set()
        self.ran: list[int] = []
        self.late: set[int] = set(recording.late)
        self._stop: Stop
        self._writer = {p: n for n, command in enumerate(self.commands) for p in command.writes}
        self._kept = frozenset[str]().union(
            *(k.touched.reads | k.touched.listings for k in recording.keepers)
        )
        self._above = [
            self._makers(command.touched) - {n} for n, command in enumerate(self.commands)
        ]

    def run(self, first: frozenset[int], jobs: int, wanted: frozenset[str] | None = None) -> None:
        """Run ``first`` and what their outputs reach, or of that what ``wanted`` outputs need.

        Raises `Stopped`.
        """
        if wanted is None:
            first |= self.late
        unsure = next(
            (self.commands[n].unsure for n in sorted(first) if self.commands[n].unsure), ""
        )
        if unsure:
            raise Stopped(unsure)
        reach = self._reach(first | self.late)
        needed = self._needed(reach if wanted is None else self._makers(Touched(reads=wanted)))
        due, done = set(first), set[int]()
        self._call(due, done, self.late & needed)
        going: dict[Future[_Outcome], int] = {}
        with Stop() as self._stop, ThreadPoolExecutor(jobs) as pool:
            try:
                while len(done) < len(reach):
                    waiting = reach - done - set(going.values())
                    ready = {n for n in waiting if self._above[n] & reach <= done}
                    owed = self.late & self._needed(ready & due) - due
                    if owed:  # what was put off is needed now
                        self._call(due, done, owed)
                        continue
                    done |= ready - due
                    for n in sorted(ready & due):
                        self.late.discard(n)
                        going[pool.submit(self._one, n)] = n
                    if not ready and not going:
                        raise Stopped("commands wait for each other in a circle")
                    if ready - due:
                        continue
                    for future in wait(going, return_when=FIRST_COMPLETED).done:
                        n = going.pop(future)
                        out = future.result()
                        done.add(n)
                        self.ran.append(n)
                        for m in reach - set(self.ran) - set(going.values()):
                            if self._must(m, out, needed):
                                self._call(due, done, {m})
                            elif m not in due and not out.changed.isdisjoint(self._inputs(m)):
                                self.late.add(m)
            except BaseException:
                self._stop.set()
                raise

    def _must(self, n: int, out: _Outcome, needed: frozenset[int]) -> bool:
        counts = out.changed if n in needed else out.changed - out.quiet
        return not counts.isdisjoint(self._inputs(n))

    @staticmethod
    def _call(due: set[int], done: set[int], commands: set[int] | frozenset[int]) -> None:
        """Have commands run, also those that were passed over."""
        due |= commands
        done -= commands

    def _needed(self, commands: set[int] | frozenset[int]) -> frozenset[int]:
        """These, and whatever they take something from."""
        found, edge = set(commands), set(commands)
        while edge:
            edge = set[int]().union(*(self._above[n] for n in edge)) - found
            found |= edge
        return frozenset(found)

    def _inputs(self, n: int) -> frozenset[str]:
        touched = self.recording.commands[n].touched
        return touched.reads | touched.exists

    def _makers(self, touched: Touched) -> set[int]:
        return {self._writer[p] for p in touched.reads | touched.exists if p in self._writer}

    def _reach(self, first: frozenset[int]) -> frozenset[int]:
        found, edge = set(first), set(first)
        while edge:
            edge = {n for n, above in enumerate(self._above) if above & edge} - found
            found |= edge
        return frozenset(found)

    def _one(self, n: int) -> _Outcome:
        """Run one command from the state it was recorded in; the outputs that differ now."""
        command = self.commands[n]
        if command.unsure:
            raise Stopped(command.unsure)
        before = {path: self.contents.of(path) for path in command.writes}
        for path, content in before.items():
            if content.digest:
                self._remove(path)
        events: list[tuple[int, str, str]] = []
        made: dict[str, int] = {}
        for at, run in enumerate(command.runs):
            seen, paths = self._start(run, f"{n}.{at}", made)
            events += [(0, kind, path) for kind, path in seen]
            self.outside_absent |= paths.outside_absent
            for path in paths.outside:
                now = signature(path)
                if now is not None:
                    self.outside[path] = now
        self._adopt(n, command, events)
        for path in command.writes:
            self.made(path)
        after = {path: self.contents.of(path) for path in command.writes}
        changed = frozenset(path for path in after if before[path].digest != after[path].digest)
        for path in changed & self._kept:
            raise Stopped(f"{path} changed, which make reads to decide what to do")
        quiet = {p for p in changed if before[p].names == after[p].names is not None}
        return _Outcome(changed, frozenset(quiet))

    def _remove(self, path: str) -> None:
        place = self.root / path
        if place.parent.resolve() != self.root.resolve() / Path(path).parent:
            raise Stopped(f"{path} is now reached through a link")
        place.unlink()

    def _start(
        self, run: Run, name: str, made: dict[str, int]
    ) -> tuple[list[tuple[str, str]], Paths]:
        if self._stop.is_set:
            raise Stopped("another command stopped the replay")
        log = self.temporary / f"replay-{os.getpid()}-{name}.log"
        words = [*self.prefix, str(log), run.cwd, run.exe, *run.argv]
        env = dict(x.split("=", 1) for x in run.env if "=" in x)
        status, _ = run_bounded(words, self.root, env, self.timeout, self._stop)
        processes = read_log(log)
        if not processes:
            raise Stopped(f"{_name(run)} could not be watched")
        if status != run.status:
            raise Stopped(f"{_name(run)} ended with {status}")
        opaque = next((p.opaque for p in processes if p.opaque), "")
        if opaque:
            raise Stopped(f"{_name(run)}: {opaque}")
        paths = Paths(Places(self.root), [str(self.temporary), "/tmp"], self.writable)
        paths.made = made
        events = sorted((e for p in processes for e in p.events), key=lambda e: e[0])
        seen = [(kind, path) for _, kind, path in paths.sort(events, 0)]
        paths.left()
        if paths.stray:
            raise Stopped(f"{_name(run)} {paths.stray[0]}")
        return seen, paths

    def _adopt(self, n: int, command: Command, events: list[tuple[int, str, str]]) -> None:
        """Take over what the command looked at this time, if its place is still the same."""
        touched, writes, _ = summarize(events)
        passing = {
            path
            for path in writes - command.writes
            if not os.path.lexists(self.root / path) and path not in self._writer
        }
        writes -= passing
        if writes != command.writes:
            other = min(writes ^ command.writes)
            raise Stopped(f"{_name(command.runs[0])} treated {other} differently than before")
        touched = Touched(
            touched.reads - passing,
            touched.exists - passing,
            touched.absent - passing,
            touched.listings,
        )
        if touched.reads & writes:
            raise Stopped(
                f"{_name(command.runs[0])} changes {min(touched.reads & writes)} in place"
            )
        new = self._makers(touched) - self._above[n] - {n}
        if new:
            raise Stopped(f"{_name(command.runs[0])} reads what another command makes")
        if command.touched.listings != touched.listings:
            raise Stopped(f"{_name(command.runs[0])} listed other directories than before")
        self.commands[n] = replace(command, touched=touched)


def _name(run: Run) -> str:
    return " ".join([os.path.basename(run.exe), *run.argv[-1:]])[:120]
