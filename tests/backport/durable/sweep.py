# SPDX-License-Identifier: GPL-2.0-or-later
"""One command on one repository, and what became of it where a durable call met a fault.

Any repository, and any command that `continue` and `abort` know: onto a branch or several, whether it ends
or stops.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.backport.durable.machine import Ended, Fault, Machine
from tests.backport.durable.seen import Seen, difference, refs, seen
from tests.backport.trees import git

FAULTS = (
    (Fault.KILL, False),
    (Fault.HALF, False),
    (Fault.ORPHAN, False),
    (Fault.ENOSPC, False),
    (Fault.ENOSPC, True),
    (Fault.EIO, False),
    (Fault.EIO, True),
)
"""What befalls a call; True: all later ones as well, until the next command."""
VERBS = ("continue", "abort")
_HEADS = "ref refs/heads/"
_EACH = (_HEADS, "git refs/heads/")
"""What a branch has of its own (see seen)."""


@dataclass(frozen=True, slots=True)
class Case:
    """The call that fails, how, and what the user does then."""

    at: int
    fault: Fault
    sticky: bool
    verb: str

    def __str__(self) -> str:
        return f"{self.at} {self.kind}, {self.verb}"

    @property
    def kind(self) -> str:
        """What befalls the call."""
        return f"{self.fault.name}{' for good' if self.sticky else ''}"


@dataclass(frozen=True, slots=True)
class Sweep:
    """One command, and how it ends where nothing fails: ``code`` 0, or 3 where it stops on a conflict."""

    machine: Machine
    folder: Path
    words: Sequence[str]
    before: Seen
    after: Seen
    code: int
    calls: int

    def check(self, case: Case) -> Iterator[str]:
        """What is wrong after ``case``, if anything is."""
        repo = fresh(self.folder)
        cut = self.machine.run(repo, *self.words, at=case.at, fault=case.fault, sticky=case.sticky)
        over = self._moved(refs(repo)) == self._moved(self.after)
        yield from self._ended(cut, over=over)
        waits = running(repo)
        if case.verb == "abort" and cut.code:
            yield from self._aborted(repo, waits=waits)
            return
        begins = not waits and (self.code or not over)
        again = self.machine.run(repo, *(self.words if begins else ["continue"]))
        if (waits or begins) and cut.code and again.code != self.code:
            yield f"continue: exit {again.code}: {again.said}"
            return
        yield from self._differs(self.after, repo)
        if self.code:
            yield from self._aborted(repo, waits=True)

    def _ended(self, cut: Ended, *, over: bool) -> Iterator[str]:
        """What is wrong with the exit code."""
        if cut.code >= 128:
            yield f"exit {cut.code}: {cut.said}"
        elif cut.code == 0 and (self.code or not over):
            yield f"exit 0, and a branch has not moved: {cut.said}"
        elif cut.code > 0 and over and not self.code:
            yield f"the branch has moved, and exit {cut.code}: {cut.said}"
        if cut.code > 0 and "Traceback" in cut.said:
            yield cut.said

    def _aborted(self, repo: Path, *, waits: bool) -> Iterator[str]:
        """What is wrong after ``abort``; the reflogs are as before where no branch had moved (one of several
        may have, and been put back at once)."""
        had_moved = self._moved(refs(repo)) or len(self._moved(self.after)) > 1
        done = self.machine.run(repo, "abort")
        if done.code != (0 if waits else 2):
            yield f"abort: exit {done.code}: {done.said}"
        stay = {
            ref
            for ref in self._moved(refs(repo))
            if not waits or f"{ref.removeprefix(_HEADS)}: had moved, and stays" in done.said
        }
        out = git(repo, "branch", "--show-current")
        yield from self._differs(self._with(stay, out), repo, logs=not had_moved)

    def _moved(self, now: Seen) -> set[str]:
        """The branches that are where the command brings them."""
        return {
            name
            for name in self.before.keys() | self.after.keys()
            if name.startswith(_HEADS)
            and self.before.get(name) != self.after.get(name) == now.get(name)
        }

    def _with(self, moved: set[str], out: str) -> Seen:
        """As before, but for these branches; ``out`` is checked out, and files go with it."""
        over = moved and moved == self._moved(self.after)
        rest = self.after if over or f"{_HEADS}{out}" in moved else self.before
        heads = moved | {name.replace("ref", "git", 1) for name in moved}
        return (
            {name: what for name, what in rest.items() if not name.startswith(_EACH)}
            | {name: what for name, what in self.before.items() if name.startswith(_EACH)}
            | {name: self.after[name] for name in heads if name in self.after}
        )

    def _differs(self, wanted: Seen, repo: Path, *, logs: bool = True) -> Iterator[str]:
        now = seen(repo)
        broken = _broken(repo, self.before, now)
        if not logs:
            wanted, now = (
                {name: what for name, what in found.items() if not name.startswith("git logs/")}
                for found in (wanted, now)
            )
        yield from filter(None, (difference(wanted, now), broken))


def running(repo: Path) -> bool:
    """Whether a run waits for `continue` or `abort`."""
    state = repo / ".git/backport"
    return any((state / name).exists() for name in ("run/state.json", "branches.json"))


def fresh(folder: Path) -> Path:
    """A copy of the template; git takes a look at it, since a copy has other times."""
    repo = folder / "repo"
    shutil.rmtree(repo, ignore_errors=True)
    subprocess.run(["cp", "-a", folder / "template", repo], check=True)
    for top in (repo, repo / "linked"):
        if top.is_dir():
            git(top, "update-index", "-q", "--refresh")
    return repo


def sweep(machine: Machine, folder: Path, words: Sequence[str]) -> Sweep:
    """Run once on ``folder/template`` with nothing that fails."""
    repo = fresh(folder)
    before = seen(repo)
    done = machine.run(repo, *words, log=True)
    if done.code not in (0, 3):
        raise AssertionError(f"exit {done.code}: {done.said}")
    return Sweep(machine, folder, words, before, seen(repo), done.code, done.calls)


def cases(calls: int) -> Iterator[Case]:
    """Every fault at every call, with both that a user may do."""
    for first in range(len(VERBS)):
        yield from spread(calls, 1, first)


def spread(calls: int, every: int, first: int = 0) -> Iterator[Case]:
    """Each fault at every n-th call, each at others, with the two verbs in turn, beginning with ``first``."""
    for number, (fault, sticky) in enumerate(FAULTS):
        points = range(1 + number * every // len(FAULTS), calls + 1, every)
        for count, at in enumerate(points, number + first):
            yield Case(at, fault, sticky, VERBS[count % 2])


def _broken(repo: Path, old: Seen, new: Seen) -> str:
    """What fsck says; where a repository borrows its objects, of those that are new: the others are many."""
    if not (repo / ".git/objects/info/alternates").exists():
        return git(repo, "fsck", "--strict", "--no-dangling")
    ends = {oid for name, oid in new.items() if name.startswith("ref ")}
    known = {f"^{oid}" for name, oid in old.items() if name.startswith("ref ")}
    pack = repo.with_name("new.pack")
    pack.unlink(missing_ok=True)
    check = f"git pack-objects --revs --stdout -q | git index-pack --strict --stdin {pack}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", check],
        cwd=repo,
        input="\n".join((*ends, *known)).encode(),
        capture_output=True,
        check=False,
    )
    return done.stderr.decode() if done.returncode else ""
