# SPDX-License-Identifier: GPL-2.0-or-later
"""Small trees built step by step, each step compared with a clean build at the same path.

Right is what the clean build leaves, file by file, and whether it succeeds.  A case is data: ``tree`` is
shell text that makes the tree, each of ``steps`` is shell text whose result is committed (a pair: first
something outside of the tree, or ``@NAME=VALUE`` in the environment), ``build`` is the command.  ``@OUT@``
is a folder outside of the tree: cc -> cc1|cc2 (compilers with -DV=1, -DV=2), cur -> v1|v2 (each with a
v.h), flag, o.h, d/f.

    python -m tests.backport.builds.build_cases FILE [--no-replay] [--jobs N] [NAME...]

runs the cases of a JSON file and prints what is wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from backport.builds.step_build import BuildTree
from backport.environment import Environment
from backport.errors import CannotTest
from backport.gateway.repository import open_repo
from backport.store.cache import Cache
from backport.verdicts import State

_TIMEOUT = 60
_USER = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.com",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}
_OUT = """\
for n in 1 2; do
    printf '#!/bin/sh\\nexec gcc -DV=%d "$@"\\n' $n > cc$n; chmod +x cc$n
    mkdir v$n; echo "#define V $n" > v$n/v.h
done
ln -s cc1 cc; ln -s v1 cur; touch flag; echo '#define O 1' > o.h; mkdir d; echo 1 > d/f
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A small tree and what becomes of it."""

    name: str
    tree: str
    steps: Sequence[str | Sequence[str]]
    build: str = "make -j8"
    writable: Sequence[str] = ()
    ignore: str | None = None


@dataclass(slots=True)
class Outcome:
    """What was wrong with a case, by step; and how its steps were built."""

    name: str
    wrong: list[str] = field(default_factory=list)
    how: list[str] = field(default_factory=list)
    seconds: float = 0.0


def run_case(case: Case, folder: Path, *, replay: bool) -> Outcome:
    """Build a case's steps as a run does, and cleanly at the same path beside."""
    return _Bench(case, folder, replay=replay).run()


