# SPDX-License-Identifier: GPL-2.0-or-later
"""What to do about a commit that a patch waits for, as a value."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Advice(StrEnum):
    """What to do about a blocker."""

    TAKE = "take"
    ADAPT = "adapt without it"
    WAIT = "wait"


class Advised(Struct, frozen=True):
    """An advice, and the reason for it."""

    advice: Advice
    because: str
