# SPDX-License-Identifier: GPL-2.0-or-later
"""Random series onto random branches, each conflict resolved in one way in git and here: the same trees.

Edits, renames, deletions, modes, and folders in the place of files.  Where both stop at the same patches
with the same paths open, what comes of it must be the same: a conflict that has lost a part of its patch
shows here.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.backport.trees import backport, git

NAMES = ("a", "b", "c", "d", "a/x", "a/y", "b/x", "d/e/f", "A", "c.c")
Shape = Mapping[str, tuple[str, str]]
"""Mode and content by path."""
Stops = list[list[str]]
"""The paths that were open, by stop."""


def new_file(rng: random.Random) -> tuple[str, str]:
    count = rng.choice((0, 1, 3, 12, 12, 12))
    text = "".join(f"{rng.choice('pqrs')} line {n}\n" for n in range(count))
    return rng.choice(("100644", "100644", "100755")), text + rng.choice(("", "", "no end"))


def fits(shape: Shape) -> bool:
    """No file stands where another has a folder."""
    return not any(other.startswith(path + "/") for path in shape for other in shape)


def changed(rng: random.Random, shape: Shape) -> Shape:
    """Another shape, one to three changes away."""
    while True:
        made = dict(shape)
        for _ in range(rng.choice((1, 1, 2, 3))):
            one_change(rng, made)
        if made != shape and fits(made):
            return made


def one_change(rng: random.Random, shape: dict[str, tuple[str, str]]) -> None:
    kind = rng.choice(("edit", "edit", "edit", "delete", "make", "rename", "mode"))
    other = rng.choice(NAMES)
    if kind == "make" or not shape:
        shape[other] = new_file(rng)
        return
    path = rng.choice(sorted(shape))
    mode, text = shape[path]
    if kind == "delete":
        del shape[path]
    elif kind == "rename" and other not in shape:
        del shape[path]
        shape[other] = mode, edited(rng, text) if rng.random() < 0.7 else text
    elif kind == "mode":
        shape[path] = "100755" if mode == "100644" else "100644", text
    else:
        shape[path] = mode, edited(rng, text)


def edited(rng: random.Random, text: str) -> str:
    """A line put in, taken out, or another."""
    lines = text.split("\n")
    at = rng.randrange(min(len(lines), 5))
    lines[at : at + rng.choice((0, 1, 1))] = rng.choice(([], [f"edit {rng.randrange(99)}"]))
    return "\n".join(lines)


def committed(repo: Path, shape: Shape, parent: str | None, subject: str) -> str:
    rows = [
        f"{mode} {git(repo, 'hash-object', '-w', '--stdin', stdin=text.encode())}\t{path}\n"
        for path, (mode, text) in shape.items()
    ]
    git(repo, "read-tree", "--empty")
    git(repo, "update-index", "--index-info", stdin="".join(rows).encode())
    before = ("-p", parent) if parent else ()
    return git(repo, "commit-tree", git(repo, "write-tree"), *before, "-m", subject)


def line(rng: random.Random, repo: Path, base: str, shape: Shape, count: int) -> str:
    """So many commits on ``base``; the last one's id."""
    tip = base
    for number in range(count):
        shape = changed(rng, shape)
        tip = committed(repo, shape, tip, f"change {number}")
    return tip


def resolve(tree: Path) -> list[str]:
    """Take the patch's side of each open path, with the mode of a merge; the paths."""
    stages: dict[str, dict[str, tuple[str, str]]] = {}
    for row in filter(None, git(tree, "ls-files", "-u").split("\n")):
        head, path = row.split("\t")
        mode, oid, number = head.split()
        stages.setdefault(path, {})[number] = mode, oid
    for path, sides in stages.items():
        if "3" not in sides:
            git(tree, "update-index", "--force-remove", path)
            if (tree / path).is_file():
                (tree / path).unlink()
            continue
        mode, oid = sides["3"]
        if "2" in sides and sides.get("1", sides["3"])[0] == mode:
            mode = sides["2"][0]
        rows = f"0 {'0' * 40}\t{path}\n{mode} {oid} 0\t{path}\n"
        git(tree, "update-index", "--index-info", stdin=rows.encode())
        git(tree, "checkout-index", "-f", "-u", "--", path)
    return sorted(stages)


def by_git(repo: Path, box: Path) -> tuple[str | None, Stops]:
    """The tree of ``git am -3`` with all resolved, None where it cannot go on, and where it stopped."""

    def am(*words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["git", "-C", str(repo), "am", *words], capture_output=True, check=False
        )

    stops: Stops = []
    done = am("-q", "-3", str(box))
    while done.returncode:
        if not git(repo, "ls-files", "-u"):
            git(repo, "am", "--quit")
            return None, stops
        stops.append(resolve(repo))
        done = am("--continue")
        if done.returncode and b"No changes" in done.stdout + done.stderr:
            done = am("--skip")
    return git(repo, "rev-parse", "HEAD^{tree}"), stops


def by_us(repo: Path, box: Path) -> tuple[str, Stops]:
    words = ("--branch", "stable", "--series", str(box), "--to", "made", "--sibling", "none")
    done = backport(repo, "apply", *words, "--accept", "doubt")
    stops: Stops = []
    while done.exit_code == 3:
        stops.append(resolve(repo / ".git/backport/conflict"))
        assert stops[-1], done.output
        done = backport(repo, "continue")
    assert done.exit_code == 0, done.output
    return git(repo, "rev-parse", "made^{tree}"), stops


EVERY_DAY = (0, 23, 105, 215, 216)
"""Of these a lost mode, and the old name of a rename, are seen."""


@pytest.mark.parametrize(
    "seed",
    [
        seed if seed in EVERY_DAY else pytest.param(seed, marks=pytest.mark.torture)
        for seed in range(300)
    ],
)
def test_the_tree_of_git_am_with_all_resolved(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    repo, box = tmp_path / "repo", tmp_path / "box"
    repo.mkdir()
    git(repo, "init", "-q", "-b", "stable")
    shape: Shape = {}
    while len(shape) < 2 or not fits(shape):
        shape = {path: new_file(rng) for path in rng.sample(NAMES, rng.randrange(2, 7))}
    base = committed(repo, shape, None, "base")
    git(
        repo,
        "update-ref",
        "refs/heads/topic",
        line(rng, repo, base, shape, rng.choice((1, 2, 3, 4))),
    )
    git(repo, "update-ref", "refs/heads/stable", line(rng, repo, base, shape, rng.choice((1, 2))))
    words = ("format-patch", "-n", "--stdout", "--binary", f"{base}..topic")
    box.write_bytes(git(repo, *words).encode() + b"\n")
    git(repo, "checkout", "-q", "-f", "--detach", "stable")
    wanted, stops = by_git(repo, box)
    git(repo, "reset", "-q", "--hard", "stable")
    made, ours = by_us(repo, box)
    if wanted is not None and stops == ours:
        apart = git(repo, "diff-tree", "-r", wanted, made)
        assert made == wanted, (stops, apart)
