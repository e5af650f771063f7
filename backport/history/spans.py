# SPDX-License-Identifier: GPL-2.0-or-later
"""What one commit reaches and another does not, and what those commits say of others."""

from __future__ import annotations

from itertools import islice

from msgspec import Struct

from backport.gateway.repository import Repo
from backport.history.presence import References, read_references
from series.model import Oid

MOST_COMMITS = 5000
"""Of one span, newest first."""


class Entry(Struct, frozen=True):
    """One commit of a span: its second, and what it says of others; of its message the subject alone."""

    references: References
    when: int


class Span(Struct, frozen=True):
    """What one commit reaches and another does not, newest first."""

    tip: Oid
    hide: Oid
    hidden: Oid | None
    entries: tuple[Entry, ...]


def read_span(repo: Repo, tip: Oid, hide: Oid) -> Span:
    """A span, from history."""
    hidden = repo.merge_base(tip, hide)
    return Span(tip, hide, hidden, read_entries(repo, tip, hidden))


def read_entries(repo: Repo, tip: Oid, hidden: Oid | None) -> tuple[Entry, ...]:
    """The newest commits that ``tip`` reaches and ``hidden`` does not."""
    commits = islice(repo.log(tip, (hidden,) if hidden else ()), MOST_COMMITS)
    return tuple(read_entry(repo, commit) for commit in commits)


def read_entry(repo: Repo, commit: Oid) -> Entry:
    whole = read_references(commit, repo.message(commit))
    brief = References(commit, whole.subject, whole.origins, whole.reverts)
    return Entry(brief, repo.when(commit).seconds)
