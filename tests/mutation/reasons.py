# SPDX-License-Identifier: GPL-2.0-or-later
"""What people found by reading the survivors: `survivors.toml`.

An entry is for one mutant by name, and says of which change it speaks; when the source has moved on and
the name now means another change, the entry counts for nothing.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.mutation.judge import Reason

FILE = Path(__file__).with_name("survivors.toml")


def read_reasons(text: str) -> dict[str, Reason]:
    """Reasons by the name of the mutant."""
    found = {}
    for entry in tomllib.loads(text).get("mutant", []):
        reason = Reason(entry["change"], entry["reason"], entry["equivalent"])
        for name in [entry["name"]] if isinstance(entry["name"], str) else entry["name"]:
            found[name] = reason
    return found
