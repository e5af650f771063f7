# SPDX-License-Identifier: GPL-2.0-or-later
"""What a watched build was, as frozen values, and the file that keeps them.

The file, ``recording.json``, format 2: ``{"format", "key", "tree", "paths": [...], "environments":
[...], "commands", "keepers", "outputs", "outside", "outside_absent", "late"}``.  Paths inside commands and
keepers are indices of ``paths``, since a header is named by hundreds of commands.  Another format,
or a file that does not read, is no recording: the next build is watched again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backport.files import write_atomic

FORMAT = 2
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


class _Table:
    """Values by number, in the order of first use."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}

    def __call__(self, value: Any) -> int:
        return self.numbers.setdefault(value, len(self.numbers))


def save(recording: Recording, path: Path) -> None:
    """Write a recording."""
    paths, environments = _Table(), _Table()

    def many(names: Iterable[str]) -> list[int]:
        return [paths(name) for name in sorted(names)]

    def touched(value: Touched) -> list[list[int]]:
        return [many(x) for x in (value.reads, value.exists, value.absent, value.listings)]

    commands = [
        [
            [[r.exe, r.cwd, r.argv, environments(r.env), r.status] for r in command.runs],
            touched(command.touched),
            many(command.writes),
            sorted(command.keepers),
            command.unsure,
        ]
        for command in recording.commands
    ]
    keepers = [
        [k.identity, k.parent, touched(k.touched), many(k.writes)] for k in recording.keepers
    ]
    table = {
        "format": FORMAT,
        "key": recording.key,
        "tree": recording.tree,
        "commands": commands,
        "keepers": keepers,
        "outputs": dict(recording.outputs),
        "outside": dict(recording.outside),
        "outside_absent": sorted(recording.outside_absent),
        "late": sorted(recording.late),
        "paths": list(paths.numbers),
        "environments": list(environments.numbers),
    }
    # JSON keeps the lone surrogates that stand for bytes which are not UTF-8.
    write_atomic(path, json.dumps(table, separators=(",", ":")).encode(), durable=False)


def load(path: Path) -> Recording | None:
    """The recording kept in a file; None when there is none that can be read."""
    try:
        table = json.loads(path.read_bytes())
        return _from_table(table) if table["format"] == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def _from_table(table: dict[str, Any]) -> Recording:
    paths = table["paths"]
    environments = [tuple(env) for env in table["environments"]]
    many: Callable[[list[int]], frozenset[str]] = lambda ns: frozenset(paths[n] for n in ns)  # noqa: E731

    def touched(lists: list[list[int]]) -> Touched:
        reads, exists, absent, listings = map(many, lists)
        return Touched(reads, exists, absent, listings)

    return Recording(
        table["key"],
        table["tree"],
        tuple(
            Command(
                tuple(Run(exe, cwd, tuple(a), environments[e], rc) for exe, cwd, a, e, rc in runs),
                touched(looked),
                many(writes),
                frozenset(keepers),
                unsure,
            )
            for runs, looked, writes, keepers, unsure in table["commands"]
        ),
        tuple(
            Keeper(identity, parent, touched(looked), many(writes))
            for identity, parent, looked, writes in table["keepers"]
        ),
        {path: _signature(x) for path, x in table["outputs"].items()},
        {path: _signature(x) for path, x in table["outside"].items()},
        frozenset(table["outside_absent"]),
        frozenset(table["late"]),
    )


def _signature(values: list[int]) -> Signature:
    size, mtime, inode = values
    return size, mtime, inode
