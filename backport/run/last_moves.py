# SPDX-License-Identifier: GPL-2.0-or-later
"""The last moves of refs, for `undo`: ``.git/backport/moves.json``.

``version`` 2; ``moves`` newest last, each with ``what`` it was and its ``refs``: name, ``old`` (null where it
was made), ``new``, whether it is ``bare`` (1 had no such).  It is written behind the move, before the run's
journal goes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import astuple, replace

from backport.errors import UsageError
from backport.gateway.repository import Repo
from backport.store.files import write_atomic
from series.model import Oid

_VERSION = 2
_READ = (1, _VERSION)
_MOST = 50


class RefMove(Struct, frozen=True):
    """A ref that went from ``old`` (None: it was made) to ``new``."""

    ref: str
    old: Oid | None
    new: Oid
    bare: bool = False
    """Made, and nothing was put on it: what it names was another branch's before."""

    @property
    def name(self) -> str:
        """As a person calls it."""
        return self.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")


class Move(Struct, frozen=True):
    """What one command did."""

    what: str
    refs: tuple[RefMove, ...]


def remember(repo: Repo, move: Move) -> None:
    """Note it, once also where it is noted again; what was noted of a part of it goes.  Raises `OSError`."""
    try:
        known = list(moves(repo))
    except UsageError:
        known = []
    if known[-1:] != [move]:
        whole = set(move.refs)
        _write(repo, [*(one for one in known if not whole.issuperset(one.refs)), move])


def replaced(repo: Repo, old: Move, new: Move) -> None:
    """One command has moved more than was noted of it."""
    _write(repo, [new if one == old else one for one in moves(repo)])


def forget(repo: Repo, moved: Collection[RefMove]) -> None:
    """Those moves were taken back; the others of the same command stay."""
    known = moves(repo)
    kept = [replace(one, refs=tuple(ref for ref in one.refs if ref not in moved)) for one in known]
    left = [one for one in kept if one.refs]
    if tuple(left) != known:
        _write(repo, left)


def moves(repo: Repo) -> tuple[Move, ...]:
    """All that are known, newest last.  Raises `UsageError` where the file is damaged."""
    return read_moves(repo.state_dir / "moves.json", "`git reflog` has the moves, too") or ()


def _write(repo: Repo, known: list[Move]) -> None:
    write_moves(repo.state_dir / "moves.json", known[-_MOST:])


def read_moves(path: Path, hint: str) -> tuple[Move, ...] | None:
    """The moves that a file holds; None where there is no file.  Raises `UsageError`, with ``hint`` where
    the file is damaged."""
    try:
        data = json.loads(path.read_bytes())
        if data["version"] not in _READ:
            raise UsageError(f"{path} was written by another version of backport")
        return tuple(
            Move(str(one["what"]), tuple(RefMove(*ref) for ref in one["refs"]))
            for one in data["moves"]
        )
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UsageError(f"{path} is damaged: {error}", hint) from error


def write_moves(path: Path, known: Iterable[Move]) -> None:
    """Write them; the file is whole, or as it was."""
    rows = [{"what": one.what, "refs": [list(astuple(ref)) for ref in one.refs]} for one in known]
    write_atomic(path, json.dumps({"version": _VERSION, "moves": rows}, indent=1).encode())
