# SPDX-License-Identifier: GPL-2.0-or-later
"""What came of putting one change, and one patch, on one tree."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from backport.gateway.trees import TreeView
from series.model import Oid, Patch


class How(StrEnum):
    """How a change went on, from the safest way to the one that deserves a look."""

    EXACT = "exact"
    """The tree holds the very blob that the patch was made from."""
    ALREADY = "already there"
    """The tree already holds what the change would make of it."""
    MERGED = "merged"
    """3-way, against the blob that the patch names in its ``index`` line."""
    RENAMED = "merged with the branch's names"
    """As merged, once base and patch call an identifier what the branch calls it."""
    IN_PLACE = "merged line by line"
    """A conflict for git: the branch changed a line beside the patch's, and it is still that line."""
    OFFSET = "by context"
    """No such blob at hand: every hunk's full context found, perhaps on another line."""
    FUZZ = "with fuzz"
    """As the user allowed: some outer lines of a hunk's context were other ones."""
    PROPOSED = "as proposed"
    """A conflict for git; the changes of both sides do not touch each other, and the step was built."""


class Change(Struct, frozen=True):
    """One path, done.  ``notes`` are worth the user's eye: an offset, an ambiguous place."""

    path: bytes
    how: How
    notes: tuple[str, ...] = ()
    had: str = ""
    """Which of its hunks the branch has already, in words; all of them where ``how`` says so."""


SKIPPABLE = ": `backport skip` leaves it out"
"""The end of a reason, at the first clash of a patch that looks applied as a whole."""


class Clash(Struct, frozen=True):
    """One path that does not go on; ``reason`` leaves the path out, whoever prints it names it.

    ``content`` is the file with diff3 markers where one can be made; the three ids are the index
    stages a merge tool wants, None where that side has no file.
    """

    path: bytes
    reason: str
    base: Oid | None = None
    ours: Oid | None = None
    theirs: Oid | None = None
    mode: int = 0o100644
    their_mode: int | None = None
    """Of ``theirs``, where the patch makes it another mode or type of file; else ``mode``."""
    base_mode: int | None = None
    """The same of ``base``."""
    deleted: bool = False
    """The patch takes the file away: there is no ``theirs`` to be had."""
    content: bytes | None = None
    missing: tuple[bytes, ...] = ()
    """Lines that the patch expects and the tree does not hold: what to look for upstream."""
    looks_applied: bool = False
    """Every hunk of the file looks applied, though none can be proven to be."""

    def target(self, patch: Patch) -> bytes:
        """Where the file stands behind ``patch``: of one that is not here under its old name, the new one."""
        for change in patch.changes:
            if change.old_path == self.path and change.new_path is not None and self.ours is None:
                return change.new_path
        return self.path


class Picked(Struct, frozen=True):
    """A patch on a tree: the tree that results, and where not everything fitted, the clashes."""

    tree: TreeView
    changes: tuple[Change, ...]
    clashes: tuple[Clash, ...] = ()

    @property
    def clean(self) -> bool:
        """True when every change went on."""
        return not self.clashes

    @property
    def already(self) -> bool:
        """True when the tree already held all of it."""
        return self.clean and all(change.how is How.ALREADY for change in self.changes)

    @property
    def how(self) -> How:
        """The least safe way any of the changes went on."""
        order = list(How)
        live = [change.how for change in self.changes if change.how is not How.ALREADY]
        return max(live, key=order.index, default=How.ALREADY)
