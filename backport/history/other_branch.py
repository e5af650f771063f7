# SPDX-License-Identifier: GPL-2.0-or-later
"""Another stable branch, and a step that has its version: the values, which journals keep."""

from __future__ import annotations

from msgspec import Struct

from series.model import Oid


class Sibling(Struct, frozen=True):
    """Another stable branch, where it stood when the run began."""

    name: str
    tip: Oid
    until: int | None = None
    """Only commits before that second count; None: all."""
    older: bool = False
    """An older stable branch: its version counts only where nothing else goes on."""
    made: tuple[tuple[str, Oid], ...] = ()
    """What this very command has made there: items, as journals have them, and their commits.  They count
    also where no message names an origin, as that of a mail does not."""
    worked_on: str = ""
    """The branch that this very command has worked on, be it with other patches; empty for any other."""


class AsBranch(Struct, frozen=True):
    """A step on which the version of another branch went on."""

    branch: str

    def __str__(self) -> str:
        return f"as {self.branch} has it"
