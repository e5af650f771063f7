# SPDX-License-Identifier: GPL-2.0-or-later
"""What `check` says where nothing that is staged concerns it; loaded at most commits, so it loads nothing."""

from __future__ import annotations

from typing import Any

from backport.counted import counted
from backport.run.unconcerned import Unconcerned


def unconcerned_json() -> dict[str, Any]:
    """For a program: as what was looked at, and found in order."""
    return {"patches": 0, "series": 0, "complaints": [], "verdicts": []}


def staged_line(changed: int, patches: int, why: str) -> str:
    """The one line of a check that builds nothing."""
    return f"checked: {counted(changed, 'path')}, {counted(patches, 'patch')}; {why}"


def show_unconcerned(found: Unconcerned) -> None:
    """For a person."""
    print(staged_line(found.changed, 0, found.why))
