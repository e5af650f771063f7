# SPDX-License-Identifier: GPL-2.0-or-later
"""Which branches one command works on, and what has become of each: ``.git/backport/branches.json``.

Format 1:

``version``   1; another one is refused
``atomic``    whether the branches move all together or not at all
``waits``     whether an older branch waits for a newer one that has stopped
``parts``     newest first; each with

    ``branch``    the branch as it was named; ``target`` the full name of the ref that moves
    ``part``      the name of its run: ``branches/PART/run`` is the journal (see journal)
    ``group``     parts of one number have the same patches, in the same places
    ``result``    null while its run is on; else what it came to (see `Outcome`)

A part's journal is written before the roster names it, and its end is in the roster before its journal goes:
killed at any instant, each branch is either in its journal or over, and never both lost.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from backport.errors import UsageError
from backport.gateway.repository import Repo
from backport.run.journal import SEVERAL, Journal
from backport.store.files import write_atomic
from series.model import Oid

VERSION = 1


class Ending(StrEnum):
    """How the run onto one branch has ended."""

    MOVED = "moved"
    FAILED = "failed"
    """Nothing of it is left to be continued, and its branch has not moved."""
    DROPPED = "dropped"
    """By the user's word."""


class CellState(StrEnum):
    """What has become of one patch on one branch."""

    APPLIED = "applied"
    RESOLVED = "resolved"
    ALREADY = "already"
    SKIPPED = "skipped"
    CONFLICT = "conflict"
    DOUBT = "doubt"
    """It went on, and may be wrong there: somebody is to look at it."""
    OPEN = "open"
    """Not come to yet."""


class Cell(Struct, frozen=True):
    """One patch on one branch."""

    item: str
    subject: str
    state: CellState
    how: str = ""
    commit: Oid | None = None
    notes: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    """What each validator said, a line each."""


class Outcome(Struct, frozen=True):
    """What a run came to that is over; ``old`` is None for a branch that did not exist."""

    ending: Ending
    old: Oid | None
    new: Oid | None
    proven: str = ""
    error: str = ""
    hint: str = ""
    exit_code: int = 0
    cells: tuple[Cell, ...] = ()

    @property
    def is_bare(self) -> bool:
        """Whether the branch was made, and nothing was put on it."""
        return self.old is None and not any(cell.commit for cell in self.cells)


class Part(Struct, frozen=True):
    """One branch."""

    branch: str
    target: str
    part: str
    group: int
    result: Outcome | None = None

    @property
    def short(self) -> str:
        """The branch that moves, for a person."""
        return self.target.removeprefix("refs/heads/")

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return self.result is not None


class Roster(Struct, frozen=True):
    """The branches of one command, newest first."""

    parts: tuple[Part, ...]
    atomic: bool = False
    waits: bool = True

    @property
    def open(self) -> tuple[Part, ...]:
        """Those whose run is not over."""
        return tuple(part for part in self.parts if not part.is_over)

    def ended(self, *parts: Part, outcomes: tuple[Outcome, ...]) -> Roster:
        """The roster with those parts over."""
        over = {part.part: result for part, result in zip(parts, outcomes, strict=True)}
        return replace(
            self,
            parts=tuple(
                replace(part, result=over[part.part]) if part.part in over else part
                for part in self.parts
            ),
        )


class RosterFile:
    """The roster of a repository, on disk."""

    def __init__(self, repo: Repo) -> None:
        self._state_dir = repo.state_dir
        self.file = repo.state_dir / SEVERAL

    def journal(self, part: Part) -> Journal:
        """The journal of one branch."""
        return Journal(self._state_dir, part.part)

    def write(self, roster: Roster) -> None:
        """Replace it."""
        document = {"version": VERSION, **to_builtins(roster)}
        write_atomic(self.file, json.dumps(document, indent=1).encode())

    def read(self) -> Roster | None:
        """The roster; None where no command works on several branches."""
        try:
            data = json.loads(self.file.read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{self.file} is damaged: {error}", _DAMAGED) from error
        if not isinstance(data, dict) or data.get("version") != VERSION:
            raise UsageError(
                f"{self.file} was written by another version of backport",
                "finish the runs with that version, or `backport abort`",
            )
        try:
            parts = tuple(map(_part, data["parts"]))
            return Roster(parts, bool(data["atomic"]), bool(data["waits"]))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"{self.file} is damaged: {error!r}", _DAMAGED) from error

    def left(self) -> tuple[Journal, ...]:
        """Every journal in the folder, for where the roster cannot be read."""
        folder = self._state_dir / "branches"
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        return tuple(Journal(self._state_dir, name) for name in names)

    def end(self) -> None:
        """Forget it: all is over with the first of these acts."""
        self.file.unlink(missing_ok=True)
        for path in self.file.parent.glob(f"{self.file.name}.*"):  # half of it, of a full disk
            path.unlink(missing_ok=True)
        folder = self._state_dir / "branches"
        for path in (*(folder.iterdir() if folder.is_dir() else ()), folder):
            try:
                path.rmdir()
            except OSError:  # something of the user's stands in it, or it is not there
                continue


_DAMAGED = "`backport abort` drops the runs that are not over; branches that have moved stay moved"


def _part(data: dict[str, Any]) -> Part:
    result = data["result"]
    return Part(
        str(data["branch"]),
        str(data["target"]),
        str(data["part"]),
        int(data["group"]),
        _outcome(result) if result is not None else None,
    )


def _outcome(data: dict[str, Any]) -> Outcome:
    cells = tuple(
        Cell(
            **{
                **cell,
                "state": CellState(cell["state"]),
                "notes": tuple(cell["notes"]),
                "verdicts": tuple(cell["verdicts"]),
            }
        )
        for cell in data["cells"]
    )
    return Outcome(**{**data, "ending": Ending(data["ending"]), "cells": cells})
