# SPDX-License-Identifier: GPL-2.0-or-later
"""What a step changed, in the words of the hypercall ABI: two boot reports in, the differences out.

The order is that of the ladder and then of the operations, so that the answer reads from the bottom up.
Calls to L0 are compared by operation and result and not by every argument: addresses of the caller's
stack move with any change of its code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from typing import Any

from emu.abi import result_name
from emu.findings.boot_report import BehaviourRow, BootReport, Milestone, Treatment
from emu.findings.verdict import Finding, L0Call


class Kind(Enum):
    """What sort of change."""

    MILESTONE_GAINED = "milestone gained"
    MILESTONE_LOST = "milestone lost"
    TREATMENT = "treated otherwise"
    RESULT = "another result"
    CALLS = "other calls to L0"
    NEW = "new in the table"
    GONE = "gone from the table"
    FOUND = "finding"
    CURED = "finding gone"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two steps."""

    kind: Kind
    subject: str
    """A milestone, or ``scenario/mode`` of an operation."""
    old: str
    new: str
    operation: str = ""

    @property
    def worse(self) -> bool:
        """Whether a step that was to go forward went back here."""
        if self.kind in (Kind.MILESTONE_LOST, Kind.FOUND, Kind.GONE):
            return True
        return self.kind is Kind.TREATMENT and self.new.startswith(
            (Treatment.CRASHED.value, Treatment.UNREACHED.value)
        )

    def explain(self) -> str:
        """One line."""
        what = f"{self.operation} ({self.subject})" if self.operation else self.subject
        match self.kind:
            case Kind.MILESTONE_GAINED:
                return f"{self.subject}" + (f": {self.new}" if self.new else "")
            case Kind.MILESTONE_LOST:
                return f"no longer: {self.subject}" + (f"; {self.new}" if self.new else "")
            case Kind.TREATMENT:
                return f"{what}: was {self.old}, now {self.new}"
            case Kind.RESULT:
                return f"{what}: result {self.old} became {self.new}"
            case Kind.CALLS:
                return f"{what}: asked L0 for {self.old}, now for {self.new}"
            case Kind.NEW:
                return f"{what}: {self.new}"
            case Kind.GONE:
                return f"{what}: no longer tried; it was {self.old}"
            case Kind.FOUND:
                return f"{what}: {self.new}"
        return f"{what}: no longer found: {self.old}"

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind.value,
            "subject": self.subject,
            "old": self.old,
            "new": self.new,
            "operation": self.operation,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Change:
        return cls(
            Kind(value["kind"]), value["subject"], value["old"], value["new"], value["operation"]
        )


def compare(old: BootReport, new: BootReport) -> tuple[Change, ...]:
    """What is different in ``new``; empty for a step that changed nothing that can be seen."""
    return (*_milestones(old, new), *_rows(old, new), *_findings(old, new))


def _milestones(old: BootReport, new: BootReport) -> Iterator[Change]:
    before = {milestone.name: milestone for milestone in old.ladder}
    for milestone in new.ladder:
        was = before.get(milestone.name, Milestone(milestone.name, False))
        if milestone.reached != was.reached:
            kind = Kind.MILESTONE_GAINED if milestone.reached else Kind.MILESTONE_LOST
            yield Change(kind, milestone.name, was.detail, milestone.detail)


def _rows(old: BootReport, new: BootReport) -> Iterator[Change]:
    before = {row.title: row for row in old.behaviour}
    after = {row.title: row for row in new.behaviour}
    for title, row in after.items():
        was = before.get(title)
        if was is None:
            yield Change(Kind.NEW, title, "", _told(row), row.operation)
        else:
            yield from _row(was, row)
    for title, row in before.items():
        if title not in after:
            yield Change(Kind.GONE, title, _told(row), "", row.operation)


def _row(old: BehaviourRow, new: BehaviourRow) -> Iterator[Change]:
    if old.treatment is not new.treatment:
        yield Change(Kind.TREATMENT, new.title, _told(old), _told(new), new.operation)
    elif old.result != new.result:
        was, now = _result(old), _result(new)
        yield Change(Kind.RESULT, new.title, was, now, new.operation)
    elif _calls(old.l0_calls) != _calls(new.l0_calls):
        was, now = _calls(old.l0_calls), _calls(new.l0_calls)
        yield Change(Kind.CALLS, new.title, was, now, new.operation)


def _told(row: BehaviourRow) -> str:
    if row.treatment is Treatment.UNREACHED:
        return f"{row.treatment.value} ({row.note})" if row.note else row.treatment.value
    return f"{row.treatment.value} ({_result(row)})"


def _result(row: BehaviourRow) -> str:
    return row.shown_result


def _calls(calls: tuple[L0Call, ...]) -> str:
    told = (c.op if c.result >= 0 else f"{c.op} ({result_name(c.result)})" for c in calls)
    runs = ((what, sum(1 for _ in same)) for what, same in groupby(told))
    return (
        ", ".join(what if count == 1 else f"{what} x{count}" for what, count in runs) or "nothing"
    )


def _findings(old: BootReport, new: BootReport) -> Iterator[Change]:
    before, after = _by_key(old), _by_key(new)
    for key, finding in after.items():
        if key not in before:
            yield Change(Kind.FOUND, finding.scenario, "", _spelled(finding))
    for key, finding in before.items():
        if key not in after:
            yield Change(Kind.CURED, finding.scenario, _spelled(finding), "")


def _by_key(report: BootReport) -> dict[tuple[str, str, str], Finding]:
    """Without the place, which moves with any change of the code."""
    return {(f.invariant, f.scenario, f.message): f for f in report.findings}


def _spelled(finding: Finding) -> str:
    return f"{finding.invariant}: {finding.message}"


__all__ = ["Change", "Kind", "compare"]
