# SPDX-License-Identifier: GPL-2.0-or-later
"""What branches state, kept between commands: ``.git/backport/index.sqlite``, where there is one.

To read what a branch has and another does not costs a merge base, a walk and every message: 45 ms for a newer
stable branch of Xen, and a pick asks four of them.  Here it is a row.

What goes wrong is no answer: a row whose sum is wrong, a file that SQLite calls damaged, one of another
format, one that another process is writing.  Then history is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from backport.gateway.repository import Repo
from backport.history.sides import Sides
from backport.history.spans import Entry, Span
from backport.history.statements import Statement
from series.model import Oid

if TYPE_CHECKING:  # SQLite is loaded where there is an index
    from backport.history.index.reader import Reader


def index_path(repo: Repo) -> Path:
    """Where the index lies."""
    return repo.state_dir / "index.sqlite"


@lru_cache(maxsize=4)
def ledger_of(repo: Repo) -> Ledger:
    """The index of a repository, opened once."""
    return Ledger(repo)


class Ledger:
    """The index of a repository, as whoever asks has it: it may not be there."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._open: Reader | None = None
        self._tried = False

    @property
    def is_there(self) -> bool:
        """Whether there is an index that can be read."""
        return self._reader is not None

    def referring(self, tip: Oid, hide: Oid) -> list[tuple[int, Entry]] | None:
        """The commits of a span that name others, with their places; None where history is to be read."""
        reader = self._reader
        return reader.referring(tip, hide) if reader is not None else None

    def span(self, tip: Oid, hide: Oid) -> Span | None:
        """A span that is there and sound, with every subject; None where history is to be read."""
        reader = self._reader
        return reader.span(tip, hide) if reader is not None else None

    def sides(self, tip: Oid, top: Oid) -> Sides | None:
        """What two branches have of each other; None where history is to be read."""
        reader = self._reader
        return reader.sides(tip, top) if reader is not None else None

    def own(self, tip: Oid, top: Oid) -> tuple[Oid, ...] | None:
        """What ``tip`` has and ``top`` does not; None where history is to be read."""
        reader = self._reader
        return reader.own(tip, top) if reader is not None else None

    def statements(self, commits: Sequence[Oid]) -> dict[Oid, Statement]:
        """What those of ``commits`` state that it knows."""
        reader = self._reader
        return reader.statements(commits) if reader is not None else {}

    def answer(self, key: bytes) -> str | None:
        """An answer that is kept; see kept_answers."""
        reader = self._reader
        return reader.answer(key) if reader is not None else None

    def keep_answers(self, fresh: Mapping[bytes, str], asked: Iterable[bytes]) -> None:
        """Keep answers; where another process is writing, or the file cannot be written, nothing is kept."""
        path = index_path(self._repo)
        if path.is_file():
            from backport.history.index.reader import store_answers

            store_answers(self._repo, path, fresh, asked)

    @property
    def _reader(self) -> Reader | None:
        if not self._tried:
            self._tried = True
            path = index_path(self._repo)
            if path.is_file():
                from backport.history.index.reader import open_reader

                self._open = open_reader(self._repo, path)
        return self._open
