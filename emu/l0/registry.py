# SPDX-License-Identifier: GPL-2.0-or-later
"""Which function answers which operation."""

from __future__ import annotations

from emu.l0 import events, grants, platform
from emu.l0.model import Operation

OPERATIONS: dict[str, Operation] = {
    **events.OPERATIONS,
    **grants.OPERATIONS,
    **platform.OPERATIONS,
}
