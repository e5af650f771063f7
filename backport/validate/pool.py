# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulations of one run: the pool of processes that make them, and what is under way there.

They go through the `Executor` interface, so that the same calls can one day go to a cluster.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import suppress
from multiprocessing import active_children, parent_process
from pathlib import Path
from signal import SIG_BLOCK, SIG_SETMASK, SIGINT, pthread_sigmask
from tempfile import TemporaryDirectory
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from backport.config import Settings
from backport.store.cache import Cache
from backport.validate.emulation import BOOT, OBJECT, Emulation, EmulationLevel, Oracle, warm
from backport.verdicts import State, Validator, Verdict
from emu.profile import Profile

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from emu.object.probe import Answers


class _Oracles(Struct, frozen=True):
    """Those for one tree: with what it says, and where that is not what the profile says."""

    answers: Answers | None
    differs: str
    of: Mapping[Validator, Oracle]
    """By the name of the level."""


class Emulations:
    """What builds make, emulated at each level; ``booted``: the image as well."""

    def __init__(self, cache: Cache, settings: Settings, profile: Profile, booted: bool) -> None:
        self.cache = cache
        self.settings = settings
        self.profile = profile
        levels = [(OBJECT, profile.core_object), (BOOT, profile.core_image)]
        self._levels: tuple[tuple[EmulationLevel, str], ...] = tuple(
            levels if booted else levels[:1]
        )
        self._processes = settings.jobs or os.cpu_count() or 1
        self._executor: Executor | None = None
        self._oracles: _Oracles | None = None
        """Those asked last."""
        self._begun: frozenset[str] = frozenset()
        """Keys of those that `begin` has last handed out, which may be under way."""
        self._early: dict[str, Emulation] = {}
        """By key: begun before the build had come to its end."""
        self._lock = Lock()
        """Held by whoever uses the pool: replays and the preparation have threads of their own."""
        temporary = cache.folder / "tmp"
        shutil.rmtree(
            temporary, ignore_errors=True
        )  # left by a killed run: there is but one at a time
        temporary.mkdir(parents=True, exist_ok=True)
        self._folder = TemporaryDirectory(dir=temporary)

    def warm(self) -> None:
        """Have the processes started, while there is a build to wait for."""
        with self._lock, suppress(BrokenExecutor):  # `begin` will say so
            if self._executor is None:
                pool = self._pool()
                for _ in range(self._processes):
                    pool.submit(warm)

    def early(self, name: str, sha: str, answers: Answers | None) -> None:
        """Begin with a file as soon as it is made; of use if the build goes on to make no other, and the
        tree says what ``answers`` say.  From any thread."""
        with self._lock:
            oracles = self._oracles_for(answers)
            for level in (level for level, wanted in self._levels if wanted == name):
                oracle = oracles.of[level.name]
                key = oracle.key(level, sha)
                if key not in self._begun:  # else the answer will be there: it is waited for first
                    with suppress(BrokenExecutor):  # `begin` will say so
                        self._early[key] = oracle.begin(level, sha)

    def begin(
        self, artefacts: Mapping[str, str], answers: Answers | None
    ) -> Callable[[], tuple[Verdict, ...]]:
        """Start on what a build made; the answer waits for it.  Raises `ArtefactGone`."""
        with self._lock:
            early, self._early = self._early, {}
            try:
                return self._begin(artefacts, answers, early)
            except BrokenExecutor:  # it broke while there was nothing to wait for
                self._give_up()
                return self._begin(artefacts, answers, {})

    def _begin(
        self,
        artefacts: Mapping[str, str],
        answers: Answers | None,
        early: Mapping[str, Emulation],
    ) -> Callable[[], tuple[Verdict, ...]]:
        oracles = self._oracles_for(answers)
        begun: list[tuple[EmulationLevel, str, Emulation | None]] = []
        for level, name in self._levels:
            sha, oracle = artefacts.get(name), oracles.of[level.name]
            known = early.get(oracle.key(level, sha)) if sha else None
            begun.append((level, name, known or (oracle.begin(level, sha) if sha else None)))
        self._begun = frozenset(emulation.key for _, _, emulation in begun if emulation is not None)
        return lambda: tuple(self._finish(oracles, *each) for each in begun)

    def close(self, *, at_once: bool = False) -> None:
        """End the processes; what is under way is given up, ``at_once`` without its end."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            if at_once:
                for worker in active_children():
                    worker.kill()
        self._folder.cleanup()

    def _finish(
        self, oracles: _Oracles, level: EmulationLevel, name: str, emulation: Emulation | None
    ) -> Verdict:
        if emulation is None:
            return Verdict(level.name, State.ABSENT, f"no {name} yet")
        try:
            verdict = oracles.of[level.name].finish(emulation)
        except BrokenExecutor:
            # The worker died (out of memory, a crash in the emulator): the next gets a new pool.
            with self._lock:
                self._give_up()
            return Verdict(level.name, State.CANNOT_TELL, "the emulator's process died")
        return replace(verdict, how="; ".join(filter(None, (oracles.differs, verdict.how))))

    def _give_up(self) -> None:
        """The pool that broke, with everything that is under way there."""
        self._executor = self._oracles = None
        self._early.clear()

    def _oracles_for(self, answers: Answers | None) -> _Oracles:
        if self._oracles is None or self._oracles.answers != answers:
            profile, described, differs = self.profile, self.profile, ""
            if answers is not None:
                from emu.object.probe import differences
                from emu.profile import load_profile, with_layouts

                differs = "; ".join(differences(profile, answers.constants))
                if differs:
                    profile = load_profile(self.settings.profile, answers.constants)
                described = with_layouts(profile, answers.layouts)
            profiles = {OBJECT.name: described, BOOT.name: profile}  # an image needs no layouts
            how = self._pool(), self._processes, Path(self._folder.name), self.settings.accept
            of = {name: Oracle(self.cache, known, *how) for name, known in profiles.items()}
            self._oracles = _Oracles(answers, differs, of)
        return self._oracles

    def _pool(self) -> Executor:
        if self._executor is None:
            from concurrent.futures import ProcessPoolExecutor
            from multiprocessing import get_context

            # Forking a process that has threads (a progress display) can deadlock: spawn.
            self._executor = _Sheltered(
                ProcessPoolExecutor(self._processes, get_context("spawn"), end_with_parent)
            )
        return self._executor


class _Sheltered(Executor):
    """Starts its workers deaf to interrupts, which a terminal sends to all of them: they end with us."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool

    def submit(self, *what: Any, **named: Any) -> Future[Any]:
        before = pthread_sigmask(SIG_BLOCK, {SIGINT})
        try:
            return self._pool.submit(*what, **named)
        finally:
            pthread_sigmask(SIG_SETMASK, before)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


def end_with_parent() -> None:
    """Have this worker end when the tool does, which may be killed: it would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
