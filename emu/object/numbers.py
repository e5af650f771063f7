# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the constants that a probe gives can be this core's.

A macro is in no debug information, so that ``ECS_VIRQ`` is 6 is the probe's word alone.  Where the profile
has another number, the core decides: if more of its calls go well with a number that is not the probe's, it
was not compiled with the probe's.  Of the states of an event channel all numbers are tried: they are few.
A core of which all goes well leaves nothing to ask.
"""

from __future__ import annotations

from collections.abc import Iterator

from emu.elf import Elf
from emu.errors import EmuError
from emu.findings.verdict import Outcome
from emu.object.borrowed import SAME
from emu.object.judging import Judge
from emu.object.machine import Machine
from emu.object.selection import Selection
from emu.profile import Profile, with_constant
from emu.profile.scenario import Case, ChannelState

STATES = frozenset(state.constant for state in ChannelState)
FEW = 8
"""Of the states, more than there are."""


def doubt_of_numbers(elf: Elf, profile: Profile) -> str:
    """Which constant of the probe is another in the core; empty where none is seen to be."""
    if not profile.own:
        return ""
    passed = _passed(elf, profile)
    for name in sorted(profile.own):
        for value in _others(profile, name):
            if _passed(elf, with_constant(profile, name, value)) > passed:
                said = profile.constant(name)
                return (
                    f"the probe has {name} as {said:#x}, and the core goes by {value:#x} ({SAME})"
                )
    return ""


def _others(profile: Profile, name: str) -> Iterator[int]:
    """Numbers that it may have instead, the profile's first."""
    yield profile.own[name]
    for value in range(FEW) if name in STATES else ():
        if value not in (profile.own[name], profile.constant(name)):
            yield value


def _passed(elf: Elf, profile: Profile) -> int:
    """How many cases go well by themselves."""
    try:
        machine = Machine(elf, profile)
    except EmuError:
        return 0
    try:
        cases = (Case(scenario, mode) for scenario in profile.scenarios for mode in scenario.modes)
        results = (Judge(machine, case).result("scenarios", Selection()) for case in cases)
        return sum(result.outcome is Outcome.PASSED for result in results)
    finally:
        machine.close()
