# SPDX-License-Identifier: GPL-2.0-or-later
"""A tiny repository, a series for it, and what became of a run that met a fault."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.backport.durable.machine import Fault, Machine
from tests.backport.durable.seen import Seen, difference, seen
from tests.backport.trees import branch_with, git, lines, mbox, new_repo
from tests.emu import mini

BUILD = "cp a.c a.o"
CORE = "xen/arch/x86/pv/shim"
"""Where the built-in profile has the core.  Its object is made beforehand: the compiler is not at issue."""


class Shape(StrEnum):
    """What the branch is, and where it is checked out."""

    PLAIN = "checked out"
    PACKED = "in packed-refs"
    LINKED = "in a worktree beside the main one"
    NEW = "made by --to"
    SYMBOLIC = "named by a symbolic ref"


def make(folder: Path, shape: Shape) -> Path:
    """Files that are changed, made (in a new folder, too), deleted, renamed, made executable; a link; and
    things of the user's that no commit has."""
    files = {
        "a.c": lines(),
        "b.c": lines(),
        "gone/only.c": lines((2, "only")),
        "old-name.c": lines((3, "old name")),
        "tool.sh": "#!/bin/sh\n",
        ".gitignore": "*.o\n",
        f"{CORE}.c": "/* A core is built from here. */\n",
    }
    repo = new_repo(folder, files)
    branch_with(
        repo,
        "topic",
        "stable",
        ("one", {"a.c": lines((5, "five")), "new/deep/file.c": "int f;\n"}),
        ("two", {"b.c": lines((5, "five")), "c.c": "int c;\n", "gone/only.c": None}),
        (
            "three",
            {
                "a.c": lines((5, "five"), (15, "fifteen")),
                "old-name.c": None,
                "new-name.c": lines((3, "old name"), (9, "nine")),
            },
        ),
    )
    (repo / ".git/series.mbox").write_bytes(mbox(repo, "stable..topic"))
    (repo / ".git/core.o").write_bytes(mini.core())
    git(repo, "branch", "-q", "-D", "topic")  # a run makes its objects itself
    git(repo, "reflog", "expire", "--expire=now", "--all")
    git(repo, "prune", "--expire=now")
    (repo / "mine.txt").write_text("untracked\n")
    (repo / "mine.o").write_text("ignored\n")
    git(repo, "config", "backport.sandbox", "off")
    git(repo, "config", "gc.auto", "0")
    match shape:
        case Shape.PACKED:
            git(repo, "pack-refs", "--all")
        case Shape.LINKED:
            git(repo, "checkout", "-q", "-b", "elsewhere")
            git(repo, "worktree", "add", "-q", str(repo / "linked"), "stable")
        case Shape.SYMBOLIC:
            git(repo, "branch", "-q", "-m", "real")
            git(repo, "symbolic-ref", "refs/heads/stable", "refs/heads/real")
    return repo


def arguments(repo: Path, level: str, shape: Shape) -> list[str]:
    """The run."""
    series = str(repo / ".git/series.mbox")
    command = BUILD if level == "build" else f"{BUILD}; cp {repo}/.git/core.o {CORE}.o"
    build = ["--build", command] if level != "none" else []
    to = ["--to", "fresh"] if shape is Shape.NEW else []
    return ["apply", "--branch", "stable", "--series", series, "--validate", level, *build, *to]


def tip(repo: Path, shape: Shape) -> str:
    """Where the branch is that is to move."""
    name = "fresh" if shape is Shape.NEW else "stable"
    return git(repo, "for-each-ref", "--format=%(objectname)", f"refs/heads/{name}")


@dataclass(frozen=True, slots=True)
class Case:
    """The call that fails, how, and what the user does then."""

    at: int
    fault: Fault
    sticky: bool
    verb: str

    def __str__(self) -> str:
        return f"{self.at} {self.fault.name}{' for good' if self.sticky else ''}, {self.verb}"


@dataclass(frozen=True, slots=True)
class Survey:
    """One repository, and how its run ends where nothing fails."""

    machine: Machine
    folder: Path
    level: str
    shape: Shape
    before: Seen
    wanted: str
    after: Seen
    calls: int

    def check(self, case: Case) -> Iterator[str]:
        """What is wrong after ``case``, if anything is."""
        repo = self.fresh()
        words = arguments(repo, self.level, self.shape)
        cut = self.machine.run(repo, *words, at=case.at, fault=case.fault, sticky=case.sticky)
        moved = tip(repo, self.shape) == self.wanted
        if cut.code >= 0:
            if cut.code >= 128:
                yield f"exit {cut.code}: {cut.said}"
            if cut.code == 0 and not moved:
                yield "exit 0, and the branch has not moved"
            if cut.code and moved:
                yield f"the branch has moved, and exit {cut.code}: {cut.said}"
            if cut.code and "Traceback" in cut.said:
                yield cut.said
        waits = (repo / ".git/backport/run/state.json").exists()
        if cut.code == 0:
            pass
        elif case.verb == "abort":
            yield from self._aborted(repo, waits=waits)
            return
        again = self.machine.run(repo, *(["continue"] if waits else words)) if cut.code else cut
        if again.code:
            yield f"continue: exit {again.code}: {again.said}"
            return
        if cut.code == 0:
            # What could not be cleared away is cleared by the next command.
            self.machine.run(repo, "continue")
        yield from self._same(self.after, repo)

    def _aborted(self, repo: Path, *, waits: bool) -> Iterator[str]:
        moved = tip(repo, self.shape) == self.wanted
        before = self.before
        if waits:
            done = self.machine.run(repo, "abort")
            if done.code:
                yield f"abort: exit {done.code}: {done.said}"
        elif moved:  # it was over
            before = self.after
        now = seen(repo)
        if moved:  # what happened stays in the reflogs
            before, now = _without_logs(before), _without_logs(now)
        yield from self._same(before, repo, now)

    def _same(self, wanted: Seen, repo: Path, now: Seen | None = None) -> Iterator[str]:
        differs = difference(wanted, now or seen(repo))
        if differs:
            yield differs
        broken = git(repo, "fsck", "--strict", "--no-dangling")
        if broken:
            yield broken

    def fresh(self) -> Path:
        """The repository as it was before the run."""
        return fresh(self.folder)


def _without_logs(found: Seen) -> Seen:
    return {key: value for key, value in found.items() if not key.startswith("git logs/")}


def fresh(folder: Path) -> Path:
    """A copy of the template; git takes a look at it, since a copy has other times."""
    repo = folder / "repo"
    shutil.rmtree(repo, ignore_errors=True)
    shutil.copytree(folder / "template", repo, symlinks=True)
    for top in (repo, repo / "linked"):
        if top.is_dir():
            git(top, "update-index", "-q", "--refresh")
    return repo


def survey(machine: Machine, folder: Path, level: str, shape: Shape = Shape.PLAIN) -> Survey:
    """Run once with nothing that fails."""
    # A linked worktree knows where it lies: where the copies will.
    make(folder / "repo", shape).rename(folder / "template")
    repo = fresh(folder)
    before = seen(repo)
    done = machine.run(repo, *arguments(repo, level, shape), log=True)
    assert done.code == 0, done.said
    return Survey(machine, folder, level, shape, before, tip(repo, shape), seen(repo), done.calls)


def cases(points: Iterable[int], faults: Iterable[tuple[Fault, bool]]) -> Iterator[Case]:
    """Every fault at every point, with both that a user may do."""
    for fault, sticky in faults:
        for at in points:
            for verb in ("continue", "abort"):
                yield Case(at, fault, sticky, verb)
