# SPDX-License-Identifier: GPL-2.0-or-later
"""The entry: an object's bytes and a profile in, a report out, by one process or in shares by several."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from emu.abi import Mode, structure
from emu.elf import parse_elf
from emu.findings.verdict import ObjectReport, Outcome, ScenarioResult, overall
from emu.object.coverage import Reached, reached, together
from emu.object.doubts import check_types, doubt
from emu.object.judging import Depth, Judge
from emu.object.machine import Machine
from emu.object.numbers import doubt_of_numbers
from emu.object.selection import Selection
from emu.object.share import All, Share
from emu.profile import Profile
from emu.profile.scenario import Case, Scenario


@dataclass(frozen=True, slots=True)
class ShareReport:
    """What one share found."""

    object_digest: str
    depth: Depth
    results: tuple[tuple[int, ScenarioResult], ...]
    """With the number of the scenario."""
    reached: tuple[Reached, ...]
    calls: int
    seconds: float
    borrowed: frozenset[str]
    doubt: str = ""
    """Why its probe cannot be of this object."""


def emulate_object(
    elf: bytes, profile: Profile, *, depth: Depth = "scenarios", only: str | None = None
) -> ObjectReport:
    """Run every scenario of ``profile`` on an object; ``only`` names one (or one finding's rerun).

    Raises an `EmuError` for an object that cannot be used; whatever the core does is in the report.
    """
    return join(profile, [emulate_share(elf, profile, All(), depth=depth, only=only)])


def emulate_share(
    elf: bytes, profile: Profile, share: Share, *, depth: Depth, only: str | None = None
) -> ShareReport:
    """Run a share of the scenarios; raises as `emulate_object` does."""
    started = time.perf_counter()
    parsed = parse_elf(elf)
    machine = Machine(parsed, profile)
    try:
        check_types(machine.layout, profile)
        selection = Selection.parse(only, profile)
        why = doubt(parsed, profile) if machine.layout.borrowed else ""
        doubts = [why] if why else []
        if why:
            results = tuple(_doubted(profile, share, selection, why))
        else:
            results = tuple(_results(machine, share, depth, selection, doubts))
            if any(result.findings for _, result in results) and not doubts:
                doubts = list(filter(None, [doubt_of_numbers(parsed, profile)]))
        return ShareReport(
            hashlib.sha256(elf).hexdigest(),
            depth,
            results,
            reached(machine.image, machine.layout, machine.blocks),
            machine.calls,
            time.perf_counter() - started,
            frozenset(machine.layout.borrowed),
            next(iter(doubts), ""),
        )
    finally:
        machine.close()


def join(profile: Profile, shares: Sequence[ShareReport]) -> ObjectReport:
    """The report of an object, of every share of the work on it; at least one."""
    numbered = sorted(
        (pair for share in shares for pair in share.results), key=lambda pair: pair[0]
    )  # of the modes of one scenario, which one share has, the order stays
    doubts = [share.doubt for share in shares if share.doubt]
    results = tuple(_trusted(result, doubts) for _, result in numbered)
    outcome = overall(results)
    borrowed = frozenset[str]().union(*(share.borrowed for share in shares))
    return ObjectReport(
        profile=profile.name,
        profile_digest=profile.digest,
        object_digest=shares[0].object_digest,
        depth=shares[0].depth,
        outcome=outcome,
        results=results,
        coverage=together([share.reached for share in shares]),
        calls=sum(share.calls for share in shares),
        seconds=sum(share.seconds for share in shares),
        borrowed=() if outcome is Outcome.ABSENT else tuple(sorted(borrowed)),
    )


def _trusted(result: ScenarioResult, doubts: Sequence[str]) -> ScenarioResult:
    """Where the probe is not of this object, what looks right in a case is no more certain than what looks
    wrong."""
    if not doubts:
        return result
    return replace(
        result, outcome=Outcome.CANNOT_TELL, result=None, l0_calls=(), findings=(), note=doubts[0]
    )


def _results(
    machine: Machine, share: Share, depth: Depth, selection: Selection, doubts: list[str]
) -> Iterator[tuple[int, ScenarioResult]]:
    """What comes of each case of a share, whatever the others are; to ``doubts`` goes why the probe is
    not of this object."""
    scenarios = machine.profile.scenarios
    drawn = _to_draw(scenarios, selection)
    for number in share.numbers(len(scenarios)):
        scenario = scenarios[number]
        done: ScenarioResult | None = None
        for mode in scenario.modes:
            case = Case(scenario, mode)
            if not selection.takes(case):
                continue
            if done is not None and _is_the_same(machine, case):
                yield number, done.in_mode(mode)
                continue
            machine.boundary.mode_read = False
            draw = (number, mode) in drawn and machine.takes_buffer(case)
            judge = Judge(machine, case)
            done = judge.result(depth, selection, draw=draw)
            doubts += [judge.doubt] if judge.doubt else []
            yield number, done


def _doubted(
    profile: Profile, share: Share, selection: Selection, why: str
) -> Iterator[tuple[int, ScenarioResult]]:
    """Nothing can be said of any case."""
    for number in share.numbers(len(profile.scenarios)):
        scenario = profile.scenarios[number]
        for mode in scenario.modes:
            if selection.takes(Case(scenario, mode)):
                said = scenario.name, scenario.entry, scenario.operation, mode
                yield number, ScenarioResult(*said, Outcome.CANNOT_TELL, None, note=why)


def _to_draw(scenarios: Sequence[Scenario], selection: Selection) -> set[tuple[int, Mode]]:
    """(number of the scenario, mode) of the first case of each operation, for which inputs are drawn."""
    first: dict[tuple[str, str, Mode], int] = {}
    for number, scenario in enumerate(scenarios):
        for mode in scenario.modes:
            if selection.takes(Case(scenario, mode)):
                first.setdefault((scenario.entry, scenario.operation, mode), number)
    return {(number, mode) for (_, _, mode), number in first.items()}


def _is_the_same(machine: Machine, case: Case) -> bool:
    """Whether the case that was judged last, of another mode, has shown all that this one could.

    So it is where the core never looked at what makes its domain a 32-bit one, in any of the ways in which
    the case went, and the guest's structure is the same in both modes: every instruction would be.
    """
    same = structure(case.scenario.operation, Mode.NATIVE) is case.struct
    return same and machine.world.knows_compat and not machine.boundary.mode_read
