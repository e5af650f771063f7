# SPDX-License-Identifier: GPL-2.0-or-later
"""What is taken from upstream for a patch goes before it in upstream's order, found at once or bit by bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backport.trees import Files, backport, branch_with, commit, git, lines, new_repo

A = lines((10, "older"), (25, "call it"))
B = lines((10, "newer"))
STORIES: dict[str, tuple[Files, ...]] = {
    # Each file of the patch waits for one, the first file for the older.
    "at once": (
        {"a.c": A},
        {"b.c": B},
        {
            "a.c": lines((10, "older"), (11, "used"), (25, "call it")),
            "b.c": lines((10, "newer"), (11, "used")),
        },
    ),
    # A line of the older one stands elsewhere, too, and tells nothing before the newer one has moved it.
    "bit by bit": (
        {"a.c": lines((5, "line 5\ncall it"), (25, "call it"))},
        {"a.c": lines((5, "line 5\ncall it"), (7, "line 7\nnewer"))},
        {"a.c": lines((5, "line 5\ncall it"), (6, "used"), (7, "used\nnewer"))},
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_in_the_order_of_upstream(tmp_path: Path, story: str) -> None:
    repo = new_repo(tmp_path / "repo", {"a.c": lines((25, "call it")), "b.c": lines()})
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


@pytest.mark.parametrize("way", ["skip", "continue"])
def test_what_the_user_has_decided_stays(tmp_path: Path, way: str) -> None:
    """Also where an older commit of upstream is found behind it."""
    twice = {5: "line 5\ntwice"}
    both = {**twice, 15: "line 15\ntwice"}
    uses = lines(*{**both, 6: "used", 16: "used"}.items())
    repo = new_repo(tmp_path / "repo", {"a.c": lines(), "z.c": lines()})
    newer: Files = {"a.c": lines(*both.items()), "z.c": lines((5, "theirs"))}
    steps = (("older", {"a.c": lines(*twice.items())}), ("newer", newer), ("use it", {"a.c": uses}))
    branch_with(repo, "master", "stable", *steps)
    commit(repo, {"z.c": lines((5, "ours"))}, "ours")
    words = ("--series", "master~1..master", "--upstream", "master", "--prerequisites", "take")
    assert backport(repo, "apply", "--branch", "stable", *words).exit_code == 3
    folder = repo / ".git/backport/conflict"
    git(folder, "checkout", "-q", "HEAD", "--", "a.c", "z.c")
    done = backport(repo, way)
    assert "patch 3 of 3" in done.output and "'use it'" in done.output, done.output
    assert backport(repo, "skip").exit_code == 0
    assert git(repo, "log", "--format=%s", "stable~1..stable") == "older"
    assert git(repo, "show", "stable:z.c") + "\n" == lines((5, "ours"))
