# SPDX-License-Identifier: GPL-2.0-or-later
"""What each step of a range changed for the guest, in the words of the hypercall ABI.

Steps that do not build or boot are marked; the next one that does is compared with the last that did,
and says so.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from backport.verdicts import State, StepVerdict, Validator
from emu.booted.emulate import BootReport
from emu.findings.ladder import Change, compare
from series.model import Oid

_STYLE = re.compile(
    r"\b(coding style|style|cosmetic|white ?space|indent(ation)?|typos?|spelling|comments?|tidy|clean ?up"
    r"|rename|no functional change|NFC)\b",
    re.I,
)


class Seen(Struct, frozen=True):
    """One step: its report, and what is different from the step ``since``."""

    number: int
    commit: Oid
    subject: str
    state: str
    """``booted``, ``does not build``, or why there is no report."""
    report: BootReport | None
    error: str = ""
    """The compiler's first word where the step does not build."""
    changes: tuple[Change, ...] = ()
    since: int | None = None
    warning: str = ""

    def to_json(self) -> dict[str, Any]:
        """For a program."""
        return {
            "number": self.number,
            "commit": self.commit,
            "subject": self.subject,
            "state": self.state,
            "error": self.error,
            "since": self.since,
            "warning": self.warning,
            "changes": [change.to_json() for change in self.changes],
            "ladder": [m.to_json() for m in self.report.ladder] if self.report else None,
        }


def follow(
    verdicts: Sequence[StepVerdict], reference: StepVerdict | None = None
) -> tuple[Seen, ...]:
    """Compare each step with the last before it that booted; the last with ``reference`` where given."""
    seen: list[Seen] = []
    last: Seen | None = None
    for verdict in verdicts:
        step = _look(verdict, last)
        seen.append(step)
        last = step if step.report is not None else last
    if reference is not None and last is not None:
        seen.append(replace(_look(reference, last), warning=""))
    return tuple(seen)


def _look(verdict: StepVerdict, last: Seen | None) -> Seen:
    report = report_of(verdict)
    bare = Seen(verdict.number, verdict.commit, verdict.subject, "booted", report)
    if report is None:
        why = next(
            (v.summary for v in reversed(verdict.verdicts) if v.state is not State.PASSED), ""
        )
        build = verdict.verdicts[0]
        if build.state is State.FAILED:
            error = build.lines[0] if build.lines else build.summary
            return replace(bare, state="does not build", error=error)
        return replace(bare, state=why or verdict.state.value)
    if last is None or last.report is None:
        nothing = dataclasses.replace(report, ladder=(), behaviour=(), boot_findings=())
        changes = compare(nothing, report) if verdict.number else ()
        return replace(bare, changes=changes)
    changes = compare(last.report, report)
    warning = ""
    # Over a gap of steps that do not boot, nobody knows whose change it is.
    alone = last.number == verdict.number - 1
    if changes and alone and _STYLE.search(verdict.subject):
        warning = "its message mentions style only, but its behaviour changed"
    return replace(bare, changes=changes, since=last.number, warning=warning)


def report_of(verdict: StepVerdict) -> BootReport | None:
    """The boot report of a step, if it has one."""
    for one in verdict.verdicts:
        if one.validator is Validator.BOOT and one.data:
            return BootReport.from_json(one.data)
    return None
