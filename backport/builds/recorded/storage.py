# SPDX-License-Identifier: GPL-2.0-or-later
"""The file that keeps a recording from run to run.

``recording.json``, format 2: ``{"format", "key", "tree", "commands", "keepers", "outputs", "outside",
"outside_absent", "late", "paths": [...], "environments": [...]}``.  Paths inside commands and keepers are
indices of ``paths``, since a header is named by hundreds of commands.  Another format, or a file that does
not read, is no recording: the next build is watched again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from backport.builds.recorded.recording import (
    Command,
    Keeper,
    Recording,
    Run,
    Signature,
    Touched,
)
from backport.store.files import write_atomic

FORMAT = 2


class Writer:
    """Writes one recording after the other.  From step to step most of it is the same, and is not put into
    words again."""

    def __init__(self) -> None:
        self._words = _Words()
        self._needed = 0
        """Paths that were named when there were no words yet."""

    def save(self, recording: Recording, path: Path) -> None:
        """Write a recording."""
        anew = len(self._words.paths) >= 2 * self._needed  # most would be of commands that are gone
        if anew:
            self._words = _Words()
        text = self._words.of(recording)
        if anew:
            self._needed = len(self._words.paths)
        write_atomic(path, text.encode(), durable=False)


class _Words:
    """Recordings as JSON, with the tables that their words refer to."""

    def __init__(self) -> None:
        self.paths: dict[str, int] = {}
        self._environments: dict[tuple[str, ...], int] = {}
        self._commands: dict[int, tuple[Command, str]] = {}
        """By identity: to compare them takes as long as to write them."""
        self._keepers: tuple[tuple[Keeper, ...], str] = (), "[]"

    def of(self, recording: Recording) -> str:
        known, self._commands = self._commands, {}
        commands = []
        for command in recording.commands:
            kept = known.get(id(command)) or (command, _dumped(self._command(command)))
            self._commands[id(command)] = kept
            commands.append(kept[1])
        if self._keepers[0] is not recording.keepers:
            said = [
                [k.identity, k.parent, self._touched(k.touched), self._many(k.writes)]
                for k in recording.keepers
            ]
            self._keepers = recording.keepers, _dumped(said)
        parts = {
            "format": _dumped(FORMAT),
            "key": _dumped(recording.key),
            "tree": _dumped(recording.tree),
            "commands": f"[{','.join(commands)}]",
            "keepers": self._keepers[1],
            "outputs": _dumped(dict(recording.outputs)),
            "outside": _dumped(dict(recording.outside)),
            "outside_absent": _dumped(sorted(recording.outside_absent)),
            "late": _dumped(sorted(recording.late)),
            "paths": _dumped(list(self.paths)),
            "environments": _dumped(list(self._environments)),
        }
        members = [f"{_dumped(name)}:{said}" for name, said in parts.items()]
        return f"{{{','.join(members)}}}"

    def _command(self, command: Command) -> list[Any]:
        numbers = self._environments
        return [
            [
                [run.exe, run.cwd, run.argv, numbers.setdefault(run.env, len(numbers)), run.status]
                for run in command.runs
            ],
            self._touched(command.touched),
            self._many(command.writes),
            sorted(command.keepers),
            command.unsure,
        ]

    def _touched(self, value: Touched) -> list[list[int]]:
        return [self._many(x) for x in (value.reads, value.exists, value.absent, value.listings)]

    def _many(self, names: Iterable[str]) -> list[int]:
        paths = self.paths
        return [paths.setdefault(name, len(paths)) for name in sorted(names)]


def _dumped(value: Any) -> str:
    # JSON keeps the lone surrogates that stand for bytes which are not UTF-8.
    return json.dumps(value, separators=(",", ":"))


def load(path: Path) -> Recording | None:
    """The recording kept in a file; None when there is none that can be read."""
    try:
        table = json.loads(path.read_bytes())
        return _from_table(table) if table["format"] == FORMAT else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
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
