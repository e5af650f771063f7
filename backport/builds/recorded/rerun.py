# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: PTH119, PTH120
# (paths by the hundred thousand: os.path takes a tenth of the time)
"""Runs the commands of a recording whose inputs changed, each under watch again.

Whether a command that only reads what another makes must run is known when that one has ended: an
output whose bytes are the same stops the change there.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from threading import Condition

from msgspec.structs import replace

from backport.builds.outside_state import LISTING
from backport.builds.process import Stop, run_bounded
from backport.builds.recorded.change_times import Names, named, note_change_times
from backport.builds.recorded.contents import Contents
from backport.builds.recorded.depfiles import Rules, rules_of
from backport.builds.recorded.derive import as_absent, summarize
from backport.builds.recorded.outside_paths import Event, Paths
from backport.builds.recorded.places import Places
from backport.builds.recorded.recording import Command, Earlier, Recording, Run, Touched
from backport.builds.recorded.twins import written_through
from backport.builds.recorded.unsure import takes_folder
from backport.builds.recorded.watch import Process, read_log
from backport.builds.recorded.written_again import without_earlier

_CLOCK = 20_000_000
"""ns by which a file's date may lie behind the clock, which is looked at by ticks for it."""
_PART = 1
"""The number of a command's runs, as a part of the build."""


class Stopped(Exception):
    """A replay that cannot be trusted or did not succeed; the full build decides."""


