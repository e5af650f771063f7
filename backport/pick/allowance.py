# SPDX-License-Identifier: GPL-2.0-or-later
"""What the user lets a pick do that it never does by itself."""

from __future__ import annotations

from msgspec import Struct


class Allowance(Struct, frozen=True):
    """``fuzz`` is how many outer lines of a hunk's context may differ (see series/placement/fuzz.py).

    ``binary_stub`` leaves a binary file as it is where the patch says only that it differs.
    """

    fuzz: int = 0
    binary_stub: bool = False


STRICT = Allowance()
