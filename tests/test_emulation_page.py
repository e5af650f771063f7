# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/emulation.md names every kind of finding, and none that there is not."""

from __future__ import annotations

import re
from pathlib import Path

from emu.findings.invariant import Invariant

PAGE = Path(__file__).parents[1] / "docs" / "emulation.md"


def test_every_finding_has_its_row() -> None:
    rows = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert sorted(named) == sorted(Invariant)
