# SPDX-License-Identifier: GPL-2.0-or-later
"""A tiny repository and a series for it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from tests.backport.durable.machine import Machine
from tests.backport.durable.sweep import Sweep, sweep
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


def survey(machine: Machine, folder: Path, level: str, shape: Shape = Shape.PLAIN) -> Sweep:
    """The run of that shape and level, once with nothing that fails."""
    # A linked worktree knows where it lies: where the copies will.
    make(folder / "repo", shape).rename(folder / "template")
    return sweep(machine, folder, arguments(folder / "repo", level, shape))
