# SPDX-License-Identifier: GPL-2.0-or-later
"""The entry: an object's bytes and a profile in, a report out."""

from __future__ import annotations

import hashlib
import time

from emu.abi import structure
from emu.elf import parse_elf
from emu.object.coverage import measure
from emu.object.judge import Depth, Judge
from emu.object.machine import Machine
from emu.object.selection import Selection
from emu.profile import Profile
from emu.scenario import Case
from emu.verdict import ObjectReport, Outcome, ScenarioResult, overall

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
    try:
        return _report(machine, hashlib.sha256(elf).hexdigest(), depth, only, started)
    finally:
        machine.close()


def _report(
    machine: Machine, digest: str, depth: Depth, only: str | None, started: float
) -> ObjectReport:
    profile = machine.profile
    selection = Selection.parse(only, profile)
    pairs_left = MAX_PAIRS
    results = []
    drawn: set[tuple[str, str, str]] = set()
    for scenario in profile.scenarios:
        done: ScenarioResult | None = None
        for mode in scenario.modes:
            case = Case(scenario, mode)
            if not selection.takes(case):
                continue
            if done is not None and _is_the_same(machine, case):
                results.append(done.in_mode(mode))
                continue
            machine.boundary.mode_read = False
            judge = Judge(machine, case, pairs_left)
            operation = scenario.entry, scenario.operation, mode
            draw = machine.takes_buffer(case) and operation not in drawn
            drawn.add(operation)
            done = judge.result(depth, selection, draw=draw)
            results.append(done)
            pairs_left = judge.pairs_left
    outcome = overall(tuple(results))
    borrowed = () if outcome is Outcome.ABSENT else sorted(machine.layout.borrowed)
    return ObjectReport(
        profile=profile.name,
        profile_digest=profile.digest,
        object_digest=digest,
        depth=depth,
        outcome=outcome,
        results=tuple(results),
        coverage=measure(machine.image, machine.layout, machine.blocks),
        calls=machine.calls,
        seconds=time.perf_counter() - started,
        borrowed=tuple(borrowed),
    )


def _is_the_same(machine: Machine, case: Case) -> bool:
    """Whether the case that was judged last, of another mode, has shown all that this one could.

    So it is where the core never looked at what makes its domain a 32-bit one, in any of the ways in which
    the case went, and the guest's structure is the same in both modes: every instruction would be.
    """
    same = structure(case.scenario.operation, "64") is case.struct
    return same and machine.world.knows_compat and not machine.boundary.mode_read
