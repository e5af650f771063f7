# SPDX-License-Identifier: GPL-2.0-or-later
"""The file that keeps a recording from run to run.

``recording.json``, format 9: ``{"format", "key", "tree", "commands", "drivers", "outputs", "outside",
"written", "lists", "altered", "left", "pending", "dates", "unfit", "paths": [...], "environments": [...]}``.
Paths inside commands and drivers are indices of ``paths``, since a header is named by hundreds of commands.
Another format, or a file that does not read, is no recording: the next build is watched again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from backport.builds.recorded.recording import (
    Command,
    Earlier,
    Recording,
    Run,
    Signature,
    Touched,
)
from backport.store.files import write_atomic

FORMAT = 9


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
        self._drivers: tuple[Touched, str] = Touched(), "[[],[],[],[]]"

    def of(self, recording: Recording) -> str:
        known, self._commands = self._commands, {}
        commands = []
        for command in recording.commands:
            kept = known.get(id(command)) or (command, _dumped(self._command(command)))
            self._commands[id(command)] = kept
            commands.append(kept[1])
        if self._drivers[0] is not recording.drivers:
            self._drivers = recording.drivers, _dumped(self._touched(recording.drivers))
        parts = {
            "format": _dumped(FORMAT),
            "key": _dumped(recording.key),
            "tree": _dumped(recording.tree),
            "commands": f"[{','.join(commands)}]",
            "drivers": self._drivers[1],
            "outputs": _dumped(dict(recording.outputs)),
            "outside": _dumped(dict(recording.outside)),
            "written": _dumped(sorted(recording.written)),
            "lists": _dumped(sorted(recording.lists)),
            "altered": _dumped(sorted(recording.altered)),
            "left": _dumped(sorted(recording.left)),
            "pending": _dumped(sorted(recording.pending)),
            "dates": _dumped(dict(recording.dates)),
            "unfit": _dumped(recording.unfit),
            "paths": _dumped(list(self.paths)),
            "environments": _dumped(list(self._environments)),
        }
        members = [f"{_dumped(name)}:{said}" for name, said in parts.items()]
        return f"{{{','.join(members)}}}"

    def _command(self, command: Command) -> list[Any]:
        numbers = self._environments
        return [
            [
                [
                    run.exe,
                    run.cwd,
                    run.argv,
                    numbers.setdefault(run.env, len(numbers)),
                    run.status,
                    int(run.piped),
                    run.mute,
                    self._many(run.wrote),
                    self._many(run.removed),
                ]
                for run in command.runs
            ],
            self._touched(command.touched),
            self._many(command.writes),
            self._many(command.listed),
            self._many(command.folders),
            self._many(command.gone),
            self._many(command.links),
            self._many(command.fresh),
            self._many(command.hidden),
            [
                [path, old.mode, old.date, old.content]
                for path, old in sorted(command.earlier.items())
            ],
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
    except (
        OSError,
        ValueError,
        ArithmeticError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ):
        return None


def _from_table(table: dict[str, Any]) -> Recording:
    paths = _texts(table["paths"])
    environments = [_texts(env) for env in table["environments"]]
    many: Callable[[list[int]], frozenset[str]] = lambda ns: frozenset(paths[n] for n in ns)  # noqa: E731

    def touched(lists: list[list[int]]) -> Touched:
        reads, exists, absent, listings = map(many, lists)
        return Touched(reads, exists, absent, listings)

    return Recording(
        table["key"],
        table["tree"],
        tuple(
            Command(
                tuple(
                    Run(
                        exe,
                        cwd,
                        tuple(a),
                        environments[e],
                        rc,
                        bool(piped),
                        str(mute),
                        *map(many, left),
                    )
                    for exe, cwd, a, e, rc, piped, mute, *left in runs
                ),
                touched(looked),
                many(writes),
                many(listed),
                many(folders),
                many(gone),
                many(links),
                many(fresh),
                many(hidden),
                {
                    str(path): Earlier(int(mode), int(date), str(text))
                    for path, mode, date, text in old
                },
                unsure,
            )
            for runs, looked, writes, listed, folders, gone, links, fresh, hidden, old, unsure in table[
                "commands"
            ]
        ),
        touched(table["drivers"]),
        {path: _signature(x) for path, x in table["outputs"].items()},
        {str(path): str(was) for path, was in table["outside"].items()},
        frozenset(map(str, table["written"])),
        frozenset(map(str, table["lists"])),
        frozenset(map(str, table["altered"])),
        frozenset(map(str, table["left"])),
        frozenset(map(int, table["pending"])),
        {str(path): int(date) for path, date in table["dates"].items()},
        str(table["unfit"]),
    )


def _texts(values: list[Any]) -> tuple[str, ...]:
    if not all(isinstance(value, str) for value in values):
        raise TypeError(values)
    return tuple(values)


def _signature(values: list[int]) -> Signature:
    size, mtime, ctime, inode, mode = values
    return size, mtime, ctime, inode, mode
