# SPDX-License-Identifier: GPL-2.0-or-later
"""What a build left in its worktree, file by file, to be compared with what another leaves."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct


class Difference(Struct, frozen=True):
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
    for path in folder.rglob("*"):
        shown = str(path.relative_to(folder))
        if shown == ".git":
            continue
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            with path.open("rb") as file:
                text = hashlib.file_digest(file, "sha256").hexdigest()
            found[shown] = f"{mode:o} {text}"
        elif stat.S_ISLNK(mode):
            found[shown] = f"-> {path.readlink()}"
        else:
            found[shown] = f"{stat.S_IFMT(mode):o}"
    return found


def different(step: Mapping[str, str], whole: Mapping[str, str], *, leftovers: bool) -> set[str]:
    """The paths that a step's build left otherwise than the whole build.

    ``leftovers``: files that the step's build alone left count as well.  The tree's own make never takes
    away what a source was compiled to that is gone; where anything was made of it, that differs itself.
    """
    paths = step.keys() | whole.keys() if leftovers else whole.keys()
    return {path for path in paths if step.get(path) != whole.get(path)}
