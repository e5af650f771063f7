# SPDX-License-Identifier: GPL-2.0-or-later
"""Every step proven: built, and its core emulated, as far as the level says.

Builds run one after the other in the one kept worktree (the tree's make is parallel in itself);
emulations run beside them in a pool of processes, through the `Executor` interface, so that the same
calls can one day go to a cluster.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import dataclass, replace

from backport.build import BuildTree, Built
from backport.cache import ArtefactGone, Cache
from backport.config import Settings, level_of
from backport.errors import UsageError
from backport.repo import Repo
from backport.verdicts import State, StepVerdict, Verdict
from series.model import Oid


@dataclass(frozen=True, slots=True)
class Target:
    """One commit to prove, with its number in the series and its subject."""

    number: int
    commit: Oid
    subject: str


class Prover:
    """Proves commits; keeps worktree, pool and cache for as long as it is open."""

    def __init__(self, repo: Repo, settings: Settings) -> None:
        self.repo = repo
        self.settings = settings
        self.level, self.why = level_of(settings)
        self.cache = Cache(repo.state_dir / "cache")
        self._executor: Executor | None = None
        self._builder: BuildTree | None = None
        self._profile = None
        if self.level == "none":
            return
        assert settings.build is not None
        wanted: dict[str, str] = {}
        if self.level != "build":
            from emu.profile import load_profile

            self._profile = load_profile(settings.profile)
            wanted = {self._profile.core_object: self._profile.core_source}
            if self.level == "boot":
                if not self._profile.core_image:
                    raise UsageError(
                        f"the profile {self._profile.name} names no image that boots",
                        "core.image in the profile, or --validate object",
                    )
                wanted[self._profile.core_image] = ""
        if shutil.which("git") is None:
            raise UsageError("git itself is not installed", "Debian: apt install git")
        self._builder = BuildTree(
            repo,
            self.cache,
            settings.build,
            wanted,
            timeout=settings.build_timeout,
            writable=settings.writable,
            boxed=settings.sandbox,
            replay=settings.replay,
            profile=self._profile,
        )

    def __enter__(self) -> Prover:
        return self

    def __exit__(self, *_: object) -> None:
        self.cache.prune()
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of how the proof was made."""
        if self._builder is None:
            return ()
        found: list[str] = []
        if self._builder.sandbox.why:
            found.append(f"builds run without a sandbox: {self._builder.sandbox.why}")
        if self._builder.replay is not None and self._builder.replay.why:
            found.append(f"every step is a full build: {self._builder.replay.why}")
        return tuple(found)

    @property
    def proven(self) -> str:
        """How far steps are proven, for the summary."""
        return self.why

    def prove(
        self,
        targets: Sequence[Target],
        tell: Callable[[StepVerdict], None],
        *,
        keep_going: bool = False,
    ) -> tuple[StepVerdict, ...]:
        """Prove each commit in turn; stops after the first that fails unless told to go on."""
        from backport.regress import Regressions

        found: list[StepVerdict] = []
        regressions = Regressions(self.settings.accept)
        for answer in self._stream(targets):
            verdict = regressions.judge(answer)
            found.append(verdict)
            tell(verdict)
            if verdict.failed and not keep_going:
                break
        return tuple(found)

    def prove_one(self, target: Target) -> StepVerdict:
        """Prove a single commit."""
        return next(self._stream([target]))

    def known(self, target: Target) -> StepVerdict | None:
        """The verdict, when it follows from the cache alone."""
        if self._builder is None:
            return None
        built = self._builder.known(target.commit)
        if built is None:
            return None
        return self._finish(target, built)

    def _stream(self, targets: Sequence[Target]) -> Iterator[StepVerdict]:
        """One step's emulation runs while the next one is built."""
        builder = self._builder
        if builder is None:
            return
        waiting: Callable[[], StepVerdict] | None = None
        for number, target in enumerate(targets, 1):
            # Between the first and the last, only what is emulated needs its links, and what changes one.
            whole = self.level == "build" or number == len(targets)
            built = builder.build(target.commit, whole=whole)
            if waiting is not None:
                yield waiting()
            waiting = self._begin(target, built)
        if waiting is not None:
            yield waiting()

    def _finish(self, target: Target, built: Built) -> StepVerdict:
        return self._begin(target, built)()

    def _begin(self, target: Target, built: Built) -> Callable[[], StepVerdict]:
        def step(*more: Verdict) -> StepVerdict:
            verdicts = (built.verdict, *more)
            return StepVerdict(target.number, target.commit, target.subject, verdicts)

        if self._profile is None or built.verdict.state is not State.PASSED:
            return step
        from backport.emulate import BOOT, OBJECT, Emulation, Level, Oracle

        profile, differs = self._profile, ""
        described = profile
        if built.answers is not None:
            from emu.probe import differences
            from emu.profile import load_profile, with_layouts

            differs = "; ".join(differences(profile, built.answers.constants))
            if differs:
                profile = load_profile(self.settings.profile, built.answers.constants)
            described = with_layouts(profile, built.answers.layouts)
        wanted = [(OBJECT, profile.core_object, described)]
        if self.level == "boot":
            wanted.append((BOOT, profile.core_image, profile))  # an image needs no layouts
        made = built.artefacts
        begun: list[tuple[Level, str, Oracle, Emulation | None]] = []
        try:
            for level, name, judged_by in wanted:
                oracle = Oracle(self.cache, judged_by, self._pool(), self.settings.accept)
                emulation = oracle.begin(level, made[name]) if name in made else None
                begun.append((level, name, oracle, emulation))
        except ArtefactGone:
            assert self._builder is not None
            return self._begin(target, self._builder.build(target.commit))

        def finish() -> StepVerdict:
            verdicts = []
            for level, name, oracle, emulation in begun:
                if emulation is None:
                    verdicts.append(Verdict(level.name, State.ABSENT, f"no {name} yet"))
                    continue
                try:
                    verdict = oracle.finish(emulation)
                    how = "; ".join(filter(None, (differs, verdict.how)))
                    verdicts.append(replace(verdict, how=how))
                except BrokenExecutor:
                    # The worker died (out of memory, a crash in the emulator): the next gets a new pool.
                    self._executor = None
                    died = "the emulator's process died"
                    verdicts.append(Verdict(level.name, State.CANNOT_TELL, died))
            return step(*verdicts)

        return finish

    def _pool(self) -> Executor:
        if self._executor is None:
            from concurrent.futures import ProcessPoolExecutor
            from multiprocessing import get_context

            # Forking a process that has threads (a progress display) can deadlock: spawn.
            self._executor = ProcessPoolExecutor(
                self.settings.jobs or os.cpu_count() or 1, mp_context=get_context("spawn")
            )
        return self._executor
