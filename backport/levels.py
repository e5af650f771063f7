# SPDX-License-Identifier: GPL-2.0-or-later
"""The few closed choices that options, configuration and the run share."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

Level = Literal["none", "build", "object", "boot"]
"""How far each step is proven; each includes the ones before it."""

Prerequisites = Literal["report", "take"]
"""What to do with a commit that the series needs and upstream has."""

Record = Literal["none", "cherry", "xen", "name"]
"""The provenance line added to a message: none, ``git cherry-pick -x``'s, Xen's, or the patch
file's name."""


class Allow(StrEnum):
    """What a pick may do only when the user says so."""

    BINARY_STUB = "binary-stub"
    """Leave a binary file as it is where the patch says only that it differs."""


Keep = Literal["none", "non-patch", "all"]
"""Which [tags] of a mail's subject stay in the commit's."""

Phase = Literal["plan", "apply", "stopped", "validate", "move"]
"""How far a run has come; see journal."""
