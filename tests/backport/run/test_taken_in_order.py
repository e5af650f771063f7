# SPDX-License-Identifier: GPL-2.0-or-later
"""What is taken from upstream for a patch goes before it in upstream's order, found at once or bit by bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backport.trees import Files, backport, branch_with, git, lines, new_repo

A = lines((10, "older"))
B = lines((10, "newer"))
STORIES: dict[str, tuple[Files, ...]] = {
    # Each file of the patch waits for one, the first file for the older.
    "at once": (
        {"a.c": A},
        {"b.c": B},
        {"a.c": lines((10, "older"), (11, "used")), "b.c": lines((10, "newer"), (11, "used"))},
    ),
    # A file that is not there is the first to be looked for.
    "bit by bit": (
        {"c.c": "edited\n"},
        {"new.c": lines()},
        {"c.c": "edited\nmore\n", "new.c": lines((5, "five"))},
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_in_the_order_of_upstream(tmp_path: Path, story: str) -> None:
    repo = new_repo(tmp_path / "repo", {"a.c": lines(), "b.c": lines(), "c.c": "it\n"})
    steps = STORIES[story]
    names = [*(f"{n}: what is needed" for n in range(1, len(steps))), "use it"]
    branch_with(repo, "master", "stable", *zip(names, steps, strict=True))
    words = ("--series", "master~1..master", "--upstream", "master", "--prerequisites", "take")
    done = backport(repo, "apply", "--branch", "stable", *words)
    assert done.exit_code == 0, done.output
    assert git(repo, "log", "--reverse", "--format=%s", "master~3..stable").split("\n") == names
    assert git(repo, "rev-parse", "stable^{tree}") == git(repo, "rev-parse", "master^{tree}")
    told = [x.split()[1] for x in done.output.splitlines() if x.startswith("  ok ")]
    assert told == ["1/3", "2/3", "3/3"]
