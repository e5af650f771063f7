# SPDX-License-Identifier: GPL-2.0-or-later
"""Merges of single files, held against those of git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from backport.pick.merge import merge_file
from tests.backport.trees import branch_with, git, new_repo, open_repo


def text(letters: str) -> str:
    """A line for each letter; a dot is a blank one."""
    return "".join(f"{letter if letter != '.' else ''}\n" for letter in letters)


# Found at random where the shortest diff matches other lines of the base than git's histogram diff does.
@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        ("a}yba777y2x{.", "ya}777y2x{.", "a}777y2x{.yn."),
        ("}xxxy1}", "}xyn{n.}xxy1}", "}2yxxxx}"),
        ("010227598", "010}n7228", "0102yn2727598"),
        ("2x.}155x7xx748", "2x}x.}15n}{y5x7xx748", "2x.}55x7xx721n48"),
    ],
)
def test_lines_are_matched_as_git_matches_them(
    tmp_path: Path, base: str, ours: str, theirs: str
) -> None:
    repo = new_repo(tmp_path / "r", {"f": text(base)})
    branch_with(repo, "ours", "stable", ("ours", {"f": text(ours)}))
    branch_with(repo, "theirs", "stable", ("theirs", {"f": text(theirs)}))
    done = subprocess.run(
        ["git", "-C", str(repo), "merge-tree", "--write-tree", "ours", "theirs"],
        capture_output=True,
        text=True,
        check=False,
    )
    wanted = None
    if not done.returncode:
        wanted = git(repo, "rev-parse", f"{done.stdout.split()[0]}:f")
    objects = open_repo(repo).objects
    blobs = (objects.write_blob(text(side).encode()) for side in (base, ours, theirs))
    assert merge_file(objects, *blobs).blob == wanted
