# SPDX-License-Identifier: GPL-2.0-or-later
"""What the emulation has to say: frozen, picklable, and the same bytes for the same object.

The only field that may differ between two runs is `ObjectReport.seconds`; it takes no part in
comparison, and `ObjectReport.to_json(timing=False)` leaves it out for content-addressed caches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from emu.abi import Mode

FORMAT = 1
"""Of the JSON below; a reader refuses a newer one."""


class Outcome(Enum):
    """PASSED; FAILED with findings; CANNOT_TELL what an unmodelled callee would have done; ABSENT: the
    object has no such entry point, or refuses the operation as one that it does not (yet) have."""

    PASSED = "passed"
    FAILED = "failed"
    CANNOT_TELL = "could not be judged"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class L0Call:
    """One hypercall into L0: what was asked, by field, and what came back."""

    hypercall: str
    op: str
    arguments: tuple[tuple[str, int], ...]
    result: int

    def __str__(self) -> str:
        from emu.abi import result_name

        fields = ", ".join(
            f"{name}={value:#x}" if value > 9 else f"{name}={value}"
            for name, value in self.arguments
        )
        return f"{self.op}({fields}) = {result_name(self.result)}"

    def to_json(self) -> dict[str, Any]:
        return {
            "hypercall": self.hypercall,
            "op": self.op,
            "arguments": [[name, value] for name, value in self.arguments],
            "result": self.result,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> L0Call:
        arguments = tuple((str(name), int(number)) for name, number in value["arguments"])
        return cls(value["hypercall"], value["op"], arguments, value["result"])


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: what, where, after which L0 calls, and how to see it again."""

    invariant: str
    message: str
    where: str
    scenario: str
    l0_before: tuple[L0Call, ...] = ()
    rerun: str = ""
    """What to give as ``only`` to see this one case again: a scenario, or ``scenario!k,l=errno``."""
    failures: tuple[str, ...] = ()
    """What was made to fail, by kind."""
    drawn: bool = False
    """It took an input that nobody thought of."""
    accepted: str = ""
    """Why it is no reason to fail, where somebody has written that down."""
    goes_on_from: tuple[str, ...] = ()
    """The scenarios that its own begins with."""

    def to_json(self) -> dict[str, Any]:
        return {
            "invariant": self.invariant,
            "message": self.message,
            "where": self.where,
            "scenario": self.scenario,
            "l0_before": [call.to_json() for call in self.l0_before],
            "rerun": self.rerun,
            "failures": list(self.failures),
            "drawn": self.drawn,
            "accepted": self.accepted,
            "goes_on_from": list(self.goes_on_from),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Finding:
        return cls(
            value["invariant"],
            value["message"],
            value["where"],
            value["scenario"],
            tuple(L0Call.from_json(call) for call in value["l0_before"]),
            value["rerun"],
            tuple(value["failures"]),
            value["drawn"],
            value["accepted"],
            tuple(value["goes_on_from"]),
        )


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """One scenario in one mode."""

    scenario: str
    entry: str
    operation: str
    mode: Mode
    outcome: Outcome
    result: int | None
    """What the core returned; None when it did not return."""
    l0_calls: tuple[L0Call, ...] = ()
    findings: tuple[Finding, ...] = ()
    note: str = ""
    """Why it is absent or cannot be told."""

    def in_mode(self, mode: Mode) -> ScenarioResult:
        """The same in another mode."""
        old, new = f"{self.scenario}/{self.mode}", f"{self.scenario}/{mode}"
        findings = tuple(
            replace(finding, scenario=new, rerun=finding.rerun.replace(old, new, 1))
            for finding in self.findings
        )
        return replace(self, mode=mode, findings=findings)

    def to_json(self) -> dict[str, Any]:
        return {
            "scenario": self.scenario,
            "entry": self.entry,
            "operation": self.operation,
            "mode": self.mode,
            "outcome": self.outcome.value,
            "result": self.result,
            "l0_calls": [call.to_json() for call in self.l0_calls],
            "findings": [finding.to_json() for finding in self.findings],
            "note": self.note,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ScenarioResult:
        return cls(
            value["scenario"],
            value["entry"],
            value["operation"],
            value["mode"],
            Outcome(value["outcome"]),
            value["result"],
            tuple(L0Call.from_json(call) for call in value["l0_calls"]),
            tuple(Finding.from_json(finding) for finding in value["findings"]),
            value["note"],
        )


@dataclass(frozen=True, slots=True)
class FunctionCoverage:
    """Basic blocks of one function that ran, of how many, and the source lines that nothing reached.

    All zero for a function of which nothing ran.
    """

    function: str
    covered: int
    total: int
    missed: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "function": self.function,
            "covered": self.covered,
            "total": self.total,
            "missed": list(self.missed),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> FunctionCoverage:
        return cls(value["function"], value["covered"], value["total"], tuple(value["missed"]))


@dataclass(frozen=True, slots=True)
class ObjectReport:
    """Everything about one object under one profile."""

    profile: str
    profile_digest: str
    object_digest: str
    depth: str
    outcome: Outcome
    results: tuple[ScenarioResult, ...]
    coverage: tuple[FunctionCoverage, ...]
    calls: int
    """How many calls into the object were emulated."""
    seconds: float = field(default=0.0, compare=False)
    borrowed: tuple[str, ...] = ()
    """Types that its own debug information lacks, as the probe describes them; empty where nothing could
    be called."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for result in self.results for finding in result.findings)

    def to_json(self, *, timing: bool = True) -> dict[str, Any]:
        value: dict[str, Any] = {
            "format": FORMAT,
            "profile": self.profile,
            "profile_digest": self.profile_digest,
            "object_digest": self.object_digest,
            "depth": self.depth,
            "outcome": self.outcome.value,
            "results": [result.to_json() for result in self.results],
            "coverage": [coverage.to_json() for coverage in self.coverage],
            "calls": self.calls,
            "borrowed": list(self.borrowed),
        }
        if timing:
            value["seconds"] = self.seconds
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ObjectReport:
        if value.get("format") != FORMAT:
            raise ValueError(f"report format {value.get('format')!r}; this version reads {FORMAT}")
        return cls(
            value["profile"],
            value["profile_digest"],
            value["object_digest"],
            value["depth"],
            Outcome(value["outcome"]),
            tuple(ScenarioResult.from_json(result) for result in value["results"]),
            tuple(FunctionCoverage.from_json(coverage) for coverage in value["coverage"]),
            value["calls"],
            value.get("seconds", 0.0),
            tuple(value["borrowed"]),
        )


def overall(results: tuple[ScenarioResult, ...]) -> Outcome:
    """The outcome of the whole: a failure outweighs a doubt, a doubt outweighs a pass."""
    outcomes = {result.outcome for result in results}
    for outcome in (Outcome.FAILED, Outcome.CANNOT_TELL, Outcome.PASSED):
        if outcome in outcomes:
            return outcome
    return Outcome.ABSENT
