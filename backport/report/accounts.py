# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of every mail and file of the sources, for a program."""

from __future__ import annotations

from typing import Any

from msgspec.structs import asdict

from backport.run.accounting import Tally
from series.model import Account, shown


def accounts_json(accounts: tuple[Account, ...]) -> list[dict[str, str]]:
    """Each mail and file with its fate."""
    return [
        {
            "name": one.name,
            "subject": shown(one.subject),
            "fate": one.fate.value,
            "reason": one.reason,
        }
        for one in accounts
    ]


def tally_json(tally: Tally) -> dict[str, Any]:
    """The numbers; ``applied``, ``already``, ``resolved``, ``skipped`` and ``left_out`` add up to
    ``patches``."""
    return asdict(tally) | {"fates": {fate.value: count for fate, count in tally.fates.items()}}
