# SPDX-License-Identifier: GPL-2.0-or-later
"""What a branch already has: told by provenance lines and by patch-id.

Content is the third witness, and belongs to picking: a change whose result is what the tree holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from itertools import islice

from backport.repo import Repo
from backport.sources import commit_patch
from series.model import Oid, Patch
from series.patchid import fingerprint
from series.trailers import upstream_commit

_MOST_COMMITS = 1000
"""Where the branch left upstream is not known, what is newest is what a series can repeat."""
_PROVENANCE = re.compile(rb"(?:cherry picked from commit|master commit:)\s+([0-9a-f]{12,40})")


class Present:
    """The commits that a branch has beyond the point where it left upstream."""

    def __init__(self, repo: Repo, onto: Oid, fork: Oid | None) -> None:
        self._repo = repo
        self._onto = onto
        self._fork = fork

    def find(self, patch: Patch) -> str | None:
        """Why ``patch`` need not go on again; None when nothing says so."""
        own = patch.commit or upstream_commit(patch)
        if own is not None and own[:12] in self._index[1]:
            commit = self._index[1][own[:12]]
            return f"the branch has it as {commit[:12]}, picked from {own[:12]}"
        if own is not None and own in self._index[2]:
            return f"the branch holds that very commit, {own[:12]}"
        for commit in self._index[0].get(patch.subject, ()):
            if fingerprint(commit_patch(self._repo, commit).changes) == fingerprint(patch.changes):
                return f"the branch has it as {commit[:12]}, same patch-id"
        return None

    @cached_property
    def _index(self) -> tuple[dict[bytes, list[Oid]], dict[str, Oid], frozenset[Oid]]:
        subjects: dict[bytes, list[Oid]] = {}
        origins: dict[str, Oid] = {}
        history = list(self._history())
        for commit, message in history:
            subjects.setdefault(message.split(b"\n", 1)[0], []).append(commit)
            for match in _PROVENANCE.finditer(message):
                origins.setdefault(match[1].decode()[:12], commit)
        return subjects, origins, frozenset(commit for commit, _ in history)

    def _history(self) -> Iterator[tuple[Oid, bytes]]:
        if self._fork is None:
            return self._repo.recent(self._onto, _MOST_COMMITS)
        beyond = islice(self._repo.log(self._onto, hide=(self._fork,)), _MOST_COMMITS)
        return ((commit, self._repo.message(commit)) for commit in beyond)
