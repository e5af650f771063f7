# SPDX-License-Identifier: GPL-2.0-or-later
"""The collaborator of `backport.builds.step_build`: a step by its changed commands alone, where that is sure.

The life of a step: `attempt` after the check-out; when it answers False, the full build runs behind
`words`, from a clean worktree when `clean` says so, and `keep` takes its recording.  A replay that
has begun and stops leaves a worktree in which make could take a file for newer than it is, so the
build after it is a clean one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from backport.builds.recorded import decide
from backport.builds.recorded.contents import Contents
from backport.builds.recorded.derive import Paths, derive, is_noise, plain
from backport.builds.recorded.incremental import merged
from backport.builds.recorded.places import Places
from backport.builds.recorded.recording import Recording, Run
from backport.builds.recorded.rerun import Runner, Stopped
from backport.builds.recorded.storage import Writer, load
from backport.builds.recorded.watch import read_log, watcher, works
from backport.builds.sandbox import Sandbox
from backport.counted import counted
from backport.gateway.repository import Repo
from backport.store.cache import digest, tool_version
from series.model import Oid

_FORMAT = "record-1"


@dataclass(frozen=True, slots=True)
class Tally:
    """How the steps of this process were built."""

    replayed: int = 0
    commands: int = 0
    full: tuple[str, ...] = ()
    """Why, for each step that the whole build made."""
    clean: int = 0
    """How many of them from a clean worktree."""


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
    ) -> None:
        """``made`` is told of each path that a replay has written, from a thread of its own."""
        self.repo = repo
        self.folder = folder
        self.prefix = box.prefix
        self.timeout = timeout
        self.writable = tuple(writable)
        self.jobs = jobs or os.cpu_count() or 1
        self.made = made
        self.tally = Tally()
        self.clean = False
        """The next full build must begin from a clean worktree."""
        self._state = repo.state_dir / "record"
        self._temporary = repo.state_dir / "tmp"
        self._temporary.mkdir(parents=True, exist_ok=True)
        self._log = self._temporary / f"watch-{os.getpid()}.log"
        self._file = self._state / "recording.json"
        self._writer = Writer()
        self._contents = Contents(folder)
        self._recording: Recording | None = None
        self._loaded = False
        self._before: tuple[Recording, tuple[decide.Change, ...]] | None = None
        """For an incremental build: the recording before it, and what the step changes."""
        self._doubt = ""
        """The path for whose sake there is an incremental build."""
        self._gaps: set[str] = set()
        """Paths after whose change an incremental build proved nothing: not tried again."""
        self.why = ""
        """Why nothing is watched here, once that is known."""
        self.told = ""
        """How the last step was built, for a person."""
        variables = (f"{k}={v}" for k, v in env.items())
        watched = sorted(variable for variable in variables if not is_noise(variable))
        self._key = digest(
            _FORMAT,
            tool_version("backport"),
            command,
            str(folder),
            *box.identity,
            "",
            *map(plain, watched),
        )

    @cached_property
    def _binary(self) -> Path | None:
        # Asked for when the worktree is there: the sandbox that is tried here needs it.
        binary, self.why = watcher(self._state)
        if binary is not None:
            self.why = works(binary, self.prefix, self._log)
        return None if self.why else binary

    @property
    def active(self) -> bool:
        """Whether builds are watched here."""
        return self._binary is not None

    @property
    def is_whole(self) -> bool:
        """Whether nothing was put off in the last build."""
        return self._recording is None or not self._recording.late

    @property
    def words(self) -> tuple[str, ...]:
        """What goes before ``sh -c COMMAND`` in the sandbox so that it is watched."""
        if self._binary is None:
            return ("/bin/sh",)
        return (str(self._binary), str(self._log), str(self.folder), "/bin/sh", "sh")

    def compiling(self, path: str) -> Run | None:
        """The process that made ``path`` by compiling; None where that is not known."""
        recording = self._kept()
        for command in recording.commands if recording is not None else ():
            if path in command.writes:
                return next((run for run in command.runs if "-c" in run.argv), None)
        return None

    def attempt(self, commit: Oid, wanted: frozenset[str] | None = None) -> bool:
        """Bring the outputs to ``commit``, which is checked out; False when the full build must.

        With ``wanted`` what is not needed for these outputs may be put off.
        """
        self.told = ""
        if self._binary is None:
            return False
        tree = str(self.repo.tree(commit).id)
        self._before = None
        begun = False
        try:
            recording = self._usable()
            changed = decide.changes(self.repo, recording.tree, tree)
            if isinstance(changed, decide.Unsure):
                raise Stopped(changed.why)
            first = decide.dirty(recording, changed)
            if isinstance(first, decide.Unsure):
                if first.path and first.path not in self._gaps:
                    self._before, self._doubt = (recording, changed), first.path
                raise Stopped(first.why)
            runner = Runner(
                recording,
                self.folder,
                self.prefix,
                self._binary,
                self._temporary,
                self.writable,
                self.timeout,
                self._contents,
                self.made,
            )
            begun = True
            self._forget()
            runner.run(first, self.jobs, wanted)
        except Stopped as stopped:
            self._forget()
            self.clean = self._before is None
            self.tally = replace(self.tally, full=(*self.tally.full, str(stopped)))
            self.told = f"in full: {stopped}"
            return False
        except BaseException:
            self.clean = begun
            raise
        self._settle(runner, tree)
        self.tally = replace(
            self.tally,
            replayed=self.tally.replayed + 1,
            commands=self.tally.commands + len(runner.ran),
        )
        put_off = f", {len(runner.late)} put off" if runner.late else ""
        self.told = f"{counted(len(runner.ran), 'command')}{put_off}"
        return True

    def keep(self, commit: Oid, status: int, fresh: bool) -> bool:
        """Take the recording of the full build that has just run (``fresh``: from a clean worktree).

        False when that build does not prove that it made everything again that it should have.
        """
        self.clean = False
        if self._binary is None:
            return True
        processes = read_log(self._log)
        self._forget()
        if status or not processes:
            return fresh or self._before is None
        paths = Paths(Places(self.folder), [str(self._temporary), "/tmp"], self.writable)
        derived = derive(processes, paths)
        if derived.blind:
            # It would be so in every step: build as if there were no watcher.
            self.why = f"the build cannot be followed ({derived.blind})"
            self._binary = None
            return fresh or self._before is None
        tree = str(self.repo.tree(commit).id)
        root = str(self.folder)
        if fresh:
            self.tally = replace(self.tally, clean=self.tally.clean + 1)
            written = frozenset[str]().union(*(command.writes for command in derived.commands))
            self._store(
                Recording(
                    self._key,
                    tree,
                    derived.commands,
                    derived.keepers,
                    decide.signatures(root, written),
                    derived.outside,
                    derived.outside_absent,
                )
            )
            return True
        if self._before is None:
            return True
        found = merged(self._before[0], derived, self._before[1], tree, root)
        if isinstance(found, str):
            self._gaps.add(self._doubt)
            self.tally = replace(self.tally, full=(*self.tally.full[:-1], found))
            self.told = f"in full: {found}"
            return False
        self._store(found)
        return True

    def _kept(self) -> Recording | None:
        if not self._loaded:
            self._recording = load(self._file)
            self._loaded = True
        return self._recording

    def _usable(self) -> Recording:
        found = self._kept()
        if found is None:
            raise Stopped("no build has been watched yet")
        if found.key != self._key:
            raise Stopped("the build command or its environment changed")
        changed = decide.outside_changed(found)
        if changed:
            raise Stopped(f"{changed} changed since the build was watched")
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
        outputs |= decide.signatures(str(self.folder), written)
        self._store(
            replace(
                old,
                tree=tree,
                commands=tuple(runner.commands),
                outputs=outputs,
                outside={**old.outside, **runner.outside},
                outside_absent=old.outside_absent | runner.outside_absent,
                late=frozenset(runner.late),
            )
        )

    def _store(self, recording: Recording) -> None:
        self._writer.save(recording, self._file)
        self._recording = recording
        self._loaded = True

    def _forget(self) -> None:
        self._file.unlink(missing_ok=True)
        self._recording = None
        self._loaded = True
