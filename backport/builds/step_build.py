# SPDX-License-Identifier: GPL-2.0-or-later
"""The build of one step, with the user's own command, in a worktree that is kept.

The worktree lives in ``.git/backport/build`` from run to run: git touches only the files that differ
between two steps, so the tree's own make rebuilds only what they reach.  A failure that appears in
an incremental build is confirmed once by a clean one, since a makefile with a gap in its
dependencies would otherwise be taken for a bad patch.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from backport.builds.compiler_errors import compiler_errors
from backport.builds.kept_worktree import KeptWorktree
from backport.builds.leftovers import MARK
from backport.builds.named_files import named_files
from backport.builds.process import run_bounded
from backport.builds.recorded.replay import Replay
from backport.builds.sandbox import BuildPlaces, Sandbox, sandbox
from backport.environment import Environment
from backport.errors import CannotTest, UsageError
from backport.gateway.repository import Repo
from backport.levels import SandboxUse
from backport.store.cache import Cache, digest
from backport.verdicts import IDLE, State, Validator, Verdict
from emu.elf.bare import without_debug
from series.model import Oid

if TYPE_CHECKING:
    from emu.object.probe import Answers
    from emu.profile import Profile

    Early = Callable[[str, str, Answers | None], None]
    """(path, SHA-256 in the cache, what the tree is likely to say of the profile)."""

KIND = "build"
"""Of the answers in the cache."""
_FORMAT = "build-2"
_COMPILED = "compiled"
"""What is said of a step whose links were put off."""
_CANNOT_TEST = 125
_NO_TOOL = re.compile(r"\*\*\* .*Error 127$", re.M)
"""How make says that a program of the recipe is not there: no verdict on any patch."""


def build_key(tree: Oid, command: str, compiler: str) -> str:
    """What the answer of a build depends on."""
    return digest(_FORMAT, tree, command, compiler)


def default_compiler(environment: Environment) -> str:
    """The default compiler's own name: another one may well say something else."""
    words = (environment.get("CC") or "cc").split()
    try:
        done = subprocess.run(
            [words[0], "--version"],
            env=environment.for_builds(),
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return "no compiler"
    return done.stdout.partition("\n")[0]


@dataclass(frozen=True, slots=True)
class Built:
    """A build's answer; ``artefacts`` are the files asked for, by path, as SHA-256 in the cache."""

    verdict: Verdict
    artefacts: dict[str, str]
    whole: bool = True
    """Every link is made: a replay has put off none."""
    answers: Answers | None = None
    """What this tree says of the profile's constants and types, where a probe was asked."""


class BuildTree:
    """The kept worktree and the command that builds it."""

    def __init__(
        self,
        repo: Repo,
        cache: Cache,
        command: str,
        wanted: Mapping[str, str],
        *,
        timeout: int,
        writable: Sequence[str] = (),
        readable: Sequence[str] = (),
        passed: Sequence[str] = (),
        boxed: SandboxUse = SandboxUse.AUTO,
        replay: bool = False,
        profile: Profile | None = None,
    ) -> None:
        self.repo = repo
        self.cache = cache
        self.command = command
        self.wanted = dict(sorted(wanted.items()))
        """Files to hand on, each with the source it is made from."""
        self.timeout = timeout
        self.profile = profile
        """Whose constants and types a probe is asked for."""
        self.worktree = KeptWorktree(repo)
        self.folder = self.worktree.folder
        temporary = repo.state_dir / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)  # what killed compilers have left
        temporary.mkdir(parents=True, exist_ok=True)
        self._env = repo.environment.for_builds(passed)
        self.withheld = repo.environment.withheld(passed)
        """Variables that builds do not get."""
        named = named_files(command, self.folder, self._env)
        seen = (*readable, *map(str, (*repo.folders, *named)))
        places = BuildPlaces(
            self.folder, temporary, tuple(writable), seen, repo.environment.variables
        )
        self._box = partial(sandbox, places, boxed)
        self.sandbox: Sandbox = self._box()
        if boxed is SandboxUse.REQUIRED and (said := self.sandbox.complaints):
            raise UsageError(
                f"nothing is built: {'; '.join(said)}",
                "mend that, or leave out `--sandbox required` (backport.sandbox)",
            )
        self._early: Early | None = None
        self._may_be_idle = True
        self._answers: Answers | None = None
        """What the tree of the last build said: the next is likely to say the same."""
        self.replay: Replay | None = None
        """Runs only the commands that a step changes; None where that is switched off."""
        if replay:
            self.replay = Replay(
                repo,
                self.folder,
                command,
                self.sandbox,
                self._env,
                timeout=timeout,
                writable=writable,
                made=self._made,
            )

    def key(self, commit: Oid) -> str:
        """What the answer depends on: the tree, the command, the compiler."""
        return build_key(self.repo.tree(commit).id, self.command, self._compiler)

    @cached_property
    def _compiler(self) -> str:
        return default_compiler(self.repo.environment)

    def known(self, commit: Oid, *, whole: bool = True) -> Built | None:
        """The answer from the cache, with every artefact at hand; None when it must be built."""
        answer = self.cache.get(KIND, self.key(commit))
        if answer is None or (whole and not answer["whole"]):
            return None
        if not self.wanted.keys() <= set(answer["wanted"]):
            return None  # it was built for less
        artefacts = {str(k): str(v) for k, v in answer["artefacts"].items() if k in self.wanted}
        if not all(self.cache.has_blob(sha) for sha in artefacts.values()):
            return None
        verdict = Verdict(
            Validator.BUILD,
            State(answer["state"]),
            answer["summary"],
            tuple(answer["lines"]),
            answer["seconds"],
            cached=True,
        )
        asked = self._question(artefacts)
        if not asked:
            return Built(verdict, artefacts, answer["whole"])
        if answer.get("asked") != asked:
            return None  # without the probe, or with another: this tree may say otherwise
        from backport.builds.probe import from_json

        return Built(verdict, artefacts, answer["whole"], from_json(answer["answers"]))

    def build(self, commit: Oid, *, whole: bool = True) -> Built:
        """The answer for a commit, from the cache where it is known; raises as `make` does."""
        return self.known(commit, whole=whole) or self.make(commit, whole=whole)

    def make(self, commit: Oid, *, whole: bool = True, early: Early | None = None) -> Built:
        """Build a commit's tree.  Raises `CannotTest` when the build cannot even be tried.

        Where not the ``whole`` is wanted, a replay may put off links that cannot have another end than
        before.  ``early`` is told of each file to hand on when it has been made, which is before the end
        where a replay makes it.
        """
        begun = time.monotonic()
        self.sandbox = self._box()  # who listens on a socket now is not who did at the start
        if self.replay is not None:
            self.replay.prefix = self.sandbox.prefix
        self.worktree.prefix = self.sandbox.prefix
        before = self.worktree.check_out(commit)
        fresh = before is None
        if before is not None and not (self.replay and self.replay.active):  # who watches knows
            self.worktree.drop_unmade(before, commit, self.wanted)
        self._early = early
        code, log = self._replay_or_run(commit, fresh, None if whole else frozenset(self.wanted))
        how = self.replay.told if self.replay is not None else ""
        built = self._answer(commit, code, log, time.monotonic() - begun, how)
        asked = self._question(built.artefacts)
        if asked:
            built = replace(built, answers=self._probe())
        self._answers = built.answers
        if code >= 0:
            answer = {
                "command": self.command,
                "state": built.verdict.state.value,
                "summary": built.verdict.summary,
                "lines": list(built.verdict.lines),
                "seconds": round(built.verdict.seconds, 3),
                "wanted": list(self.wanted),
                "artefacts": built.artefacts,
                "whole": built.whole,
            }
            if built.answers is not None:
                from backport.builds.probe import to_json

                answer |= {"asked": asked, "answers": to_json(built.answers)}
            self.cache.put(KIND, self.key(commit), answer)
        return built

    def _question(self, artefacts: Mapping[str, str]) -> str:
        """A digest of what the tree is asked by a probe; empty where it is not, or has no core."""
        if self.profile is None or self.replay is None or not self.profile.includes:
            return ""
        if self.profile.core_object not in artefacts:
            return ""
        from backport.builds.probe import question

        return question(self.profile)

    def _replay_or_run(
        self, commit: Oid, fresh: bool, wanted: frozenset[str] | None
    ) -> tuple[int, str]:
        """The step by its changed commands where that is sure, else by the whole build."""
        if self.replay is not None:
            self.replay.told = ""
            marked = self.worktree.suspect
            self.worktree.begin()
            if self._answers is None and self._question(self.wanted):
                self._answers = self._probe()
            if not fresh and not marked and self.replay.attempt(commit, wanted):
                self.worktree.succeed()
                return 0, ""
            if self.replay.clean and not fresh:
                self.worktree.clean()
                fresh = True
        code, log = self._run()
        sure = self.replay is None or self.replay.keep(commit, code, fresh)
        if not fresh and (code > 0 or not sure):
            # A stale object, or a makefile with a gap, must not pass for a bad patch.
            self.worktree.clean()
            code, log = self._run()
            if self.replay is not None:
                self.replay.keep(commit, code, True)
        return code, log

    def _probe(self) -> Answers:
        """What the tree says, by the command that compiled its core."""
        from backport.builds.probe import ask

        assert self.profile is not None
        assert self.replay is not None
        run = self.replay.compiling(self.profile.core_object)
        prefix = self.sandbox.prefix
        return ask(self.profile, run, self.folder, prefix, self.cache, self.timeout)

    def _run(self) -> tuple[int, str]:
        self.worktree.begin()
        shell = ("/bin/sh",) if self.replay is None else self.replay.words
        words = [*self.sandbox.prefix, *shell, "-c", self.command]
        env = {**self._env, MARK: str(self.folder)}
        code, text = run_bounded(words, self.folder, env, self.timeout)
        if code is None:
            return -1, f"{text}\nkilled after {self.timeout} s\n"
        if code == 0:
            self.worktree.succeed()
        if code in (126, 127):
            raise CannotTest(
                f"the build command cannot be run: {self.command!r}: {_last(text)}",
                "set it with `git config backport.build '...'` or --build",
            )
        if code and _NO_TOOL.search(text):
            said = [
                line for line in text.splitlines() if "not found" in line or "No such file" in line
            ]
            raise CannotTest(
                f"the build needs a program that is not installed: {(said or [_last(text)])[0].strip()}",
                "install it (a compiler: Debian's gcc and make)",
            )
        return code, text

    def _answer(self, commit: Oid, code: int, log: str, seconds: float, how: str) -> Built:
        if code:
            lines = compiler_errors(log)
            # 125 is how `git bisect run` is told that a tree cannot be tested.
            state = State.CANNOT_TELL if code < 0 or code == _CANNOT_TEST else State.FAILED
            what = f"killed after {self.timeout} s" if code < 0 else f"exit {code}"
            return Built(Verdict(Validator.BUILD, state, what, lines, seconds, how=how), {})
        artefacts: dict[str, str] = {}
        tree = self.repo.tree(commit)
        for name, source in self.wanted.items():
            if source and tree.entry(source.encode()) is None:
                continue  # what lies there was left by the build of another step
            data = self._read(name)
            if data is not None:
                artefacts[name] = self.cache.put_blob(data)
        whole = self.replay is None or self.replay.is_whole
        summary = "built" if whole else _COMPILED
        if self._may_be_idle:  # once a build has left something, no later one is asked
            self._may_be_idle = self.worktree.untouched
            summary = IDLE if self._may_be_idle else summary
        verdict = Verdict(Validator.BUILD, State.PASSED, summary, (), seconds, how=how)
        return Built(verdict, artefacts, whole)

    def _made(self, path: str) -> None:
        """A replay has made a file; from one of its threads."""
        if self._early is None or path not in self.wanted:
            return
        data = self._read(path)
        if data is not None:
            self._early(path, self.cache.hold(data), self._answers)

    def _read(self, name: str) -> bytes | None:
        """A file to hand on; None where there is none inside the worktree."""
        data = self.worktree.read(name)
        return without_debug(data) if data is not None else None


def _last(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no output")
