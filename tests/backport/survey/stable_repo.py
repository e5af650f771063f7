# SPDX-License-Identifier: GPL-2.0-or-later
"""A master and stable branches that carry some of its commits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.backport.trees import Files, backport, commit, git, lines, new_repo


def make(folder: Path) -> Path:
    """master, stable-4.10 and stable-4.11, which have left it at ``base``."""
    repo = new_repo(folder, {"a.c": lines(), "b.c": lines()}, "master")
    git(repo, "branch", "stable-4.10")
    git(repo, "branch", "stable-4.11")
    git(repo, "config", "backport.upstream", "master")
    git(repo, "config", "backport.branch", "stable-4.10")
    return repo


def on(repo: Path, branch: str, files: Files, message: str) -> str:
    """A commit on a branch; HEAD goes back to master."""
    git(repo, "checkout", "-q", branch)
    made = commit(repo, files, message)
    git(repo, "checkout", "-q", "master")
    return made


def take(repo: Path, branch: str, commit_: str, *how: str) -> str:
    """A backport as ``git cherry-pick -x`` makes it."""
    git(repo, "checkout", "-q", branch)
    git(repo, "cherry-pick", "-x", *how, commit_)
    made = git(repo, "rev-parse", "HEAD")
    git(repo, "checkout", "-q", "master")
    return made


def answer(repo: Path, *words: str, code: int = 0) -> dict[str, Any]:
    """The JSON of a verb, which its schema describes."""
    from tests.backport.report.test_schemas import check

    done = backport(repo, *words, "--json", "-")
    assert done.exit_code == code, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    check(words[0], document)
    return document
