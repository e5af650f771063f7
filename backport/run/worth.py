# SPDX-License-Identifier: GPL-2.0-or-later
"""What a packager wants to know of each patch that he carries: is it still needed?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from msgspec import Struct


class Worth(StrEnum):
    """Of a patch, on the branch that it was put on."""

    OBSOLETE = "obsolete"
    """The branch has all of it: the patch can be dropped."""
    IN_PART = "in part"
    """The branch has some of it: the patch can be made smaller."""
    NEEDED = "needed"


class Part(Struct, frozen=True):
    """What the branch has already of one file of a patch; ``hunks`` says which, empty for all of it."""

    path: str
    hunks: str = ""

    def __str__(self) -> str:
        """For a person."""
        return f"{self.path}: {self.hunks or 'all of it is there already'}"


def parts_json(parts: tuple[Part, ...]) -> list[dict[str, Any]]:
    """For a program."""
    return [{"path": part.path, "whole": not part.hunks, "hunks": part.hunks} for part in parts]


def worth_words(worths: Iterable[Worth | None]) -> str:
    """How many patches are still needed; empty where all are, as they are."""
    count = Counter(worth for worth in worths if worth is not None)
    if set(count) <= {Worth.NEEDED}:
        return ""
    words = (
        (Worth.NEEDED, "as they are" if count[Worth.NEEDED] != 1 else "as it is"),
        (Worth.IN_PART, "in part"),
        (Worth.OBSOLETE, "not at all (obsolete)"),
    )
    said = ", ".join(f"{count[worth]} {text}" for worth, text in words if count[worth])
    return f"still needed, of {count.total()}: {said}"
