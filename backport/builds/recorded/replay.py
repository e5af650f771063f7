# SPDX-License-Identifier: GPL-2.0-or-later
"""The collaborator of `backport.builds.step_build`: a step by its changed commands alone, where that is sure.

The life of a step: `attempt` after the check-out; when it answers False, the whole build runs behind
`words` from a clean worktree, and `keep` takes its recording.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from backport.builds.outside_state import DATE
from backport.builds.outside_state import changed as outside_changed
from backport.builds.recorded import decide, listing_order
from backport.builds.recorded.contents import Contents
from backport.builds.recorded.derive import derive, plain
from backport.builds.recorded.outside_paths import Paths, compiler_caches
from backport.builds.recorded.places import Places
from backport.builds.recorded.recording import Command, Recording, Run
from backport.builds.recorded.rerun import Runner, Stopped
from backport.builds.recorded.storage import Writer, load
from backport.builds.recorded.watch import read_log, watcher, works
from backport.builds.sandbox import Sandbox
from backport.counted import counted
from backport.gateway.repository import Repo
from backport.gateway.tree_paths import tree_paths
from backport.store.cache import digest, tool_version
from series.model import Oid

_FORMAT = "record-10"
_PATIENCE = 2
"""Recordings in a row that serve no step before builds go unwatched: that takes a tenth to a half more."""
_LONGEST_REST = 8
_PROCESSOR = ("model name", "flags", "Features", "CPU part")
"""What /proc/cpuinfo says of what a compiler may tune for (``-march=native``)."""


class Tally(Struct, frozen=True):
    """How the steps of this process were built."""

    replayed: int = 0
    commands: int = 0
    full: tuple[str, ...] = ()
    """Why, for each step that the whole build made."""
    clean: int = 0
    """How many recordings were taken."""


class Replay:
    """The recording of one worktree."""

    def __init__(
        self,
        repo: Repo,
        folder: Path,
        command: str,
        box: Sandbox,
        env: Mapping[str, str],
        *,
        timeout: int,
        writable: Sequence[str] = (),
        jobs: int = 0,
        made: Callable[[str], None] = lambda path: None,
        probing: bool = False,
    ) -> None:
        """``made`` is given each path that a replay has written, from a thread of its own.  ``probing``:
        how the core is compiled is wanted of every whole build."""
        self.repo = repo
        self.folder = folder
        self.prefix = box.prefix
        self.timeout = timeout
        self.writable = tuple(writable)
        self.jobs = jobs or os.cpu_count() or 1
        self.made = made
        self.probing = probing
        self.tally = Tally()
        self._state = repo.state_dir / "record"
        self._temporary = repo.state_dir / "tmp"
        self._temporary.mkdir(parents=True, exist_ok=True)
        self._log = self._temporary / f"watch-{os.getpid()}.log"
        self._file = self._state / "recording.json"
        self._writer = Writer()
        self._contents = Contents(folder)
        self._recording: Recording | None = None
        self._loaded = False
        self._held: Recording | None = None
        """What to go on from when the whole build of a step fails as well."""
        self._unused = 0
        """Recordings in a row that have served no step."""
        self._rest = 0
        """Whole builds that will not be watched, since the recordings before served no step."""
        self._off = ""
        """Why nothing is replayed any more in this run."""
        self._blocked = ""
        """Why nothing can be watched here."""
        self.how = ""
        """How the last step was built, for a person."""
        self.seen = ""
        """What has shown a whole build that it was watched: it is no answer, and the last one watched."""
        self._key = digest(
            _FORMAT,
            tool_version("backport"),
            command,
            str(folder),
            _given(),
            *self.writable,
            "",
            *box.identity,
            "",
            *sorted(plain(f"{k}={v}") for k, v in env.items()),
        )

    @cached_property
    def _binary(self) -> Path | None:
        # Asked for when the worktree is there: the sandbox that is tried here needs it.
        binary, self._blocked = watcher(self._state)
        if binary is not None:
            self._blocked = works(binary, self.prefix, self._log)
        return None if self._blocked else binary

    @property
    def why(self) -> str:
        """Why every step is a whole build, once that is known."""
        return self._blocked or self._off

    @property
    def _watching(self) -> bool:
        if self._binary is None or self.seen:
            return False
        return self.probing or not (self._off or self._rest)

    @property
    def words(self) -> tuple[str, ...]:
        """What goes before ``-c COMMAND`` in the sandbox, so that it is watched where that is of use."""
        if not self._watching:
            return ("/bin/sh",)
        return (str(self._binary), str(self._log), str(self.folder), "", "/bin/sh", "sh")

    def turn_off(self, why: str) -> None:
        """Replay nothing more in this run, and keep nothing to go by for another."""
        self._off = why
        self._held = None
        self._forget()

    @property
    def holds(self) -> bool:
        """Whether what lies in the worktree can be built upon if the step that stopped does not build."""
        return self._held is not None

    def resume(self) -> None:
        """Go on from what lay in the worktree before the whole build, and does so again."""
        assert self._held is not None
        self._store(self._held)
        self._held = None

    def compiling(self, path: str) -> Run | None:
        """The process that made ``path`` by compiling; None where that is not known."""
        recording = self._kept()
        for command in recording.commands if recording is not None else ():
            if path in command.writes:
                return next((run for run in command.runs if "-c" in run.argv), None)
        return None

    def maker(self, path: str) -> str:
        """The command that made ``path`` in the last build, for a person; "" where that is not known."""
        recording = self._kept()
        for command in recording.commands if recording is not None else ():
            if path in command.writes and command.runs:
                return " ".join(command.runs[-1].argv)[:400]
        return ""

    def attempt(self, commit: Oid, since: int) -> bool:
        """Bring the outputs to ``commit``, which is checked out; False when the whole build must.
        ``since``: the date of the tree's files, in ns."""
        self.how = ""
        self._held = None
        if self._binary is None:
            return False
        tree = str(self.repo.tree(commit).id)
        recording: Recording | None = None
        runner: Runner | None = None
        try:
            recording = self._usable()
            changed = decide.changes(self.repo, recording.tree, tree)
            if isinstance(changed, decide.Unsure):
                raise Stopped(changed.why)
            first = decide.dirty(recording, changed)
            if isinstance(first, decide.Unsure):
                raise Stopped(first.why)
            first |= recording.pending
            runner = Runner(
                recording,
                self.folder,
                self.prefix,
                self._binary,
                self._temporary,
                compiler_caches(_variables(recording.commands), self.writable),
                self.timeout,
                self._contents,
                self.made,
                since,
                lambda: tuple(tree_paths(self.repo, commit)),
            )
            self._file.unlink(missing_ok=True)  # until it has succeeded there is nothing to go by
            runner.run(first, self.jobs)
        except Stopped as stopped:
            self._forget()
            if recording is not None:
                self._hold(recording, runner, commit)
            self.tally = replace(self.tally, full=(*self.tally.full, str(stopped)))
            self.how = f"in full: {stopped}"
            return False
        except BaseException:
            self._forget()
            raise
        self._settle(runner, tree)
        self._unused = self._rest = 0
        self.tally = replace(
            self.tally,
            replayed=self.tally.replayed + 1,
            commands=self.tally.commands + len(runner.ran),
        )
        self.how = f"by {counted(len(runner.ran), 'command')}"
        return True

    def keep(self, commit: Oid, *, passed: bool) -> None:
        """Take the recording of the whole build that has just run from a clean worktree."""
        if not self._watching:
            self._rest = max(0, self._rest - 1)
            return
        processes = read_log(self._log)
        self._forget()
        self.seen = next((process.sees for process in processes if process.sees), "")
        if self.seen:
            self._off = f"the build asks whether it is watched ({self.seen})"
        if not passed or self.seen:
            return
        if not processes:
            self._off = self._off or "the log of a watched build was not whole"
            return
        variables = {x for process in processes for image in process.images for x in image.env}
        paths = Paths(Places(self.folder), compiler_caches(variables, self.writable))
        derived = derive(processes, paths, frozenset(tree_paths(self.repo, commit)))
        if derived.unfit and not self._off:
            # It would be so in every step: build as if there were no watcher.
            self._off = f"the build cannot be followed ({derived.unfit})"
        commands = derived.commands
        if listing_order.is_that_of_making(self._temporary):
            commands = tuple(map(_unsure_of_order, commands))
        written = frozenset[str]().union(*(command.writes for command in commands))
        self.tally = replace(self.tally, clean=self.tally.clean + 1)
        self._unused += 1
        if self._unused > _PATIENCE:
            self._rest = min(1 << (self._unused - _PATIENCE - 1), _LONGEST_REST)
        self._store(
            Recording(
                self._key,
                str(self.repo.tree(commit).id),
                commands,
                derived.drivers,
                decide.signatures(str(self.folder), written),
                derived.outside,
                derived.written,
                derived.lists,
                derived.altered,
                derived.left,
                unfit=self._off,
            )
        )

    @property
    def altered(self) -> frozenset[str]:
        """The files of the tree that the last whole build changed or removed, if steps are built upon it."""
        return (
            self._recording.altered
            if self._recording is not None and not self._off
            else frozenset()
        )

    @property
    def outside(self) -> Mapping[str, str]:
        """What the last build looked at outside of the tree, with its state; empty where it is not known.

        Without the dates of files: they are other on each machine, and a clean build seldom goes by them."""
        found = self._recording.outside if self._recording is not None else {}
        return {path: was for path, was in found.items() if not path.endswith(DATE)}

    def _kept(self) -> Recording | None:
        if not self._loaded:
            self._recording = load(self._file)
            self._loaded = True
        return self._recording

    def _usable(self) -> Recording:
        if self._off:
            raise Stopped(self._off)
        found = self._kept()
        if found is None and self._unused > _PATIENCE:
            raise Stopped(f"not watched, as {counted(self._unused, 'recording')} served no step")
        if found is None or found.unfit:
            raise Stopped("no build has been watched yet")
        if found.key != self._key:
            raise Stopped("the build command or its environment changed")
        changed = outside_changed(found.outside)
        if changed:
            named = changed.removesuffix(DATE)
            of = "the date or owner of " if named != changed else ""
            raise Stopped(f"{of}{named} changed since the build was watched")
        changed = decide.outputs_changed(found, str(self.folder))
        if changed:
            raise Stopped(f"{changed} is not as the build left it")
        return found

    def _settle(self, runner: Runner, tree: str) -> None:
        old = runner.recording
        outputs = dict(old.outputs)
        written = {path for n in runner.ran for path in old.commands[n].writes}
        for path in written:
            outputs.pop(path, None)
        outputs |= decide.signatures(str(self.folder), written | (runner.moved & outputs.keys()))
        self._store(
            replace(
                old,
                tree=tree,
                pending=frozenset(),
                dates={},
                commands=tuple(runner.commands),
                outputs=outputs,
                outside={**old.outside, **runner.outside},
            )
        )

    def _store(self, recording: Recording) -> None:
        self._writer.save(recording, self._file)
        self._recording = recording
        self._loaded = True

    def _hold(self, recording: Recording, runner: Runner | None, commit: Oid) -> None:
        """Keep a recording for the step after one that does not build, if nothing else lies about than what
        a build leaves."""
        if runner is not None:
            pending = recording.pending | runner.pending
            written = {path for n in pending for path in recording.commands[n].writes}
            outputs = {p: was for p, was in recording.outputs.items() if p not in written}
            outputs |= decide.signatures(str(self.folder), runner.moved & outputs.keys())
            dates = {p: was[1] for p, was in recording.outputs.items() if p in written}
            dates = {**recording.dates, **dates}
            recording = replace(recording, pending=pending, outputs=outputs, dates=dates)
        folders = {path for command in recording.commands for path in command.folders}
        writes = {path for command in recording.commands for path in command.writes}
        tracked = set(tree_paths(self.repo, commit))
        if decide.is_all_there_is(self.folder, tracked | writes | folders | recording.written):
            self._held = recording

    def _forget(self) -> None:
        self._file.unlink(missing_ok=True)
        self._recording = None
        self._loaded = True


