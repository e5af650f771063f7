# SPDX-License-Identifier: GPL-2.0-or-later
"""The commits of a range ``A..B`` as what is to be proven."""

from __future__ import annotations

from dataclasses import dataclass

from backport.errors import UnknownRevision, UsageError
from backport.gateway.repository import Repo
from backport.planning.sources import commits_between, find_source
from backport.validate.prover import Target
from series.model import Oid, shown

_UPSTREAM = "@{upstream}"


@dataclass(frozen=True, slots=True)
class Range:
    """``targets`` are the commits after ``start``, oldest first, numbered from 1, without the merges."""

    start: Oid
    targets: tuple[Target, ...]


def upstream(repo: Repo) -> Oid:
    """Where the upstream of the branch that is checked out stands.  Raises `UsageError`."""
    try:
        return repo.commit(_UPSTREAM)
    except UnknownRevision as error:
        raise UsageError(
            "the branch that is checked out has no upstream",
            "`git branch -u REMOTE/BRANCH` names one; or give the range: --range A..B",
        ) from error


def read_range(repo: Repo, commits: str) -> Range:
    """What ``A..B``, or one commit, names; what the commits change is not read.

    Raises `UsageError` for anything else.
    """
    if commits.startswith(_UPSTREAM):
        upstream(repo)  # says what is missing
    source = find_source(repo, commits)
    if source.range is None:
        raise UsageError(f"{commits}: a range A..B is needed")
    start, last = source.range
    picked, _ = commits_between(repo, source.given, start, last)
    targets = []
    for number, commit in enumerate(picked, 1):
        if not repo.parents(commit):
            repo.refuse_cut_off(commit)
        subject, _, _ = repo.message(commit).partition(b"\n")
        targets.append(Target(number, commit, shown(subject)))
    return Range(start, tuple(targets))
