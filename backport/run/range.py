# SPDX-License-Identifier: GPL-2.0-or-later
"""The commits of a range ``A..B`` as what is to be proven."""

from __future__ import annotations

from dataclasses import dataclass

from backport.errors import UnknownRevision, UsageError
from backport.gateway.repository import Repo
from backport.planning.sources import find_source, read_source
from backport.validate.prover import Target
from series.model import Oid, Patch, shown

_UPSTREAM = "@{upstream}"


@dataclass(frozen=True, slots=True)
class Range:
    """``patches`` are the commits after ``start``, oldest first; the merges among them are left out."""

    start: Oid
    patches: tuple[Patch, ...]

    @property
    def targets(self) -> tuple[Target, ...]:
        """The commits, numbered from 1."""
        return tuple(
            Target(number, patch.commit, shown(patch.subject))
            for number, patch in enumerate(self.patches, 1)
            if patch.commit is not None
        )


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
    """What ``A..B``, or one commit, names.  Raises `UsageError` for anything else."""
    if commits.startswith(_UPSTREAM):
        upstream(repo)  # says what is missing
    source = find_source(repo, commits)
    if source.range is None:
        raise UsageError(f"{commits}: a range A..B is needed")
    return Range(source.range[0], read_source(repo, source).patches)
