# SPDX-License-Identifier: GPL-2.0-or-later
"""How cost grows with the number of patches, on a linear stretch of real history.

    python -m tests.bench.scale --repo DIR --ref origin/staging --counts 77,300,1000

The trees of the last first-parent commits of a branch are committed one on the other, so that merges
are squashed, and written as patches.  Each mode puts them on the commit before the first: a numbered
mailbox, the same shuffled, shuffled without numbers, shuffled without numbers, blob ids and dates, and
the git range.  Figures stand beside those of ``git am``, given the right order.  Processor time (user
and system) is the figure on a machine that does other work.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pygit2

_BACKPORT = Path(sys.executable).parent / "backport"
_MAIL = re.compile(rb"^(?=From [0-9a-f]{40} Mon Sep 17 00:00:00 2001$)", re.MULTILINE)
_NUMBER = re.compile(rb"^Subject: \[PATCH \d+/\d+\]", re.MULTILINE)
_DATE = re.compile(rb"^Date: .*\n", re.MULTILINE)
_INDEX = re.compile(rb"^index [0-9a-f]+\.\.[0-9a-f]+(?: \d+)?\n(?!GIT binary patch)", re.MULTILINE)

MODES = ("numbered", "shuffled", "unnumbered", "bare", "range")
_LARGE = 3000
"""Past so many patches a shuffled mailbox is not tried unless it is asked for."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One process: seconds of wall and processor time, peak memory in MB, and how it ended."""

    wall: float
    cpu: float
    memory: float
    code: int
    said: str


_WAITER = """
import os, sys
process = os.spawnvp(os.P_NOWAIT, sys.argv[2], sys.argv[2:])
_, status, used = os.wait4(process, 0)
with open(sys.argv[1], "w") as file:
    print(used.ru_utime + used.ru_stime, used.ru_maxrss, status, file=file)
"""
"""A small process between: a child's peak counts what its parent held when it was made (getrusage(2)),
and this one holds mailboxes."""


def measured(words: Sequence[str]) -> Cost:
    """Run a command to its end."""
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "COLUMNS": "200"}
    for who in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{who}_NAME": "Bench", f"GIT_{who}_EMAIL": "bench@example.org"}
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures"
        waiter = [sys.executable, "-S", "-c", _WAITER, str(figures)]
        begun = time.perf_counter()
        done = subprocess.run(
            [*waiter, *words],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=True,
        )
        wall = time.perf_counter() - begun
        cpu, peak, status = figures.read_text().split()
    code = os.waitstatus_to_exitcode(int(status))
    return Cost(wall, float(cpu), int(peak) / 1024, code, done.stdout.decode("utf-8", "replace"))


