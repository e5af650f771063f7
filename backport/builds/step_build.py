# SPDX-License-Identifier: GPL-2.0-or-later
"""The build of one step, with the user's own command, in a worktree that is kept.

The worktree lives in ``.git/backport/build`` from run to run.  A step is built there by the commands that
it changes, where a watched build shows which (`recorded`); without that, by the tree's own incremental
build, which knows only the dependencies that its makefiles name; or as a whole, from nothing.  `audit`
compares the first two with the third.

A failure is believed from a clean worktree alone, and what the machine brought about (a compiler killed
for memory, a full disk) is no verdict: it is said, and never kept.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from backport.builds.audit import Difference, built_files, different
from backport.builds.compiler_errors import compiler_errors
from backport.builds.git_settings import harmless
from backport.builds.kept_worktree import KeptWorktree
from backport.builds.leftovers import MARK
from backport.builds.machine_faults import killed_for_memory, machine_fault
from backport.builds.named_files import named_files
from backport.builds.outside_state import changed as outside_changed
from backport.builds.process import run_bounded
from backport.builds.recorded.replay import Replay
from backport.builds.sandbox import BuildPlaces, Sandbox, boxed_as, sandboxes
from backport.builds.toolchain import surroundings
from backport.counted import counted
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
_OUTSIDE = "outside"
"""Of the states of what builds looked at outside of the tree."""
_FORMAT = "build-3"
_CANNOT_TEST = 125
_NO_TOOL = re.compile(r"\*\*\* .*Error 127$", re.M)
"""How make says that a program of the recipe is not there: no verdict on any patch."""
_ERROR_OF_TREE = re.compile(r"^[^\s:]+:\d+(:\d+)?: (fatal )?error: ", re.M | re.I)


def build_key(tree: Oid, around: str, absent: Sequence[str] = ()) -> str:
    """What the answer of a build depends on: the tree, its `surroundings`, the submodules that are absent."""
    return digest(_FORMAT, tree, around, *absent)


class Way(Enum):
    """How a step was built."""

    WHOLE = "whole"
    """From a clean worktree."""
    REPLAYED = "replayed"
    INCREMENTAL = "incremental"
    """By the tree's own makefiles, upon what an earlier step left."""


class _Ended(Struct, frozen=True):
    """How the build command ended; ``fault`` is why that says nothing about the tree."""

    way: Way
    code: int
    log: str
    fault: str = ""