def _variables(commands: Iterable[Command]) -> set[str]:
    return {x for command in commands for run in command.runs for x in run.env}


def _unsure_of_order(command: Command) -> Command:
    if command.unsure or not command.touched.listings:
        return command
    folder = min(command.touched.listings) or "."
    return replace(command, unsure=f"it lists {folder}, in the order in which files were made")


def _given() -> str:
    """What this process hands down to what it starts (umask, ignored signals, limits, processors, priority),
    who it is, and the machine that it runs on."""
    known = [*map(str, os.uname()), *map(str, (os.geteuid(), os.getegid(), *os.getgroups()))]
    try:
        status = Path("/proc/self/status").read_text().splitlines()
        known += (x for x in status if x.startswith(("Umask:", "SigIgn:", "Cpus_allowed:")))
        known += (str(os.getpriority(os.PRIO_PROCESS, 0)), str(os.sched_getscheduler(0)))
        for name in ("limits", "personality", "oom_score_adj", "coredump_filter", "timerslack_ns"):
            known.append(Path("/proc/self", name).read_text())
        described = Path("/proc/cpuinfo").read_text().splitlines()
        memory = Path("/proc/meminfo").read_text().splitlines()
        known += (x for x in memory if x.startswith(("MemTotal:", "SwapTotal:")))
    except OSError:
        return "\n".join(known)
    return "\n".join(known + sorted({x for x in described if x.startswith(_PROCESSOR)}))
