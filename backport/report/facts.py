# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of a tree before it is judged, for a person."""

from __future__ import annotations

from collections.abc import Sequence

from backport.report.table import show_table
from emu.findings.fact import Fact


def show_facts(facts: Sequence[Fact], name: str) -> None:
    """Each with where it was found."""
    rows = [(fact.what, fact.value, fact.source.value) for fact in facts]
    show_table(("what", "is", "from"), rows, title=name, styles=("bold", "", "dim"))