class Stretch:
    """A scratch repository whose branch ``line`` holds the last ``count`` steps of a branch."""

    def __init__(self, source: Path, ref: str, count: int, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "line.git"
        self.git_words = ["git", "-C", str(self.path)]
        subprocess.run(
            ["git", "clone", "-q", "--bare", "--shared", str(source), str(self.path)], check=True
        )
        self.repo = pygit2.Repository(str(self.path))
        tip = subprocess.run(
            ["git", "-C", str(source), "rev-parse", f"{ref}^{{commit}}"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        self.commits = self._lined_up(tip, count)
        self.repo.references.create("refs/heads/line", self.commits[-1], force=True)

    def _lined_up(self, tip: str, count: int) -> list[str]:
        """New commits, the oldest first, each but the first with another tree than the one before."""
        chain = [self.repo[tip].peel(pygit2.Commit)]
        while len(chain) <= count and chain[-1].parents:
            before = chain[-1].parents[0]
            if before.tree_id == chain[-1].tree_id:
                chain[-1] = before
            else:
                chain.append(before)
        made: list[str] = []
        for commit in reversed(chain):
            head, _, message = commit.read_raw().partition(b"\n\n")
            kept = [b"tree " + str(commit.tree_id).encode()]
            kept += [b"parent " + made[-1].encode()] if made else []
            kept += [
                line
                for line in head.split(b"\n")
                if line.startswith((b"author ", b"committer ", b"encoding "))
            ]
            text = b"\n".join(kept) + b"\n\n" + message
            made.append(str(self.repo.write(pygit2.enums.ObjectType.COMMIT, text)))
        return made

    def git(self, *words: str) -> str:
        """Run git in the scratch repository; its output."""
        done = subprocess.run([*self.git_words, *words], check=True, capture_output=True, text=True)
        return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class Course:
    """One length of the stretch: its ends, and a mailbox a mode."""

    stretch: Stretch
    count: int
    base: str
    tip: str
    boxes: dict[str, Path]


def lay_course(stretch: Stretch, count: int, modes: Iterable[str]) -> Course:
    """Write the last ``count`` patches in every one of ``modes``."""
    base, tip = stretch.commits[-count - 1], stretch.commits[-1]
    stretch.git("update-ref", "refs/heads/start", base)
    folder = stretch.folder / str(count)
    folder.mkdir()
    whole = subprocess.run(
        [*stretch.git_words, "format-patch", "-n", "--stdout", f"{base}..{tip}"],
        check=True,
        capture_output=True,
    ).stdout
    mails = [mail for mail in _MAIL.split(whole) if mail]
    assert len(mails) == count, (len(mails), count)
    shuffled = random.Random(count).sample(mails, count)
    boxes: dict[str, Path] = {}
    for mode in modes:
        text = {
            "numbered": lambda: whole,
            "shuffled": lambda: b"".join(shuffled),
            "unnumbered": lambda: b"".join(_without_number(mail) for mail in shuffled),
            "bare": lambda: b"".join(_bare(mail) for mail in shuffled),
        }.get(mode)
        if text is not None:
            boxes[mode] = folder / f"{mode}.mbox"
            boxes[mode].write_bytes(text())
    return Course(stretch, count, base, tip, boxes)


def _without_number(mail: bytes) -> bytes:
    return _NUMBER.sub(b"Subject: [PATCH]", mail, count=1)


def _bare(mail: bytes) -> bytes:
    mail = _DATE.sub(b"", _without_number(mail), count=1)
    head, _, rest = mail.partition(b"\n")
    return b"From " + b"0" * 40 + head[45:] + b"\n" + _INDEX.sub(b"", rest)


def git_am(course: Course) -> Cost:
    """``git am`` of the right order, in a worktree that is at the base."""
    stretch = course.stretch
    tree = stretch.folder / f"am-{course.count}"
    stretch.git("worktree", "add", "-q", "--detach", str(tree), course.base)
    cost = measured(["git", "-C", str(tree), "am", "-q", str(course.boxes["numbered"])])
    made = subprocess.run(
        ["git", "-C", str(tree), "rev-parse", "HEAD^{tree}"], capture_output=True, text=True
    )
    if cost.code == 0 and made.stdout.strip() != stretch.git("rev-parse", f"{course.tip}^{{tree}}"):
        cost = Cost(cost.wall, cost.cpu, cost.memory, -1, "another tree")
    stretch.git("worktree", "remove", "--force", str(tree))
    return cost


def ours(course: Course, mode: str, program: str) -> tuple[Cost, str]:
    """``backport apply`` as a process, and a word for how it ended."""
    stretch = course.stretch
    series = f"{course.base}..{course.tip}" if mode == "range" else str(course.boxes[mode])
    words = [program, "apply", "--repo", str(stretch.path), "--branch", "start"]
    words += ["--series", series, "--to", "ours", "--validate", "none"]
    cost = measured(words)
    if cost.code == 0:
        same = stretch.git("rev-parse", "ours^{tree}", f"{course.tip}^{{tree}}").split()
        ended = "same tree" if same[0] == same[1] else "ANOTHER TREE"
        stretch.git("branch", "-q", "-D", "ours")
    else:
        stops = [line for line in cost.said.splitlines() if line.startswith("backport: ")]
        ended = f"exit {cost.code}: {stops[0][:100] if stops else ''}"
        if cost.code == 3:
            measured([program, "abort", "--repo", str(stretch.path)])
    return cost, ended


def main() -> None:
    """Measure and print a table, then the exponents."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    parser.add_argument("--repo", type=Path, required=True)
    parser.add_argument("--ref", default="HEAD")
    parser.add_argument("--counts", default="77,300,1000")
    parser.add_argument("--modes", default="", help=f"of {', '.join(MODES)}; default: all")
    parser.add_argument("--backport", default=str(_BACKPORT), help="another program to measure")
    parser.add_argument("--runs", type=int, default=1, help="the median of so many (default: 1)")
    given = parser.parse_args()
    counts = [int(count) for count in given.counts.split(",")]
    asked = tuple(given.modes.split(",")) if given.modes else ()
    with tempfile.TemporaryDirectory(prefix="backport-scale-") as scratch:
        stretch = Stretch(given.repo, given.ref, max(counts), Path(scratch))
        spent: dict[str, list[tuple[int, float]]] = {}
        print(f"{'patches':>7} {'mode':<11} {'wall s':>8} {'cpu s':>8} {'/am':>6} {'MB':>6}  ended")
        for count in counts:
            modes = asked or (MODES if count <= _LARGE else ("numbered", "range"))
            course = lay_course(stretch, count, dict.fromkeys(("numbered", *modes)))
            size = course.boxes["numbered"].stat().st_size / 2**20
            peer = _median([git_am(course) for _ in range(given.runs)])
            print(_row(count, "git am", peer, peer, "same tree" if not peer.code else peer.said))
            for mode in modes:
                done = [ours(course, mode, given.backport) for _ in range(given.runs)]
                cost = _median([one for one, _ in done])
                ended = "; ".join(dict.fromkeys(word for _, word in done))
                print(_row(count, mode, cost, peer, ended) + _over(cost, size))
                spent.setdefault(mode, []).append((count, cost.cpu))
        for mode, points in spent.items():
            print(f"growth exponent, {mode}: {', '.join(_exponents(points))}")


def _median(costs: Sequence[Cost]) -> Cost:
    return sorted(costs, key=lambda cost: cost.cpu)[len(costs) // 2]


def _row(count: int, mode: str, cost: Cost, peer: Cost, ended: str) -> str:
    return (
        f"{count:>7} {mode:<11} {cost.wall:>8.2f} {cost.cpu:>8.2f} {cost.cpu / peer.cpu:>6.2f}"
        f" {cost.memory:>6.0f}  {ended}"
    )


def _over(cost: Cost, size: float) -> str:
    """Memory against 60 MB and 12 times the mailbox of ``size`` MB."""
    return f"  [{cost.memory / (60 + 12 * size):.2f} of the memory allowed]"


def _exponents(points: Sequence[tuple[int, float]]) -> list[str]:
    """The exponent of the growth from each count to the next."""
    return [
        f"{one[0]}-{two[0]} {math.log(two[1] / one[1]) / math.log(two[0] / one[0]):.2f}"
        for one, two in pairwise(points)
    ]


if __name__ == "__main__":
    main()