class Built(Struct, frozen=True):
    """A build's answer; ``artefacts`` are the files asked for, by path, as SHA-256 in the cache."""

    verdict: Verdict
    artefacts: dict[str, str]
    answers: Answers | None = None
    """What this tree says of the profile's constants and types, where a probe was asked."""
    way: Way = Way.WHOLE


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
        audited: bool = False,
        profile: Profile | None = None,
    ) -> None:
        self.repo = repo
        self.cache = cache
        self.command = command
        self.wanted = dict(sorted(wanted.items()))
        """Files to hand on, each with the source it is made from."""
        self.timeout = timeout
        self.audited = audited
        """Answers of builds that were not full ones wait for `confirm`."""
        self.profile = profile
        """Whose constants and types a probe is asked for."""
        self.worktree = KeptWorktree(repo)
        self.folder = self.worktree.folder
        temporary = repo.state_dir / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)  # what killed compilers have left
        temporary.mkdir(parents=True, exist_ok=True)
        self._temporary = temporary
        self._writable = tuple(writable)
        self._env = repo.environment.for_builds(passed)
        self.withheld = repo.environment.withheld(passed)
        """Variables that builds do not get, for what they lead to or hold."""
        self.of_the_job = repo.environment.of_the_job(passed)
        """Variables that builds do not get, since they are other in each job of a CI system."""
        named = named_files(command, self.folder, self._env)
        seen = (*readable, *map(str, (*repo.folders, *named)))
        places = BuildPlaces(
            self.folder,
            temporary,
            repo.state_dir / "no-keyrings.bpf",
            repo.state_dir / "nothing",
            harmless(repo.git.config),
            tuple(writable),
            seen,
            repo.environment.variables,
        )
        self._box = sandboxes(places, boxed)
        self._boxed_as = boxed_as(boxed, readable)
        if boxed is SandboxUse.REQUIRED and (said := self.sandbox.complaints):
            raise UsageError(
                f"nothing is built: {'; '.join(said)}",
                "mend that, or leave out `--sandbox required` (backport.sandbox)",
            )
        self._early: Early | None = None
        self._may_be_idle = True
        self.idle = False
        """Whether the whole build of the last audit has left nothing."""
        self._answers: Answers | None = None
        """What the tree of the last build said: the next is likely to say the same."""
        self._doubtful: set[str] = set()
        """Keys of this process's answers that no whole build has borne out yet."""
        self.distrusted = ""
        """Why every step is built as a whole from now on."""
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
                probing=profile is not None and bool(profile.includes),
            )

    @cached_property
    def sandbox(self) -> Sandbox:
        """Of the build at work; made when it is first asked for, since what is known needs none."""
        return self._box()

    def key(self, commit: Oid, around: str | None = None) -> str:
        """What the answer depends on, as far as that is known before the build."""
        return build_key(
            self.repo.tree(commit).id,
            around or self.around(),
            self.worktree.submodules.absent(commit),
        )

    def around(self) -> str:
        """What answers depend on besides the tree, as it is now."""
        return surroundings(self.command, self.folder, self._env, self._writable, self._boxed_as)

    def known(self, commit: Oid, around: str | None = None) -> Built | None:
        """The answer from the cache, with every artefact at hand; None when it must be built.

        ``around`` is what `around` has just said: who asks for many looks at the machine's tools once.
        """
        key = self.key(commit, around)
        answer = self.cache.get(KIND, key)
        if answer is None:
            return None
        if answer["doubtful"] and key not in self._doubtful:
            return None  # of a run that ended before a whole build had borne it out
        if answer["outside"]:
            states = self.cache.get(_OUTSIDE, answer["outside"])
            if states is None or outside_changed(states):
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
        way = Way(answer["way"])
        asked = self._question(artefacts)
        if not asked:
            return Built(verdict, artefacts, way=way)
        if answer.get("asked") != asked:
            return None  # without the probe, or with another: this tree may say otherwise
        from backport.builds.probe import from_json

        return Built(verdict, artefacts, from_json(answer["answers"]), way)

    def build(self, commit: Oid) -> Built:
        """The answer for a commit, from the cache where it is known; raises as `make` does."""
        return self.known(commit) or self.make(commit)

    def make(self, commit: Oid, *, early: Early | None = None) -> Built:
        """Build a commit's tree.  Raises `CannotTest` when the build cannot even be tried.

        ``early`` gets each file to hand on when it has been made, which is before the end where a replay
        makes it.
        """
        begun = time.monotonic()
        self.sandbox = self._box()  # who listens on a socket now is not who did at the start
        if self.replay is not None:
            self.replay.prefix = self.sandbox.prefix
        self.worktree.prefix = self.sandbox.prefix
        before = self.worktree.check_out(commit)
        self._early = early
        ended = self._by_step(commit, before)
        how = self.replay.how if self.replay is not None else ""
        how = "in full, as an audit found a difference" if self.distrusted else how
        built = self._answer(commit, ended, time.monotonic() - begun, how)
        asked = self._question(built.artefacts)
        if asked:
            built = replace(built, answers=self._probe())
        self._answers = built.answers
        if built.verdict.state is not State.CANNOT_TELL:
            self._keep(commit, built, asked)
        return built

    def _keep(self, commit: Oid, built: Built, asked: str) -> None:
        """Put an answer into the cache, with what it holds for."""
        key = self.key(commit)
        outside = ""
        if self.replay is not None and (states := self.replay.outside):
            outside = digest(*(f"{path} {was}" for path, was in sorted(states.items())))
            if self.cache.get(_OUTSIDE, outside) is None:
                self.cache.put(_OUTSIDE, outside, dict(states))
        doubtful = built.way is not Way.WHOLE and self.audited
        if doubtful:
            self._doubtful.add(key)
        answer = {
            "command": self.command,
            "state": built.verdict.state.value,
            "summary": built.verdict.summary,
            "lines": list(built.verdict.lines),
            "seconds": round(built.verdict.seconds, 3),
            "wanted": list(self.wanted),
            "artefacts": built.artefacts,
            "outside": outside,
            "doubtful": doubtful,
            "way": built.way.value,
        }
        if built.answers is not None:
            from backport.builds.probe import to_json

            answer |= {"asked": asked, "answers": to_json(built.answers)}
        self.cache.put(KIND, key, answer)

    def confirm(self, commits: Sequence[Oid]) -> None:
        """A full build of the last has given the same as these faster ones."""
        for commit in commits:
            key = self.key(commit)
            answer = self.cache.get(KIND, key)
            if answer is not None and answer["doubtful"]:
                summary = IDLE if self.idle and commit == commits[-1] else answer["summary"]
                self.cache.put(KIND, key, {**answer, "doubtful": False, "summary": summary})
            self._doubtful.discard(key)

    def distrust(self, commits: Iterable[Oid], why: str) -> None:
        """Forget answers, and build every step as a whole from now on."""
        self.distrusted = why
        if self.replay is not None:
            self.replay.turn_off(why)
        for commit in commits:
            self.cache.drop(KIND, self.key(commit))

    def forget(self, commit: Oid, why: str) -> None:
        """Forget an answer, and build as a whole until `trust_again`; what such a build shows is kept."""
        self.distrusted = why
        self.cache.drop(KIND, self.key(commit))

    def trust_again(self) -> None:
        """A whole build that was asked for has been made."""
        self.distrusted = ""

    def audit(self, commit: Oid) -> Difference | None:
        """Build a commit's tree, which `make` has just built, once more from nothing; the file that differs
        from what lies there, or None.

        What two whole builds in a row leave different says nothing.  Raises `CannotTest` where the whole
        build cannot be judged.
        """
        mine = built_files(self.folder)
        ended = self._judged(commit)
        if ended.fault:
            raise CannotTest(f"a step could not be audited: {ended.fault}", "try again")
        self.idle = not ended.code and self.worktree.untouched
        if ended.code:
            return Difference("", f"the whole build fails ({_exit(ended.code)})")
        theirs = built_files(self.folder)
        differing = different(mine, theirs, leftovers=self.replay is not None)
        if differing:
            ended = self._whole(commit)
            if not ended.code and not ended.fault:
                differing -= different(theirs, built_files(self.folder), leftovers=True)
        if not differing:
            return None
        path = min(differing)
        made_by = self.replay.maker(path) if self.replay is not None else ""
        return Difference(path, made_by)

    def _question(self, artefacts: Mapping[str, str]) -> str:
        """A digest of what the tree is asked by a probe; empty where it is not, or has no core."""
        if self.profile is None or self.replay is None or not self.profile.includes:
            return ""
        if self.profile.core_object not in artefacts:
            return ""
        from backport.builds.probe import question

        return question(self.profile)

    def _by_step(self, commit: Oid, before: Oid | None) -> _Ended:
        """Build what is checked out: upon what ``before`` left, where that can be, and as a whole."""
        ended: _Ended | None = None
        if self.replay is not None:
            self.replay.how = "" if before is not None else "in full: from nothing"
        if before is not None and not self.distrusted:
            if self.replay is None:
                # What another command has left, or another compiler, is no part of this one's build.
                if self.worktree.is_made_by(self.around()):
                    self.worktree.drop_unmade(before, commit, self.wanted)
                    ended = self._run(Way.INCREMENTAL)
                    if not ended.code:
                        return ended
            else:
                self.worktree.begin()
                self.worktree.redate(before, commit)
                if self._answers is None and self._question(self.wanted):
                    self._answers = self._probe()
                if self.replay.attempt(commit, self.worktree.date):
                    self.worktree.succeed()
                    return _Ended(Way.REPLAYED, 0, "")
                if self.replay.holds:
                    return self._beside(commit, self.replay)
        return self._judged(commit)

    def _beside(self, commit: Oid, replay: Replay) -> _Ended:
        """The whole build; if that fails, what lay here lies here again, for the next step."""
        date = self.worktree.set_aside()
        ended = self._judged(commit)
        if ended.code and replay.holds:
            self.worktree.put_back(date)
            replay.resume()
        else:
            self.worktree.forget_aside()
        return ended

    def _judged(self, commit: Oid) -> _Ended:
        """The whole build, and once more where it has seen that it is watched, or nothing says that its
        failure was the tree's doing: without the watcher then, since some programs do not run under one
        (ptrace(2))."""
        known = self.replay.seen if self.replay is not None else ""
        ended = self._whole(commit)
        if self.replay is not None and self.replay.seen and not known:
            ended = self._whole(commit, watched=False)
        elif ended.code and not ended.fault and not _ERROR_OF_TREE.search(ended.log):
            ended = self._whole(commit, watched=False)
            if self.replay is not None and not ended.code:
                self.replay.turn_off("the build fails where it is watched")
        return ended

    def _whole(self, commit: Oid, *, watched: bool = True) -> _Ended:
        """The whole build, from nothing."""
        self.worktree.begin()
        self.worktree.renew(commit)
        if self.replay is None:
            self.worktree.make_by(self.around())
        ended = self._run(Way.WHOLE, watched=watched)
        if self.replay is not None and watched:
            self.replay.keep(commit, passed=ended.code == 0)
            self.worktree.leave(self.replay.altered)
        return ended

    def _probe(self) -> Answers:
        """What the tree says, by the command that compiled its core."""
        from backport.builds.probe import ask

        assert self.profile is not None
        assert self.replay is not None
        run = self.replay.compiling(self.profile.core_object)
        prefix = self.sandbox.prefix
        return ask(self.profile, run, self.folder, prefix, self.cache, self.timeout)

    def _run(self, way: Way, *, watched: bool = True) -> _Ended:
        self.worktree.begin()
        shell = self.replay.words if self.replay is not None and watched else ("/bin/sh",)
        words = [*self.sandbox.prefix, *shell, "-c", self.command]
        env = {**self._env, MARK: str(self.folder)}
        killed = killed_for_memory()
        code, text = run_bounded(words, self.folder, env, self.timeout)
        if code is None:
            log = f"{text}\nkilled after {self.timeout} s\n"
            return _Ended(way, -1, log, f"killed after {self.timeout} s")
        if code == 0:
            self.worktree.succeed()
            return _Ended(way, 0, text)
        fault = machine_fault(code, text, (self.folder, self._temporary))
        if not fault and killed_for_memory() != killed:
            fault = "the kernel killed a program for memory"
        if fault:
            return _Ended(way, code, text, fault)
        if code in (126, 127):
            raise CannotTest(
                f"the build command cannot be run: {self.command!r}: {_last(text)}",
                "set it with `git config backport.build '...'` or --build",
            )
        if _NO_TOOL.search(text):
            said = [
                line for line in text.splitlines() if "not found" in line or "No such file" in line
            ]
            raise CannotTest(
                f"the build needs a program that is not installed: {(said or [_last(text)])[0].strip()}",
                "install it; on Debian most are in the package of that name, cc in gcc",
            )
        return _Ended(way, code, text)

    def _answer(self, commit: Oid, ended: _Ended, seconds: float, how: str) -> Built:
        if ended.code:
            # 125 is how `git bisect run` is told that a tree cannot be tested.
            absent = self.worktree.submodules.absent(commit)
            doubt = ended.fault or ended.code == _CANNOT_TEST or absent
            state = State.CANNOT_TELL if doubt else State.FAILED
            what = ended.fault or _exit(ended.code)
            if absent:
                what += (
                    f", without {_submodules(absent)} (`git submodule update --init --recursive`)"
                )
            lines = compiler_errors(ended.log)
            return Built(Verdict(Validator.BUILD, state, what, lines, seconds, how=how), {})
        artefacts: dict[str, str] = {}
        tree = self.repo.tree(commit)
        for name, source in self.wanted.items():
            if source and tree.entry(source.encode()) is None:
                continue  # what lies there was left by the build of another step
            data = self._read(name)
            if data is not None:
                artefacts[name] = self.cache.put_blob(data)
        summary = "built"
        if self._may_be_idle:  # once a build has left something, no later one is asked
            self._may_be_idle = self.worktree.untouched
            summary = IDLE if self._may_be_idle else summary
        verdict = Verdict(Validator.BUILD, State.PASSED, summary, (), seconds, how=how)
        return Built(verdict, artefacts, way=ended.way)

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


def _submodules(paths: Sequence[str]) -> str:
    few = ", ".join(paths[:2]) + (", ..." if len(paths) > 2 else "")
    return f"{counted(len(paths), 'submodule')} ({few}) that no clone here has"


def _exit(code: int) -> str:
    return f"exit {code}" if code > 0 else f"ended by signal {-code}"
