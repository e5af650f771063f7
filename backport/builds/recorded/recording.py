# SPDX-License-Identifier: GPL-2.0-or-later
"""What a watched build was, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Signature = tuple[int, int, int]
"""Size, modification time in ns, inode: the file is the one that was seen."""


@dataclass(frozen=True, slots=True)
class Touched:
    """What a process looked at, by path in the worktree."""

    reads: frozenset[str] = frozenset()
    exists: frozenset[str] = frozenset()
    """Asked about and there; only its going matters."""
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


@dataclass(frozen=True, slots=True)
class Run:
    """One process to start."""

    exe: str
    cwd: str
    argv: tuple[str, ...]
    env: tuple[str, ...] = field(repr=False)
    """``NAME=value``."""
    status: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """What is run as one, one after the other, with what it read and wrote."""

    runs: tuple[Run, ...]
    touched: Touched
    writes: frozenset[str]
    keepers: frozenset[str]
    """Identities of the keepers that started it."""
    unsure: str = ""
    """Why it cannot be run on its own."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """A make or shell that decided what to run."""

    identity: str
    """Digest of arguments, directory and environment."""
    parent: str
    touched: Touched
    writes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Recording:
    """A build whose outputs lie in the worktree."""

    key: str
    """Digest of the build's command and surroundings."""
    tree: str
    """Git tree that the outputs are made from."""
    commands: tuple[Command, ...]
    keepers: tuple[Keeper, ...]
    outputs: Mapping[str, Signature]
    outside: Mapping[str, Signature]
    """Files out of the worktree that were read: compilers, system headers."""
    outside_absent: frozenset[str]
    late: frozenset[int] = frozenset()
    """Commands that were put off: their outputs are those of an earlier tree."""


def signature(path: str) -> Signature | None:
    """The signature of a file; None where there is none."""
    import os

    try:
        st = os.lstat(path)
    except OSError:
        return None
    return st.st_size, st.st_mtime_ns, st.st_ino
