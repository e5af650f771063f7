# SPDX-License-Identifier: GPL-2.0-or-later
"""What a file of an earlier commit is called now: from one commit to the next, as ``git log --follow`` goes.

Two trees alone do not tell a file that was moved from one that was deleted, where another of the same
content was made beside it; the commits between them do.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from backport.gateway.repository import Repo
from backport.pick.renamed import Renames, TooMany
from series.model import Oid


def followed(repo: Repo, commit: Oid, path: bytes, tip: Oid) -> bytes | None:
    """The name at ``tip`` of what ``commit`` has at ``path``; None where it was deleted on the way.

    Raises `LookupError` where that is not known: the first parents of ``tip`` do not lead to ``commit``, or
    several files are like it where it went.  Cost: a lookup a commit, two trees compared a rename.
    """
    found = path
    for before, after in pairwise(_between(repo, commit, tip)):
        tree, blob = repo.tree(after), repo.tree(before).oid(found)
        if tree.oid(found) is not None:
            continue
        if blob is None:
            raise LookupError(f"{commit} has no such file")
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


def _between(repo: Repo, commit: Oid, tip: Oid) -> Iterator[Oid]:
    """From ``commit`` to ``tip``, both included."""
    chain = [tip]
    oldest = repo.when(commit).seconds
    while chain[-1] != commit:
        parents = repo.parents(chain[-1])
        if not parents or repo.when(chain[-1]).seconds < oldest:
            raise LookupError(f"{tip} does not lead to {commit}")
        chain.append(parents[0])
    return reversed(chain)
