# SPDX-License-Identifier: GPL-2.0-or-later
"""What a file of an earlier commit is called now: from one commit to the next, as ``git log --follow`` goes.

Two trees alone do not tell a file that was moved from one that was deleted, where another of the same
content was made beside it; the commits between them do.  What each of those takes away is looked at once, for
all the files that are asked for.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache

from backport.gateway.repository import Repo
from backport.gateway.tree_diff import compare_trees
from backport.pick.renamed import Renames, TooMany
from series.model import Oid


def followed(repo: Repo, commit: Oid, path: bytes, tip: Oid) -> bytes | None:
    """The name at ``tip`` of what ``commit`` has at ``path``; None where it was deleted on the way.

    Raises `LookupError` where that is not known: the first parents of ``tip`` do not lead to ``commit``, or
    several files are like it where it went.  Cost: two trees compared for each commit between, once for all
    that is asked of ``tip``, and once more for each rename.
    """
    if repo.tree(commit).oid(path) is None:
        raise LookupError(f"{commit} has no such file")
    trail = _trail(repo, tip)
    found, at = path, trail.place(commit)
    while (gone := trail.next_without(found, at)) is not None:
        at = gone
        before, after = trail.commits[at + 1], trail.commits[at]
        blob, tree = repo.tree(before).oid(found), repo.tree(after)
        if blob is None or tree.oid(found) is not None:  # something else has its place now
            continue
        try:
            names = Renames(repo.objects, tree, repo.tree(before)).find(found, blob)
        except TooMany as error:
            raise LookupError(str(error)) from error
        if not names:
            return None
        if len(names) > 1:
            raise LookupError(f"{len(names)} files of {after} are like it")
        found = names[0].path
    return found


@lru_cache(maxsize=4)
def _trail(repo: Repo, tip: Oid) -> _Trail:
    return _Trail(repo, tip)


class _Trail:
    """The first parents of a tip, as far back as was asked, and what each commit took away."""

    def __init__(self, repo: Repo, tip: Oid) -> None:
        self._repo = repo
        self._places = {tip: 0}
        self._gone: dict[bytes, list[int]] = {}
        self._compared = 0
        self.commits = [tip]
        """The newest first."""

    def place(self, commit: Oid) -> int:
        """Where ``commit`` stands.  Raises `LookupError` where the first parents do not lead to it."""
        oldest = self._repo.when(commit).seconds
        while commit not in self._places:
            last = self.commits[-1]
            parents = self._repo.parents(last)
            if not parents or self._repo.when(last).seconds < oldest:
                raise LookupError(f"{self.commits[0]} does not lead to {commit}")
            self._places[parents[0]] = len(self.commits)
            self.commits.append(parents[0])
        return self._places[commit]

    def next_without(self, path: bytes, place: int) -> int | None:
        """The first commit after the one at ``place`` that takes ``path`` away; None where none does."""
        while self._compared < place:
            at, self._compared = self._compared, self._compared + 1
            trees = (self._repo.tree(self.commits[n]).id for n in (at + 1, at))
            for one in compare_trees(self._repo.objects, *trees).gone:
                self._gone.setdefault(one, []).append(at)
        places = self._gone.get(path, [])
        found = bisect_left(places, place)
        return places[found - 1] if found else None