class Runner:
    """One replay of a recording."""

    def __init__(
        self,
        recording: Recording,
        root: Path,
        prefix: Sequence[str],
        watcher: Path,
        temporary: Path,
        caches: Sequence[str],
        timeout: int,
        contents: Contents,
        made: Callable[[str], None],
        since: int,
        tracked: Callable[[], Collection[str]],
    ) -> None:
        """``since``: the date of the tree's files, in ns: what a build makes is newer.  ``tracked``: their
        paths."""
        self.contents = contents
        self.recording = recording
        self.root = root
        self.prefix = (*prefix, str(watcher))
        self.temporary = temporary
        self.caches = tuple(caches)
        self.timeout = timeout
        self.made = made
        self.since = since
        self._tracked_paths = tracked
        self._names = frozenset(os.path.basename(path) for path in recording.outputs)
        self.commands = list(recording.commands)
        self.outside: dict[str, str] = {}
        self.ran: list[int] = []
        self.moved: set[str] = set()
        """Outputs that have been elsewhere meanwhile: their change times are other than before."""
        self._folder_dates: dict[str, int] = {}
        """The dates of folders before anything was made anew in them."""
        self._due: set[int] = set()
        self._going: set[int] = set()
        self._stop: Stop
        self._turns = _Turns()
        self._writer = {p: n for n, command in enumerate(self.commands) for p in command.writes}
        self._folder_makers = {
            p: n for n, command in enumerate(self.commands) for p in command.folders
        }
        self._above = [
            self._makers(command.touched, command.listed) - {n}
            for n, command in enumerate(self.commands)
        ]

    def run(self, first: frozenset[int], jobs: int) -> None:
        """Run ``first`` and what their outputs reach.  Raises `Stopped`."""
        for n in sorted(first):
            if self.commands[n].unsure:
                raise Stopped(self.commands[n].unsure)
        reach = self._reach(first)
        due, done = self._due, set[int]()
        due |= first
        going: dict[Future[frozenset[str]], int] = {}
        with self._dated_folders(), Stop() as self._stop, ThreadPoolExecutor(jobs) as pool:
            try:
                while len(done) < len(reach):
                    waiting = reach - done - set(going.values())
                    ready = {n for n in waiting if self._above[n] & reach <= done}
                    done |= ready - due
                    for n in sorted(ready & due):
                        self._going.add(n)
                        going[pool.submit(self._one, n)] = n
                    if not ready and not going:
                        raise Stopped("commands wait for each other in a circle")
                    if ready - due:
                        continue
                    for future in wait(going, return_when=FIRST_COMPLETED).done:
                        n = going.pop(future)
                        changed = future.result()
                        done.add(n)
                        self._going.discard(n)
                        self.ran.append(n)
                        due |= {
                            m
                            for m in reach - done - set(going.values())
                            if not changed.isdisjoint(self._inputs(m))
                        }
            except BaseException:
                self._stop.set()
                raise

    @contextmanager
    def _dated_folders(self) -> Iterator[None]:
        """A command that stops has its folders keep their dates, too."""
        try:
            yield
        except BaseException:
            self._date_folders(self._folder_dates)
            raise

    @cached_property
    def _tracked(self) -> frozenset[str]:
        return frozenset(self._tracked_paths())

    @cached_property
    def _tracked_names(self) -> frozenset[str]:
        return frozenset(map(os.path.basename, self._tracked))

    @property
    def pending(self) -> frozenset[int]:
        """After a stop: the commands that must run whatever changes next, because they have not finished, or
        read what has changed since the recording."""
        written = {path for n in self._going for path in self.commands[n].writes}
        return frozenset(self._due).union(
            m for m in range(len(self.commands)) if not written.isdisjoint(self._inputs(m))
        )

    def _inputs(self, n: int) -> frozenset[str]:
        touched = self.recording.commands[n].touched
        return touched.reads | touched.exists

    def _makers(self, touched: Touched, listed: frozenset[str] = frozenset()) -> set[int]:
        wanted = touched.reads | touched.exists | listed
        return {self._writer[path] for path in wanted if path in self._writer}

    def _made_from(self, path: str, read: Collection[str]) -> Collection[str]:
        """What was read to make a path, or ``read`` where it may be of the run that is looked at."""
        writer = self._writer.get(path)
        return self.commands[writer].touched.reads.union(read) if writer is not None else read

    def _reach(self, first: frozenset[int]) -> frozenset[int]:
        found, edge = set(first), set(first)
        while edge:
            edge = {n for n, above in enumerate(self._above) if above & edge} - found
            found |= edge
        return frozenset(found)

    def _one(self, n: int) -> frozenset[str]:
        """Run one command from the state it was recorded in; the outputs that differ now."""
        command = self.commands[n]
        if command.unsure:
            raise Stopped(command.unsure)
        alone = command.fresh or command.hidden
        with self._turns.alone() if alone else self._turns.beside_others():
            return self._run(n, command)

    def _run(self, n: int, command: Command) -> frozenset[str]:
        before = {path: self.contents.of(path) for path in command.writes}
        again = n in self.recording.pending
        """What its outputs held before is not known any more."""
        dates = {path: when for path in before if (when := self._date(path)) is not None}
        dates |= {path: when for path, when in self.recording.dates.items() if path in before}
        shared = {path for path in before if self._has_other_names(path)}
        lists = {path: self._rules(path) for path in command.writes & self.recording.lists}
        written = command.writes | command.folders | command.fresh | command.hidden
        homes = {os.path.dirname(path) for path in written}
        for path in homes | command.folders:
            if path not in self._folder_dates and (date := self._date(path)) is not None:
                self._folder_dates.setdefault(path, date)
        for path, content in before.items():
            if content.digest:
                self._remove(path)
        folders = sorted(command.folders | command.fresh, reverse=True)
        there = {path for path in folders if not self._emptied(path)}
        kept = there - command.fresh
        with self._put_aside(n, there & command.fresh | command.hidden):
            self._date_folders(homes)
            begun, events = self._start_all(n, kept)
        self._adopt(n, command, events, kept)
        dated = {path for path, when in dates.items() if self._is_dated(path, when, begun)}
        self._date_folders(homes | command.folders)
        for path in command.writes:
            self.made(path)
        for path in sorted(command.writes):
            if self._is_of_another_kind(path, command):
                raise Stopped(f"{path} is there and was not, or is something else than it was")
        after = {path: self.contents.of(path) for path in command.writes}
        changed = frozenset(path for path in after if before[path].digest != after[path].digest)
        changed = changed | dated | shared if not again else frozenset(after)
        for path, said in lists.items():
            says = self._rules(path)
            if again or said is None or says is None or says.is_decided_by(said, self._names):
                raise Stopped(f"{path} changed, which decides what is run")
        drivers = self.recording.drivers
        for path in sorted((changed & drivers.reads) | (dated & drivers.exists)):
            raise Stopped(f"{path} changed, which decides what is run")
        return changed

    def _start_all(self, n: int, kept: set[str]) -> tuple[int, list[Event]]:
        """Start what a command starts: since when (ns), and what it did."""
        command = self.commands[n]
        for path, old in command.earlier.items():
            self._put_back(path, old)
        begun = time.time_ns() - _CLOCK
        events: list[Event] = []
        made: dict[str, int] = {}
        unseen = set(kept)
        for at, run in enumerate(command.runs):
            seen, paths = self._start(run, f"{n}.{at}", made, unseen)
            if len(command.runs) > 1:
                _, wrote, removed = summarize(seen)
                wrote = wrote & command.writes - removed
                if odd := (wrote ^ run.wrote) | (removed & command.writes ^ run.removed):
                    raise Stopped(f"{_name(run)} treated {min(odd)} differently than before")
            events += seen
            self.outside |= paths.outside
        return begun, without_earlier(events, command.earlier)

    def _put_back(self, path: str, old: Earlier) -> None:
        """Write what a file held before the command wrote over it; its place is a folder of the worktree."""
        place = self.root / path
        if not self._is_own(path):
            raise Stopped(f"{path} is now reached through a link")
        if os.path.lexists(place) or not place.parent.is_dir():
            raise Stopped(f"{path} cannot be put back")
        with place.open("xb") as file:
            os.fchmod(file.fileno(), stat.S_IMODE(old.mode))
            file.write(old.content.encode("utf-8", "surrogateescape"))
        os.utime(place, ns=(old.date, old.date))

    @contextmanager
    def _put_aside(self, n: int, paths: Collection[str]) -> Iterator[None]:
        """Have what is others' not be there; then put what was made in a folder's place into it."""
        if not paths:
            yield
            return
        outermost = {x for x in paths if not any(x.startswith(f"{other}/") for other in paths)}
        for path in outermost:
            place = self.root / path
            if not self._is_own(path):
                raise Stopped(f"{path} is now reached through a link")
            if place.is_dir() and any(name.startswith(f"{path}/") for name in self._tracked):
                raise Stopped(f"{path}, which a command makes, is a folder of the tree now")
        aside = Path(tempfile.mkdtemp(prefix=f"aside-{n}-", dir=self.temporary))
        moved: list[tuple[str, Path]] = []
        try:
            for number, path in enumerate(sorted(outermost)):
                place, there = self.root / path, aside / str(number)
                if os.path.lexists(place):
                    _rename(place, there)
                    moved.append((path, there))
            yield
        finally:
            lost = [path for path, there in moved if not self._is_back(path, there)]
            shutil.rmtree(aside, ignore_errors=True)
            if lost:
                raise Stopped(f"{lost[0]} cannot be put back")

    def _is_back(self, path: str, there: Path) -> bool:
        """Bring back what was put aside, with what was made in a folder's place; False where that cannot be.

        The command ran in the sandbox, and this does not: a folder that is a link now is not gone through.
        """
        place = self.root / path
        if not self._is_own(path):
            return False
        try:
            # What is in the way is not the command's own: that it was written, the caller sees.
            if _is_folder(there):
                _merge_folders(place, there)
            _clear(place)
            _rename(there, place)
        except (OSError, Stopped):
            return False
        self.moved.add(path)
        return True

    def _is_own(self, path: str) -> bool:
        """Whether a path's folder is one of the worktree, reached without a link."""
        return (self.root / path).parent.resolve() == self.root.resolve() / Path(path).parent

    def _has_other_names(self, path: str) -> bool:
        """Whether a file has more names than this (``ln``): made anew, it is not what they stand for."""
        try:
            st = (self.root / path).lstat()
        except OSError:
            return False
        return st.st_nlink > 1 and not stat.S_ISDIR(st.st_mode)

    def _is_of_another_kind(self, path: str, command: Command) -> bool:
        """Whether an output came, went, or became a link or a file: a listing shows it."""
        try:
            mode = (self.root / path).lstat().st_mode
        except OSError:
            return path not in command.gone
        return path in command.gone or stat.S_ISLNK(mode) != (path in command.links)

    def _date_folders(self, paths: Collection[str]) -> None:
        """Give folders the dates that they had, as what is in them: which is newer stays as in the clean
        build."""
        for path in paths:
            place = self.root.resolve() / path
            if path in self._folder_dates and place.is_dir() and place.resolve() == place:
                # Another command that makes it may have emptied it meanwhile: it dates it, too.
                with suppress(FileNotFoundError):
                    os.utime(place, ns=(self._folder_dates[path], self._folder_dates[path]))

    def _is_dated(self, path: str, when: int, begun: int) -> bool:
        """Whether a command has given its output another date than that of its making.

        Else it gets the date that it had: which of two outputs is newer stays as in the clean build.
        """
        now = self._date(path)
        if now is None or now == when:
            return False
        if not begun <= now <= time.time_ns() + _CLOCK:
            return True
        if when <= self.since:
            raise Stopped(f"{path} had a date that was given to it, and has none now")
        os.utime(self.root / path, ns=(when, when), follow_symlinks=False)
        return False

    def _rules(self, path: str) -> Rules | None:
        rules = rules_of(self.root / path)
        return rules and rules.own(self._names, self._tracked_names, str(self.root.resolve()))

    def _date(self, path: str) -> int | None:
        try:
            return (self.root / path).lstat().st_mtime_ns
        except OSError:
            return None

    def _emptied(self, path: str) -> bool:
        """Remove a folder that the command makes, unless there is something in it."""
        if not self._is_own(path):
            raise Stopped(f"{path} is now reached through a link")
        try:
            (self.root / path).rmdir()
        except OSError:
            return not os.path.lexists(self.root / path)
        return True

    def _remove(self, path: str) -> None:
        place = self.root / path
        if not self._is_own(path):
            raise Stopped(f"{path} is now reached through a link")
        if place.is_dir() and not place.is_symlink():
            raise Stopped(f"{path} is now a folder")
        place.unlink()

    def _start(
        self, run: Run, name: str, made: dict[str, int], unseen: set[str]
    ) -> tuple[list[Event], Paths]:
        if self._stop.is_set:
            raise Stopped("another command stopped the replay")
        log = self.temporary / f"replay-{os.getpid()}-{name}.log"
        given = log.with_suffix(".given")
        words = [*self.prefix, str(log), run.cwd, str(given), run.exe, *run.argv]
        env = dict(x.split("=", 1) for x in run.env if "=" in x)
        try:
            # bwrap(1) sets PWD; and a variable can be there twice.
            given.write_bytes(b"".join(os.fsencode(x) + b"\0" for x in (run.mute, *run.env)))
            said = run_bounded(words, self.root, env, self.timeout, self._stop, piped=run.piped)
        finally:
            given.unlink(missing_ok=True)
        status = said[0]
        processes = read_log(log)
        if not processes:
            raise Stopped(f"{_name(run)} could not be watched")
        if status != run.status:
            raise Stopped(f"{_name(run)} ended with {status}")
        paths = Paths(Places(self.root), self.caches)
        paths.made = made
        paths.expect({_PART: processes})
        events = sorted((e for p in processes for e in p.events), key=lambda e: e[0])
        seen = list(paths.sort(events, _PART))
        paths.left()
        note_change_times(processes)
        odd = paths.blind or next((p.loose or p.sees for p in processes if p.loose or p.sees), "")
        if any(0 in process.signalled for process in processes):
            odd = odd or "it sends a signal to another process"
        if odd:
            raise Stopped(f"{_name(run)}: {odd}")
        if early := _sees_early(seen, processes, unseen):
            raise Stopped(f"{_name(run)} looks for the folder {early}, which is there already")
        for path in sorted(self.recording.left - made.keys()):
            folder = os.path.dirname(path).rstrip("/")
            if not paths.looked_at.isdisjoint((path, f"{folder}{LISTING}")):
                raise Stopped(f"{_name(run)} looks at {path}, which another command left")
        if paths.stray:
            raise Stopped(f"{_name(run)} {paths.stray[_PART]}")
        read = {path for _, kind, path in seen if kind in "RA"}
        names = Names(paths.places.root, lambda path: self._made_from(path, read))
        if text := named(processes, seen, paths.places.root, names):
            raise Stopped(f"{_name(run)} may go by when files were changed or read, as {text} does")
        if name := written_through(processes, paths.places):
            raise Stopped(f"{_name(run)} writes to {name}, which has another name")
        return seen, paths

    def _adopt(self, n: int, command: Command, events: list[Event], kept: set[str]) -> None:
        """Take over what the command looked at this time, if its place is still the same.  ``kept``: of the
        folders that it makes, those that were there already."""
        name = _name(command.runs[0]) if command.runs else "a command"
        made = {path for _, kind, path in events if kind == "M"}
        removed = {path for _, kind, path in events if kind == "K"}
        passing = {
            path
            for path in (summarize(events)[1] | made) - command.writes
            if not os.path.lexists(self.root / path) and path not in self._writer
            if path not in self._tracked and path not in self._folder_makers
        }
        touched, writes, _ = summarize(as_absent(events, passing))
        if writes != command.writes:
            other = min(writes ^ command.writes)
            raise Stopped(f"{name} treated {other} differently than before")
        if touched.reads & writes:
            raise Stopped(f"{name} changes {min(touched.reads & writes)} in place")
        for path in sorted(touched.absent - writes - self.recording.altered - command.hidden):
            if path in self._writer:
                raise Stopped(f"{name} looked for {path} while that was being made")
        new = self._makers(touched) - self._above[n] - {n}
        if new:
            raise Stopped(f"{name} reads what another command makes")
        if command.touched.listings != touched.listings:
            raise Stopped(f"{name} listed other directories than before")
        fresh = _looked(touched) - _looked(command.touched)
        for path in sorted(fresh & self.recording.written):
            raise Stopped(f"{name} now looks at {path}, which a make or shell makes")
        for path in sorted(fresh):
            if self._folder_makers.get(path, n) != n:
                raise Stopped(f"{name} now looks at the folder {path}, which another command makes")
        left = {path for path in made - removed if os.path.lexists(self.root / path)}
        if odd := (left - command.folders - command.fresh) | (removed - made):
            raise Stopped(f"{name} makes or removes the folder {min(odd)}")
        if odd := set(command.folders | command.fresh) - left - kept:
            raise Stopped(f"{name} no longer makes the folder {min(odd)}")
        if odd := kept - {path for _, kind, path in events if kind in "Mm"}:
            raise Stopped(f"{name} may no longer make the folder {min(odd)}")
        self.commands[n] = replace(command, touched=touched, folders=command.folders)


