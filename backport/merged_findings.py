# SPDX-License-Identifier: GPL-2.0-or-later
"""Findings of an emulation, each distinct one once: for verdicts and for what a person reads."""

from __future__ import annotations

import re
from collections.abc import Sequence

from emu.findings.verdict import Finding

_DRAWN = re.compile(r" \(with [^()]*\)")
"""In the words of a finding: the input that was drawn for it."""
_NUMBER = re.compile(r"-?\b(?:0x[0-9a-f]+|\d+)\b")


def merge_findings(findings: Sequence[Finding]) -> list[tuple[Finding, list[str]]]:
    """Each distinct finding once, as the first scenario has it, with the scenarios in which it shows.

    Findings that differ in numbers alone are one: the same fault shows with every input that was drawn.
    """
    merged: dict[tuple[str, str, str], tuple[Finding, list[str]]] = {}
    for finding in findings:
        key = (finding.invariant, _NUMBER.sub("#", _DRAWN.sub("", finding.message)), finding.where)
        merged.setdefault(key, (finding, []))[1].append(finding.scenario)
    return list(merged.values())
