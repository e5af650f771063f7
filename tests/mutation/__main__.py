# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m tests.mutation``: the mutation score of the sample's core.

python -m tests.mutation [--tree DIR] [--limit N] [--only PART-OF-NAME] [--all]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.mutation.build import Tree
from tests.mutation.judge import Judged
from tests.mutation.report import lines
from tests.mutation.run import measure, sample_tree


def main() -> None:
    """Judge and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--tree", type=Path, help="a built sample tree; default: a fresh one")
    parser.add_argument("--limit", type=int, help="so many mutants; default: all")
    parser.add_argument("--only", default="", help="mutants whose name has this in it")
    parser.add_argument("--verbose", action="store_true", help="say of each what became of it")
    given = parser.parse_args()

    def tell(one: Judged) -> None:
        if given.verbose:
            mutant = one.mutant
            print(f"{one.fate.value}: {mutant.name} ({mutant.path}:{mutant.line}): {mutant.change}")
            print(f"    {one.by}: {one.detail}", flush=True)

    with tempfile.TemporaryDirectory(prefix="backport-mutation-") as scratch:
        tree = Tree.at(given.tree) if given.tree else sample_tree(Path(scratch))
        judged, seconds = measure(tree, given.limit, tell, given.only)
    for line in lines(judged, seconds):
        print(line)


if __name__ == "__main__":
    main()