def _rename(place: Path, there: Path) -> None:
    try:
        place.rename(there)
    except OSError as error:
        raise Stopped(f"{place} cannot be put aside ({error})") from error


def _clear(place: Path) -> None:
    if _is_folder(place):
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _is_folder(place: Path) -> bool:
    return place.is_dir() and not place.is_symlink()


def _merge_folders(made: Path, there: Path) -> None:
    """Move what is in a folder that was made into the one that stood there before; what that has stays."""
    for path in list(made.iterdir()) if _is_folder(made) else ():
        into = there / path.name
        if _is_folder(path) and _is_folder(into):
            _merge_folders(path, into)
        elif not os.path.lexists(into):
            _rename(path, into)


class _Turns:
    """Lets some commands run while no other does."""

    def __init__(self) -> None:
        self._turn = Condition()
        self._beside = 0
        self._waiting = 0

    @contextmanager
    def beside_others(self) -> Iterator[None]:
        with self._turn:
            self._turn.wait_for(lambda: not self._waiting)
            self._beside += 1
        try:
            yield
        finally:
            with self._turn:
                self._beside -= 1
                self._turn.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._turn:
            self._waiting += 1
            self._turn.wait_for(lambda: not self._beside)
            try:
                yield  # holding the lock: none begins, nor another of this kind
            finally:
                self._waiting -= 1
                self._turn.notify_all()


def _sees_early(seen: Sequence[Event], processes: Sequence[Process], unseen: set[str]) -> str:
    """A folder of the command's own that is there with what is others', looked at before it was to be made.
    ``unseen``: those that were not to be made yet."""
    for number, kind, path in seen if unseen else ():
        if kind in "mM":
            unseen.discard(path)
        elif kind in "RSPED":
            above = [x for x in unseen if kind == "D" and path == os.path.dirname(x)]
            shown = [*above, path] if path in unseen else above
            if shown and not any(takes_folder(process, number) for process in processes):
                return shown[0]
    return ""


def _looked(touched: Touched) -> frozenset[str]:
    return touched.reads | touched.exists | touched.absent


def _name(run: Run) -> str:
    return " ".join([os.path.basename(run.exe), *run.argv[-1:]])[:120]
