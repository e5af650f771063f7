# SPDX-License-Identifier: GPL-2.0-or-later
"""TOML tables that know where they stand, so that each mistake is named with its file and key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from emu.errors import ProfileError


class Table:
    """A TOML table that remembers where it stands and which of its keys were asked for."""

    def __init__(self, raw: Mapping[str, Any], origin: str, path: str) -> None:
        self.raw = raw
        self.origin = origin
        self.path = path
        self._asked: set[str] = set()

    def error(self, key: str, message: str) -> ProfileError:
        where = f"{self.path}.{key}" if self.path and key else self.path or key
        return ProfileError(message, f"{self.origin}: {where}")

    def done(self) -> None:
        """Complain about keys that nobody asked for."""
        for key in self.raw:
            if key not in self._asked:
                known = ", ".join(sorted(self._asked))
                raise self.error(key, f"unknown key; known here: {known}")

    def get(self, key: str, kind: type, what: str, default: Any = None) -> Any:
        self._asked.add(key)
        if key not in self.raw:
            if default is not None:
                return default
            raise self.error(key, f"{what} is missing")
        value = self.raw[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(key, f"expected {what}, not {type(value).__name__}")
        return value

    def has(self, key: str) -> bool:
        self._asked.add(key)
        return key in self.raw

    def text(self, key: str, default: str | None = None) -> str:
        return str(self.get(key, str, "a string", default))

    def integer(self, key: str, default: int | None = None) -> int:
        return int(self.get(key, int, "a number", default))

    def within(self, key: str, low: int, high: int, default: int) -> int:
        """A number from ``low`` to ``high``."""
        value = self.integer(key, default)
        if not low <= value <= high:
            raise self.error(key, f"{low} to {high}")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        return bool(self.get(key, bool, "true or false", default))

    def array(self, key: str) -> list[Any]:
        return list(self.get(key, list, "an array", []))

    def texts(self, key: str, default: Sequence[str] = ()) -> tuple[str, ...]:
        if not self.has(key):
            return tuple(default)
        values = self.array(key)
        if not all(isinstance(value, str) for value in values):
            raise self.error(key, "expected an array of strings")
        return tuple(values)

    def table(self, key: str, *, optional: bool = False) -> Table:
        raw = self.get(key, dict, "a table", {} if optional else None)
        return Table(raw, self.origin, f"{self.path}.{key}" if self.path else key)

    def tables(self, key: str) -> dict[str, Table]:
        outer = self.table(key, optional=True)
        return {name: outer.table(name) for name in outer.raw}

    def integers(self, key: str) -> dict[str, int]:
        outer = self.table(key, optional=True)
        return {name: outer.integer(name) for name in outer.raw}

    def items(self, key: str) -> list[Table]:
        """An array of tables."""
        found = []
        for index, raw in enumerate(self.array(key)):
            name = raw.get("name") if isinstance(raw, dict) else None
            path = f"{self.path}.{key}" if self.path else key
            label = f"{path}[{name if isinstance(name, str) else index}]"
            if not isinstance(raw, dict):
                raise ProfileError("expected a table", f"{self.origin}: {label}")
            found.append(Table(raw, self.origin, label))
        return found
