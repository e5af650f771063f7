# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulations of one run: the pool of processes that make them, and what is under way there.

They go through the `Executor` interface, so that the same calls can one day go to a cluster.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING

from backport.cache import Cache
from backport.config import Settings
from backport.emulate import BOOT, OBJECT, Emulation, Level, Oracle, warm
from backport.verdicts import State, Verdict
from emu.profile import Profile

if TYPE_CHECKING:
    from emu.probe import Answers


@dataclass(frozen=True, slots=True)
class _Oracles:
    """Those for one tree: with what it says, and where that is not what the profile says."""

    answers: Answers | None
    differs: str
    of: Mapping[str, Oracle]
    """By the name of the level."""


class Emulations:
    """What builds make, emulated at each level; ``booted``: the image as well."""

    def __init__(self, cache: Cache, settings: Settings, profile: Profile, booted: bool) -> None:
        self.cache = cache
        self.settings = settings
        self.profile = profile
        levels = [(OBJECT, profile.core_object), (BOOT, profile.core_image)]
        self._levels: tuple[tuple[Level, str], ...] = tuple(levels if booted else levels[:1])
        self._processes = settings.jobs or os.cpu_count() or 1
        self._executor: Executor | None = None
        self._oracles: _Oracles | None = None
        """Those asked last."""
        self._early: dict[str, Emulation] = {}
        """By key: begun before the build had come to its end."""
        self._lock = Lock()
        temporary = cache.folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        self._folder = TemporaryDirectory(dir=temporary)

    def warm(self) -> None:
        """Have the processes started, while there is a build to wait for."""
        if self._executor is None:
            for _ in range(self._processes):
                self._pool().submit(warm)

    def early(self, name: str, sha: str, answers: Answers | None) -> None:
        """Begin with a file as soon as it is made; of use if the build goes on to make no other, and the
        tree says what ``answers`` say.  From any thread."""
        with self._lock:
            oracles = self._oracles_for(answers)
            for level, wanted in self._levels:
                if wanted == name:
                    try:
                        emulation = oracles.of[level.name].begin(level, sha)
                    except BrokenExecutor:
                        return  # `begin` will say so
                    self._early[emulation.key] = emulation

    def begin(
        self, artefacts: Mapping[str, str], answers: Answers | None
    ) -> Callable[[], tuple[Verdict, ...]]:
        """Start on what a build made; the answer waits for it.  Raises `ArtefactGone`."""
        early, self._early = self._early, {}
        try:
            return self._begin(artefacts, answers, early)
        except BrokenExecutor:  # it broke while there was nothing to wait for
            self._executor = self._oracles = None
            return self._begin(artefacts, answers, {})

    def _begin(
        self,
        artefacts: Mapping[str, str],
        answers: Answers | None,
        early: Mapping[str, Emulation],
    ) -> Callable[[], tuple[Verdict, ...]]:
        oracles = self._oracles_for(answers)
        begun: list[tuple[Level, str, Emulation | None]] = []
        for level, name in self._levels:
            sha, oracle = artefacts.get(name), oracles.of[level.name]
            known = early.get(oracle.key(level, sha)) if sha else None
            begun.append((level, name, known or (oracle.begin(level, sha) if sha else None)))
        return lambda: tuple(self._finish(oracles, *each) for each in begun)

    def close(self) -> None:
        """End the processes; what is under way is given up."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
        self._folder.cleanup()

    def _finish(
        self, oracles: _Oracles, level: Level, name: str, emulation: Emulation | None
    ) -> Verdict:
        if emulation is None:
            return Verdict(level.name, State.ABSENT, f"no {name} yet")
        try:
            verdict = oracles.of[level.name].finish(emulation)
        except BrokenExecutor:
            # The worker died (out of memory, a crash in the emulator): the next gets a new pool.
            self._executor = self._oracles = None
            return Verdict(level.name, State.CANNOT_TELL, "the emulator's process died")
        return replace(verdict, how="; ".join(filter(None, (oracles.differs, verdict.how))))

    def _oracles_for(self, answers: Answers | None) -> _Oracles:
        if self._oracles is None or self._oracles.answers != answers:
            profile, described, differs = self.profile, self.profile, ""
            if answers is not None:
                from emu.probe import differences
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
            self._executor = ProcessPoolExecutor(self._processes, mp_context=get_context("spawn"))
        return self._executor
