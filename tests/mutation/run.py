# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole job: a sample tree in a scratch folder, its mutants, their fates, the score."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.mutation.build import Tree
from tests.mutation.judge import Built, Judged, explained, judge_all
from tests.mutation.mutants import Mutant, draw, select
from tests.mutation.reasons import FILE, read_reasons

JOBS = 2


def sample_tree(folder: Path) -> Tree:
    """The sample with its series applied, built."""
    from backport.sample.write import write_sample

    where = folder / "sample"
    write_sample(where)
    ours = str(Path(sys.executable).parent / "backport")
    words = [ours, "apply", "--repo", str(where), "--branch", "stable-4.10", "--validate", "none"]
    for command in (
        words,
        ["git", "-C", str(where), "checkout", "-qf", "stable-4.10"],
        ["make", "-sj2", "-C", str(where)],
    ):
        subprocess.run(command, check=True, capture_output=True)
    return Tree.at(where)


def chosen_of(tree: Built, limit: int | None, seed: int | None, only: str = "") -> list[Mutant]:
    """``limit`` mutants (None: all) of those whose name has ``only`` in it: in turn, or drawn."""
    found = [mutant for mutant in tree.mutants() if only in mutant.name]
    return select(found, limit) if seed is None else draw(found, limit, seed)


def measure(
    tree: Built,
    chosen: Sequence[Mutant],
    tell: Callable[[Judged], None] = lambda one: None,
    *,
    outside: bool = False,
) -> tuple[list[Judged], float]:
    """Judge mutants, and how many seconds it took."""
    judged, seconds = judge_all(tree, chosen, JOBS, tell, outside=outside)
    return explained(judged, read_reasons(FILE.read_text())), seconds
