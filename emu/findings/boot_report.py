# SPDX-License-Identifier: GPL-2.0-or-later
"""What booting an image has to say: frozen, picklable, and the same bytes for the same image.

Only the times may differ between two runs; they take no part in comparison, and `to_json(timing=False)`
leaves them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from emu.abi import Mode, result_name
from emu.findings.verdict import Finding, L0Call, Outcome

FORMAT = 1
"""Of the JSON below; a reader refuses a newer one."""


class Treatment(Enum):
    """What the image does with an operation of its guest."""

    LOCAL = "handled locally"
    FORWARDED = "forwarded to L0"
    DELIVERED = "delivered"
    REFUSED = "refused"
    CRASHED = "crashes"
    UNREACHED = "not reached"
    UNJUDGED = "could not be judged"


@dataclass(frozen=True, slots=True)
class Milestone:
    """A step on the way from the entry to the guest."""

    name: str
    reached: bool
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "reached": self.reached, "detail": self.detail}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Milestone:
        return cls(value["name"], value["reached"], value["detail"])


@dataclass(frozen=True, slots=True)
class BehaviourRow:
    """One scenario or probe, made by the guest with a real hypercall."""

    scenario: str
    operation: str
    mode: Mode
    treatment: Treatment
    result: int | None
    """None where the call did not come back."""
    l0_calls: tuple[L0Call, ...] = ()
    findings: tuple[Finding, ...] = ()
    note: str = ""

    @property
    def title(self) -> str:
        return f"{self.scenario}/{self.mode}"

    @property
    def shown_result(self) -> str:
        if self.treatment in (Treatment.UNREACHED, Treatment.UNJUDGED):
            return "-"
        return "does not return" if self.result is None else result_name(self.result)

    def to_json(self) -> dict[str, Any]:
        return {
            "scenario": self.scenario,
            "operation": self.operation,
            "mode": self.mode,
            "treatment": self.treatment.value,
            "result": self.result,
            "l0_calls": [call.to_json() for call in self.l0_calls],
            "findings": [finding.to_json() for finding in self.findings],
            "note": self.note,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> BehaviourRow:
        return cls(
            value["scenario"],
            value["operation"],
            value["mode"],
            Treatment(value["treatment"]),
            value["result"],
            tuple(L0Call.from_json(call) for call in value["l0_calls"]),
            tuple(Finding.from_json(finding) for finding in value["findings"]),
            value["note"],
        )


@dataclass(frozen=True, slots=True)
class BootReport:
    """Everything about one image under one profile."""

    profile: str
    profile_digest: str
    image_digest: str
    outcome: Outcome
    ladder: tuple[Milestone, ...]
    behaviour: tuple[BehaviourRow, ...]
    console: str
    """What the image wrote to L0's console while it booted a 64-bit guest."""
    boot_findings: tuple[Finding, ...]
    """What went wrong before a guest could ask for anything."""
    calls: int
    """Hypercalls of the guest that were emulated."""
    boot_unjudged: tuple[str, ...] = ()
    """What this emulation lacks to judge the boot, each with its place."""
    boot_seconds: float = field(default=0.0, compare=False)
    seconds: float = field(default=0.0, compare=False)

    @property
    def findings(self) -> tuple[Finding, ...]:
        rows = (finding for row in self.behaviour for finding in row.findings)
        return (*self.boot_findings, *rows)

    @property
    def unjudged(self) -> tuple[tuple[str, str], ...]:
        """(scenario/mode or ``boot``, what is missing) of all that could not be judged."""
        rows = (row for row in self.behaviour if row.treatment is Treatment.UNJUDGED)
        boot = (("boot", what) for what in self.boot_unjudged)
        return (*boot, *((row.title, row.note) for row in rows))

    def milestone(self, name: str) -> Milestone | None:
        return next((m for m in self.ladder if m.name == name), None)

    def to_json(self, *, timing: bool = True) -> dict[str, Any]:
        value: dict[str, Any] = {
            "format": FORMAT,
            "profile": self.profile,
            "profile_digest": self.profile_digest,
            "image_digest": self.image_digest,
            "outcome": self.outcome.value,
            "ladder": [milestone.to_json() for milestone in self.ladder],
            "behaviour": [row.to_json() for row in self.behaviour],
            "console": self.console,
            "boot_findings": [finding.to_json() for finding in self.boot_findings],
            "calls": self.calls,
            "boot_unjudged": list(self.boot_unjudged),
        }
        if timing:
            value["boot_seconds"] = self.boot_seconds
            value["seconds"] = self.seconds
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> BootReport:
        if value.get("format") != FORMAT:
            raise ValueError(f"report format {value.get('format')!r}; this version reads {FORMAT}")
        return cls(
            value["profile"],
            value["profile_digest"],
            value["image_digest"],
            Outcome(value["outcome"]),
            tuple(Milestone.from_json(milestone) for milestone in value["ladder"]),
            tuple(BehaviourRow.from_json(row) for row in value["behaviour"]),
            value["console"],
            tuple(Finding.from_json(finding) for finding in value["boot_findings"]),
            value["calls"],
            tuple(value["boot_unjudged"]),
            value.get("boot_seconds", 0.0),
            value.get("seconds", 0.0),
        )
