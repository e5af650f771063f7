# SPDX-License-Identifier: GPL-2.0-or-later
"""The commits of a range ``A..B`` as what is to be proven: all of them, or the line of its first parents."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from backport.errors import UnknownRevision, UsageError
from backport.gateway.repository import Repo
from backport.planning.sources import find_source, no_commits
from backport.validate.prover import Target
from series.model import Oid, shown

_UPSTREAM = "@{upstream}"


class Line(Struct, frozen=True):
    """``targets``, oldest first and numbered from 1, stand one on the other, the first on ``start``."""

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


def read_range(repo: Repo, commits: str) -> tuple[Target, ...]:
    """Every commit that ``A..B``, or one commit, names: merges too, each behind its parents, numbered from 1.

    What the commits change is not read.  Raises `UsageError` for anything else.
    """
    given, start, last = _ends(repo, commits)
    return _targets(repo, given, reversed(list(repo.log(last, hide=(start,)))))


def read_line(repo: Repo, commits: str) -> Line:
    """The steps by which ``A..B`` came about: the first parents of B that A has not, a merge as one step.

    They stand on the parent of the first of them, which is A unless A has gone on since.
    """
    given, start, last = _ends(repo, commits)
    new = set(repo.log(last, hide=(start,)))
    line: list[Oid] = []
    at: Oid | None = last
    while at in new:
        line.append(at)
        at = next(iter(repo.parents(at)), None)
    return Line(at or start, _targets(repo, given, reversed(line)))


def without_merges(repo: Repo, line: Line) -> Line:
    """``line`` itself, where every step is a patch.  Raises `UsageError` where one is a merge."""
    for target in line.targets:
        if len(repo.parents(target.commit)) > 1:
            raise UsageError(
                f"{target.commit[:12]} {target.subject!r} is a merge, which is no patch",
                "give the range behind it, or that of one side: --range A..B",
            )
    return line


def _ends(repo: Repo, commits: str) -> tuple[str, Oid, Oid]:
    if commits.startswith(_UPSTREAM):
        upstream(repo)  # says what is missing
    source = find_source(repo, commits)
    if source.range is None:
        raise UsageError(f"{commits}: a range A..B is needed")
    return source.given, *source.range


def _targets(repo: Repo, given: str, commits: Iterable[Oid]) -> tuple[Target, ...]:
    targets = []
    for number, commit in enumerate(commits, 1):
        if not repo.parents(commit):
            repo.refuse_cut_off(commit)
        subject, _, _ = repo.message(commit).partition(b"\n")
        targets.append(Target(number, commit, shown(subject)))
    if not targets:
        raise no_commits(given)
    return tuple(targets)
