# SPDX-License-Identifier: GPL-2.0-or-later
"""Which cases are wanted: all, one scenario, or one finding's rerun."""

from __future__ import annotations

import re
from dataclasses import dataclass

from emu.abi import Mode
from emu.errors import EmuError
from emu.profile import Profile
from emu.profile.scenario import Case

_ONLY = re.compile(
    r"(?P<name>[^/!?]+)(?:/(?P<mode>64|compat))?(?:!(?P<numbers>\d+(?:,\d+)*)|\?(?P<drawn>\d+))?"
)


@dataclass(frozen=True, slots=True)
class Selection:
    """What ``only`` asks for: ``name``, ``name/mode``, ``name/mode!3,5`` or ``name/mode?7``."""

    name: str = ""
    mode: Mode | None = None
    numbers: frozenset[int] | None = None
    """Interactions to fail."""
    drawn: int | None = None
    """Number of a drawn input."""

    @classmethod
    def parse(cls, text: str | None, profile: Profile) -> Selection:
        if text is None:
            return cls()
        match = _ONLY.fullmatch(text)
        names = [scenario.name for scenario in profile.scenarios]
        if match is not None and match["name"] in {probe.name for probe in profile.boot.probes}:
            what = f"{match['name']!r} does not run on an object"
            raise EmuError(what, profile.origin, "only a booted guest asks for it: give the image")
        if match is None or match["name"] not in names:
            raise EmuError(
                f"no scenario {text!r}", profile.origin, f"there are: {', '.join(names)}"
            )
        numbers = match["numbers"]
        return cls(
            match["name"],
            Mode(match["mode"]) if match["mode"] else None,
            frozenset(int(n) for n in numbers.split(",")) if numbers else None,
            int(match["drawn"]) if match["drawn"] else None,
        )

    def takes(self, case: Case) -> bool:
        return (not self.name or case.scenario.name == self.name) and (
            self.mode in (None, case.mode)
        )
