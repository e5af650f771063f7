# SPDX-License-Identifier: GPL-2.0-or-later
"""What was found out about single commits, kept in the index from one command to the next.

To look what of each commit a branch still has, and what would come of each one there, takes half a minute
on Xen; the next day most of it is the same.  A key holds all that an answer rests on: ids of commits, of
the blobs that files have, and the code of the tool and of libgit2.  Without an index nothing is kept.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from backport.distribution import libgit2_version
from backport.gateway.repository import Repo
from backport.history.index.ledger import ledger_of
from backport.store.cache import digest, tool_version


@lru_cache(maxsize=4)
def answers_of(repo: Repo) -> Answers:
    """The answers of a repository."""
    return Answers(repo)


class Answers:
    """Answers as JSON values; what goes wrong with one that is kept is as if it were not."""

    def __init__(self, repo: Repo) -> None:
        self._ledger = ledger_of(repo)
        self._code = ""
        self._fresh: dict[bytes, str] = {}
        self._asked: set[bytes] = set()

    def get(self, *rests_on: str) -> Any | None:
        """The answer that rests on all of these; None where it is not known."""
        if not self._ledger.is_there:
            return None
        key = self._key(rests_on)
        text = self._fresh.get(key) or self._ledger.answer(key)
        if text is None:
            return None
        self._asked.add(key)
        return json.loads(text)

    def put(self, value: Any, *rests_on: str) -> None:
        """Keep an answer, once `store` is called."""
        if self._ledger.is_there:
            self._fresh[self._key(rests_on)] = json.dumps(value, separators=(",", ":"))

    def store(self) -> None:
        """Write what is new, if no other process is writing."""
        if self._fresh or self._asked:
            self._ledger.keep_answers(self._fresh, self._asked - self._fresh.keys())
            self._fresh, self._asked = {}, set()

    def _key(self, rests_on: tuple[str, ...]) -> bytes:
        if not self._code:
            parts = (tool_version("backport"), tool_version("series"))
            self._code = digest(*parts, libgit2_version())
        return bytes.fromhex(digest(self._code, *rests_on))[:16]
