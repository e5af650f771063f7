# SPDX-License-Identifier: GPL-2.0-or-later
"""What a build left in its worktree, file by file, to be compared with what another leaves."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Difference:
    """A file that a step's build left otherwise than the whole build; ``path`` is empty where that fails."""

    path: str
    made_by: str
    """The command that makes it, or how the whole build failed."""

    def __str__(self) -> str:
        if not self.path:
            return self.made_by
        by = f", made by `{self.made_by}`" if self.made_by else ""
        return f"{self.path} is not what the whole build makes{by}"


def built_files(folder: Path) -> Mapping[str, str]:
    """Type, mode and content of all that lies in a worktree, by its path there."""
    found: dict[str, str] = {}
    top = os.fsencode(folder)
    for place, folders, names in os.walk(top):
        for name in (*names, *folders):
            path = os.path.join(place, name)  # noqa: PTH118  (bytes, by the ten thousand)
            shown = os.fsdecode(os.path.relpath(path, top))
            if shown == ".git":
                continue
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode):
                with open(path, "rb") as file:  # noqa: PTH123
                    text = hashlib.file_digest(file, "sha256").hexdigest()
                found[shown] = f"{mode:o} {text}"
            elif stat.S_ISLNK(mode):
                found[shown] = f"-> {os.fsdecode(os.readlink(path))}"  # noqa: PTH115
            else:
                found[shown] = f"{stat.S_IFMT(mode):o}"
    return found


def different(one: Mapping[str, str], other: Mapping[str, str]) -> set[str]:
    """The paths that are not the same in both."""
    return {path for path in one.keys() | other.keys() if one.get(path) != other.get(path)}
