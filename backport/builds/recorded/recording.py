# SPDX-License-Identifier: GPL-2.0-or-later
"""What a watched build was, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

Signature = tuple[int, int, int, int, int]
"""Size, modification and change time in ns, inode, mode: the file is the one that was seen."""


class Touched(Struct, frozen=True):
    """What a process looked at, by path in the worktree."""

    reads: frozenset[str] = frozenset()
    """It depends on the whole path, whichever part it looked at: content, mode, type."""
    exists: frozenset[str] = frozenset()
    """Asked about by a make, or by access(2): only its going matters."""
    absent: frozenset[str] = frozenset()
    """Asked for and not there: a new file may take another's place."""
    listings: frozenset[str] = frozenset()
    """Directories that were opened."""

    def __or__(self, other: Touched) -> Touched:
        return Touched(
            self.reads | other.reads,
            self.exists | other.exists,
            self.absent | other.absent,
            self.listings | other.listings,
        )


class Run(Struct, frozen=True):
    """One process to start."""

    exe: str
    """As it was named, from ``cwd``: a link leads where it leads now, and a script gets the same ``$0``."""
    cwd: str
    argv: tuple[str, ...]
    env: tuple[str, ...]
    """``NAME=value``."""
    status: int = 0
    piped: bool = False
    """Its standard input is an empty pipe, not /dev/null."""
    mute: str = ""
    """Which of its standard output (1) and standard error (2) are /dev/null."""
    wrote: frozenset[str] = frozenset()
    """Of a command of several runs, what this one wrote and left: between them make goes by which files are
    there, and which are newer."""
    removed: frozenset[str] = frozenset()
    """The same of what it removed."""


class Earlier(Struct, frozen=True):
    """What a file held before a command wrote over it."""

    mode: int
    date: int
    """In ns."""
    content: str
    """With surrogates for bytes that are not UTF-8."""


class Command(Struct, frozen=True):
    """What is run as one, one after the other, with what it looked at and wrote."""

    runs: tuple[Run, ...]
    touched: Touched
    writes: frozenset[str]
    listed: frozenset[str] = frozenset()
    """Outputs of others that a listing showed it: they are there before it runs."""
    folders: frozenset[str] = frozenset()
    """Folders that it made and left."""
    gone: frozenset[str] = frozenset()
    """What of its writes was not there afterwards."""
    links: frozenset[str] = frozenset()
    """What of its writes was a link then."""
    fresh: frozenset[str] = frozenset()
    """Folders of others' outputs as well that were not there when it was to make them."""
    hidden: frozenset[str] = frozenset()
    """Outputs of others that were not there yet when it looked for them, or listed their folder."""
    earlier: Mapping[str, Earlier] = {}
    """What of its writes was there before, by a command that never runs on its own: it is put back."""
    unsure: str = ""
    """Why it cannot be run on its own."""


class Recording(Struct, frozen=True):
    """A build whose outputs lie in the worktree."""

    key: str
    """Digest of the build's command and surroundings."""
    tree: str
    """Git tree that the outputs are made from."""
    commands: tuple[Command, ...]
    drivers: Touched
    """What the makes and shells that decide what to run looked at, all together."""
    outputs: Mapping[str, Signature]
    outside: Mapping[str, str]
    """Paths out of the worktree that were looked at, with their state (`outside_state`)."""
    written: frozenset[str] = frozenset()
    """Paths that the drivers wrote: at another moment than a command that is run again meets them."""
    lists: frozenset[str] = frozenset()
    """Lists of headers that a make has read: what they say of outputs may not change."""
    altered: frozenset[str] = frozenset()
    """Files of the tree that the build changed or removed: they stay as it left them."""
    left: frozenset[str] = frozenset()
    """What commands left outside of the worktree, where each that is run again finds nothing of others."""
    pending: frozenset[int] = frozenset()
    """Commands (by number) whose outputs a step that failed has left in some other state."""
    dates: Mapping[str, int] = {}
    """The dates that those outputs had, in ns."""
    unfit: str = ""
    """Why no step is built from it: it shows how the core is compiled, and no more."""


def signature(path: str) -> Signature | None:
    """The signature of a file; None where there is none."""
    import os

    try:
        st = os.lstat(path)
    except OSError:
        return None
    return st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino, st.st_mode
