# SPDX-License-Identifier: GPL-2.0-or-later
"""The state of one pick: the tree as the changes of the patch so far have left it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct, field

from backport.gateway.objects import Objects
from backport.gateway.trees import GITLINK, SYMLINK, Entry, TreeView
from backport.pick.allowance import STRICT, Allowance
from backport.pick.outcome import Change, Clash
from backport.pick.renamed import Renames
from series.model import FileChange

_TYPE = {0o100000: "a file", SYMLINK: "a symbolic link", GITLINK: "a submodule"}


MadeOn = Callable[[], TreeView | None]
"""The tree that a patch was made on; None where it is not known."""


def unknown() -> None:
    """A `MadeOn` that does not know."""


class Done(Struct, frozen=True):
    """A change that went on, and what it makes of which path (None: nothing is left there)."""

    change: Change
    edits: tuple[tuple[bytes, Entry | None], ...] = ()


class Work(Struct):
    """The tree as the changes so far have left it."""

    objects: Objects
    tree: TreeView
    leaving: frozenset[bytes]
    """Paths that some change of the patch takes away."""
    written: frozenset[bytes]
    """Paths that some change of the patch makes anew."""
    creations: Mapping[bytes, FileChange]
    made_on: MadeOn
    allowance: Allowance = STRICT
    edits: dict[bytes, Entry | None] = field(default_factory=dict)
    gone: set[bytes] = field(default_factory=set)
    over: set[bytes] = field(default_factory=set)
    """Paths that were given away before they were free."""

    _renames: list[Renames | None] = field(default_factory=list)

    def renames(self) -> Renames | None:
        """What has other names here than where the patch was made; None where that is not known."""
        if not self._renames:
            made_on = self.made_on()
            found = Renames(self.objects, self.tree, made_on) if made_on is not None else None
            self._renames.append(found)
        return self._renames[0]

    def now(self, path: bytes) -> Entry | None:
        """What stands at ``path``."""
        return self.edits[path] if path in self.edits else self.tree.entry(path)

    def obstacle(self, path: bytes) -> Entry | None:
        """What a new file at ``path`` meets: nothing, if the patch itself takes that away."""
        if path in self.leaving and path not in self.edits:
            if self.tree.entry(path) is not None:
                self.over.add(path)
            return None
        return self.now(path)

    def take(self, done: Done) -> None:
        """Let the changes that follow see this one."""
        for path, entry in done.edits:
            if entry is None:
                self.gone.add(path)
            # The old name of a rename may have been given to another file by then.
            if entry is not None or done.change.path == path or not self.edits.get(path):
                self.edits[path] = entry


def other_type(there: Entry, change: FileChange) -> Clash | None:
    """A patch for a file does not go on a link of that name, nor the other way round."""
    if change.old_mode is None or type_of(change.old_mode) == type_of(there.mode):
        return None
    return Clash(
        change.path,
        f"is {kind_of(there.mode)} here, but the patch is for {kind_of(change.old_mode)}",
        ours=there.oid,
        mode=there.mode,
    )


def type_of(mode: int) -> int:
    """File, link, or submodule: a mode without its permissions."""
    return mode & 0o170000


def kind_of(mode: int) -> str:
    """The same in words."""
    return _TYPE[type_of(mode)]