class _Bench:
    def __init__(self, case: Case, folder: Path, *, replay: bool) -> None:
        self.case = case
        self.replay = replay
        self.folder = folder
        self.out = folder / "out"
        self.tree = folder / "tree"
        self.before: list[str] = []
        """What was done outside of the tree so far."""
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        self.outcome = Outcome(case.name)
        self._builder: BuildTree | None = None
        self._cache: Cache | None = None

    def run(self) -> Outcome:
        begun = time.monotonic()
        self.tree.mkdir(parents=True)
        self._fresh_out()
        self._shell("git init -q -b stable", self.tree)
        self._shell(self.case.tree, self.tree)
        for number, step in enumerate(("", *self.case.steps)):
            outside, inside = ("", step) if isinstance(step, str) else step
            if outside.startswith("@") and not outside.startswith("@OUT@"):
                name, _, value = outside[1:].partition("=")
                self.env[name] = value
                self._builder = None
            elif outside:
                self.before.append(outside)
                self._shell(outside, self.folder)
            if inside:
                self._shell(inside, self.tree)
            self._shell(f"git add -A && git commit -q --allow-empty -m {number}", self.tree)
            self._compare(number)
        self.outcome.seconds = time.monotonic() - begun
        return self.outcome

    def _compare(self, number: int) -> None:
        try:
            built = self._build()
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            self.outcome.wrong.append(
                f"{number}: crash: {error} (line {at.lineno} of {at.filename})"
            )
            self._builder = None
            return
        if built is None:
            ours, found = "untestable", {}
        else:
            ours, found = built[0], self._files()
            self.outcome.how.append(f"{number}: {built[0]}: {built[1]}")
        theirs, clean = self._clean()
        if ours != theirs:
            self.outcome.wrong.append(f"{number}: says {ours}, a clean build {theirs}")
        elif ours == "ok" and built is not None and "cached" not in built[1]:
            differ = sorted(p for p in found.keys() | clean.keys() if found.get(p) != clean.get(p))
            if differ:
                twice = self._clean()[1]
                differ = [path for path in differ if clean.get(path) == twice.get(path)]
            if differ:
                self.outcome.wrong.append(f"{number}: other files: {' '.join(differ[:5])}")

    def _build(self) -> tuple[str, str] | None:
        if self._builder is None:
            environment = Environment.copied({k: str(v) for k, v in self.env.items()})
            repo = open_repo(self.tree, environment)
            self._builder = BuildTree(
                repo,
                Cache(repo.state_dir / "cache"),
                self._put(self.case.build),
                {},
                timeout=_TIMEOUT,
                writable=tuple(map(self._put, self.case.writable)),
                readable=(str(self.out),),
                replay=self.replay,
            )
        try:
            built = self._builder.build(self._builder.repo.commit("stable"))
        except CannotTest:
            return None
        words = {State.PASSED: "ok", State.FAILED: "FAIL", State.CANNOT_TELL: "untestable"}
        how = "cached" if built.verdict.cached else built.verdict.how
        return words[built.verdict.state], how

    def _clean(self) -> tuple[str, Mapping[str, str]]:
        """A build from nothing, at the same path, in the same sandbox."""
        assert self._builder is not None
        place = self._builder.folder
        kept, out = place.with_name("build.kept"), self.out.with_name("out.kept")
        place.rename(kept)
        self.out.rename(out)
        self._fresh_out()
        for outside in self.before:
            self._shell(outside, self.folder)
        place.mkdir()
        try:
            shutil.copy2(kept / ".git", place / ".git")
            self._shell(
                'git -c tar.umask=0022 archive stable | tar -x -C "$1"', self.tree, str(place)
            )
            words = [*self._builder.sandbox.prefix, "/bin/sh", "-c", self._builder.command]
            done = subprocess.run(
                words,
                cwd=place,
                env=self._builder.repo.environment.for_builds(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT,
                check=False,
            )
            code = done.returncode
            said = re.search(r"\*\*\* .*Error 127$", done.stdout + done.stderr, re.M)
            answer = (
                "ok" if code == 0 else "untestable" if code in (125, 126, 127) or said else "FAIL"
            )
            return answer, self._files()
        finally:
            shutil.rmtree(place)
            shutil.rmtree(self.out)
            kept.rename(place)
            out.rename(self.out)

    def _files(self) -> dict[str, str]:
        assert self._builder is not None
        root = self._builder.folder
        ignore = re.compile(self.case.ignore) if self.case.ignore else None
        found: dict[str, str] = {}
        for folder, folders, names in os.walk(os.fsencode(root)):
            for name in (*names, *folders):
                path = os.path.join(folder, name)  # noqa: PTH118
                shown = os.fsdecode(os.path.relpath(path, os.fsencode(root)))
                if shown == ".git" or (ignore and ignore.search(shown)):
                    continue
                st = os.lstat(path)
                if stat.S_ISREG(st.st_mode):
                    text = hashlib.sha256(Path(os.fsdecode(path)).read_bytes()).hexdigest()
                    found[shown] = f"{st.st_mode:o} {text}"
                elif stat.S_ISLNK(st.st_mode):
                    found[shown] = f"-> {os.fsdecode(os.readlink(path))}"  # noqa: PTH115
                else:
                    found[shown] = f"{st.st_mode:o}"
        return found

    def _fresh_out(self) -> None:
        self.out.mkdir()
        self._shell(_OUT, self.out)

    def _put(self, text: str) -> str:
        return text.replace("@OUT@", str(self.out))

    def _shell(self, text: str, cwd: Path, *words: str) -> None:
        subprocess.run(
            ["/bin/bash", "-c", self._put(text), "sh", *words],
            cwd=cwd,
            env={**os.environ, **_USER},
            stdin=subprocess.DEVNULL,
            check=True,
        )


def main(arguments: Sequence[str]) -> int:
    """Print what is wrong; the number of cases that are."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--no-replay", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("-v", action="store_true")
    options = parser.parse_intermixed_args(arguments)
    cases = [Case(**case) for case in json.loads(options.file.read_text())]
    wanted = [case for case in cases if not options.names or case.name in options.names]

    def one(case: Case) -> Outcome:
        with tempfile.TemporaryDirectory(prefix="case-") as folder:
            return run_case(case, Path(folder), replay=not options.no_replay)

    wrong = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for outcome in pool.map(one, wanted):
            wrong += bool(outcome.wrong)
            if outcome.wrong or options.v:
                print(f"{outcome.name} ({outcome.seconds:.1f} s)", *outcome.wrong, sep="\n    ")
            if options.v:
                print("    how:", *outcome.how, sep="\n        ")
            sys.stdout.flush()
    print(f"{wrong} of {len(wanted)} wrong")
    return wrong


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
