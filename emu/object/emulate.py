# SPDX-License-Identifier: GPL-2.0-or-later
"""The entry: an object's bytes and a profile in, a report out."""

from __future__ import annotations

import hashlib
import time

from emu.elf import parse_elf
from emu.object.coverage import measure
from emu.object.judge import Depth, Judge
from emu.object.machine import Machine
from emu.object.selection import Selection
from emu.profile import Profile
from emu.scenario import Case
from emu.verdict import ObjectReport, overall

MAX_PAIRS = 6000
"""Pairs of failures tried on one object."""


def emulate_object(
    elf: bytes, profile: Profile, *, depth: Depth = "scenarios", only: str | None = None
) -> ObjectReport:
    """Run every scenario of ``profile`` on an object; ``only`` names one (or one finding's rerun).

    Raises an `EmuError` for an object that cannot be used; whatever the core does is in the report.
    """
    started = time.perf_counter()
    machine = Machine(parse_elf(elf), profile)
    selection = Selection.parse(only, profile)
    pairs_left = MAX_PAIRS
    results = []
    drawn: set[tuple[str, str, str]] = set()
    for scenario in profile.scenarios:
        for mode in scenario.modes:
            case = Case(scenario, mode)
            if selection.takes(case):
                judge = Judge(machine, case, pairs_left)
                operation = scenario.entry, scenario.operation, mode
                draw = machine.takes_buffer(case) and operation not in drawn
                drawn.add(operation)
                results.append(judge.result(depth, selection, draw=draw))
                pairs_left = judge.pairs_left
    return ObjectReport(
        profile=profile.name,
        profile_digest=profile.digest,
        object_digest=hashlib.sha256(elf).hexdigest(),
        depth=depth,
        outcome=overall(tuple(results)),
        results=tuple(results),
        coverage=measure(machine.image, machine.layout, machine.cpu.blocks),
        calls=machine.calls,
        seconds=time.perf_counter() - started,
    )
