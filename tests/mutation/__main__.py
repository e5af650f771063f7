# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m tests.mutation``: the mutation score of the sample's core.

python -m tests.mutation [--tree DIR] [--limit N [--seed S]] [--only PART-OF-NAME] [--verbose]
python -m tests.mutation --tree XEN --make 'make V=1 -C xen build' [--probe OBJECT] --limit 60

The second form takes a real tree that is built: both levels look at each mutant.  ``--limit`` takes operators
and functions in turn, the same ones every time; with ``--seed`` they are drawn, for a score on others.
"""

from __future__ import annotations

import argparse
import shlex
import tempfile
from pathlib import Path

from tests.mutation.build import Tree
from tests.mutation.judge import Built, Judged
from tests.mutation.outside import Outside
from tests.mutation.report import lines
from tests.mutation.run import chosen_of, measure, sample_tree


def main() -> None:
    """Judge and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--tree", type=Path, help="a built sample tree; default: a fresh one")
    parser.add_argument("--limit", type=int, help="so many mutants; default: all")
    parser.add_argument("--seed", type=int, help="draw --limit mutants with this seed")
    parser.add_argument("--only", default="", help="mutants whose name has this in it")
    parser.add_argument("--verbose", action="store_true", help="say of each what became of it")
    parser.add_argument("--make", default="", help="a real tree's build, which prints its commands")
    parser.add_argument("--probe", type=Path, help="the compiled probe of a tree without -g")
    given = parser.parse_args()
    outside = bool(given.make)
    if outside and given.tree is None:
        parser.error("--make is for a --tree")
    if given.seed is not None and given.limit is None:
        parser.error("--seed is for a --limit")

    def tell(one: Judged) -> None:
        if given.verbose:
            mutant = one.mutant
            print(f"{one.fate.value}: {mutant.name} ({mutant.path}:{mutant.line}): {mutant.change}")
            seen = "" if one.levels is None else f" (object {one.levels[0]}, boot {one.levels[1]})"
            print(f"    {one.by}: {one.detail}{seen}", flush=True)

    with tempfile.TemporaryDirectory(prefix="backport-mutation-") as scratch:
        tree: Built
        if outside:
            tree = Outside.at(given.tree, shlex.split(given.make), Path(scratch), given.probe)
        else:
            tree = Tree.at(given.tree) if given.tree else sample_tree(Path(scratch))
        chosen = chosen_of(tree, given.limit, given.seed, given.only)
        judged, seconds = measure(tree, chosen, tell, outside=outside)
    for line in lines(judged, seconds):
        print(line)


if __name__ == "__main__":
    main()
