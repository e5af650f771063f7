# SPDX-License-Identifier: GPL-2.0-or-later
"""What was found out about a tree before anything of it was judged, and where that stood."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Source(StrEnum):
    """Where a fact comes from, the tree itself first."""

    SYMBOLS = "symbols"
    RELOCATIONS = "relocations"
    CODE = "code"
    TYPES = "debug information"
    PROBE = "probe"
    NOTES = "ELF notes"
    CONSOLE = "its console"
    BOOT = "its boot"
    PROFILE = "profile"
    NOWHERE = "not found"


@dataclass(frozen=True, slots=True)
class Fact:
    """One of them."""

    what: str
    value: str
    source: Source

    def to_json(self) -> dict[str, Any]:
        return {"what": self.what, "value": self.value, "from": self.source.value}
