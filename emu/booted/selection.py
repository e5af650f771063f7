# SPDX-License-Identifier: GPL-2.0-or-later
"""Which scenarios of a booted guest are wanted: all, one, or one finding's rerun; and which it can make."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from emu import abi
from emu.booted.stories import STORIES, pv_console, second
from emu.errors import EmuError
from emu.profile import PROBE, Profile
from emu.profile.scenario import FIRST_UNUSED_PAGE, Case, Name, Scenario, Value

_ONLY = re.compile(r"(?P<name>[^/!]+)(?:/(?P<mode>64|compat))?(?:!(?P<number>\d+))?")


@dataclass(frozen=True, slots=True)
class Selection:
    """What ``only`` asks for: ``name``, ``name/mode`` or ``name/mode!3``."""

    name: str = ""
    mode: abi.Mode | None = None
    number: int | None = None

    @classmethod
    def parse(cls, text: str | None, profile: Profile) -> Selection:
        if text is None:
            return cls()
        match = _ONLY.fullmatch(text)
        names = [scenario.name for scenario in (*profile.scenarios, *profile.boot.probes)]
        stories = (*STORIES, second.UP, *second.STORIES, *pv_console.STORIES)
        names += [story.name for story in stories]
        if match is None or match["name"] not in names:
            raise EmuError(
                f"no scenario {text!r}", profile.origin, f"there are: {', '.join(names)}"
            )
        number = match["number"]
        return cls(
            match["name"],
            abi.Mode(match["mode"]) if match["mode"] else None,
            int(number) if number else None,
        )

    def takes(self, name: str, mode: abi.Mode) -> bool:
        return self.name in ("", name) and self.mode in (None, mode)


def cases(profile: Profile, mode: abi.Mode) -> Iterator[Case]:
    """The probes, then the scenarios that are hypercalls, in the order of the profile: those that need an
    earlier call come after it."""
    callable_by_guest: set[str] = set()
    for scenario in (*profile.boot.probes, *profile.scenarios):
        arguments = arguments_of(profile, scenario)
        if mode not in scenario.modes or not arguments or arguments[0] is not Name.OPERATION:
            continue
        if (_laid_from_outside(scenario) and scenario.entry != PROBE) or any(
            not kind.startswith("L0 ") for kind in scenario.fail
        ):
            continue
        if scenario.first_page != FIRST_UNUSED_PAGE:
            continue
        if any(name not in callable_by_guest for name in scenario.before):
            continue
        if abi.numbers(scenario.operation) is not None:
            callable_by_guest.add(scenario.name)
            yield Case(scenario, mode)


def _laid_from_outside(scenario: Scenario) -> bool:
    """Whether its ground is more than earlier calls of the same guest."""
    return replace(scenario, before=()).staged


def arguments_of(profile: Profile, scenario: Scenario) -> tuple[Value, ...]:
    if scenario.arguments is not None:
        return scenario.arguments
    if scenario.entry == PROBE:
        return (Name.OPERATION, Name.BUFFER)
    return profile.entries[scenario.entry].arguments
