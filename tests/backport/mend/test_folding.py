# SPDX-License-Identifier: GPL-2.0-or-later
"""Which commit a ``fixup!`` goes into, and in what order several do: as git's autosquash has it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.backport.trees import backport, commit, git, new_repo


def file(*numbers: int) -> str:
    return "".join(f"int a{n}(void) {{ return {n + (n in numbers)}; }}\n" for n in range(40))


def marked(folder: Path) -> Path:
    """``topic``: a subject twice, and marked commits that name theirs in every way."""
    repo = new_repo(folder, {"a.c": file()})
    git(repo, "checkout", "-q", "-b", "topic")
    changed: list[int] = []
    ids: list[str] = []
    for message in (
        "alpha\n\nText.",
        "beta",
        "alpha",
        "gamma delta",
        "fixup! alpha",
        "squash! gamma\n\nMore.",
        "fixup! {2}",
        "squash! beta\n\nSecond.",
        "fixup! fixup! beta",
        "squash! {7}\n\nThird.",
        "squash! beta\n\nFourth.",
        "amend! {2}\n\nalpha again\n\nIts own.",
        "fixup! nothing",
    ):
        changed.append(3 * len(ids))
        ids.append(commit(repo, {"a.c": file(*changed)}, message.format(*ids)))
    return repo


def test_it_is_what_autosquash_makes(tmp_path: Path) -> None:
    repo = marked(tmp_path / "repo")
    words = ("mend", "--range", "stable..topic", "--build", "true", "--to", "mended")
    done = backport(repo, *words)
    assert done.exit_code == 0, done.output
    assert "'fixup! nothing': no commit before it has that subject; it stays" in done.output
    quiet = {**os.environ, "GIT_EDITOR": ":", "GIT_SEQUENCE_EDITOR": ":"}
    rebase = ["git", "-C", str(repo), "rebase", "-q", "-i", "--autosquash", "stable", "topic"]
    subprocess.run(rebase, env=quiet, check=True, capture_output=True)
    form = "--format=%T %an %s%n%b"
    ours = git(repo, "log", form, "stable..mended").split("\n")
    theirs = git(repo, "log", form, "stable..topic").split("\n")
    assert [line for line in ours if line] == [line for line in theirs if line]
    assert git(repo, "rev-list", "--count", "stable..mended") == "5"
