# SPDX-License-Identifier: GPL-2.0-or-later
"""One booted image for a person: the ladder, what it does with each operation, what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from backport.counted import counted
from backport.defects import defects
from backport.report.emulated import print_summary, show_accepted, show_defects
from backport.report.page import fold, page_width
from backport.report.table import show_table
from backport.verdicts import Verdict
from emu.findings.boot_report import BehaviourRow, BootReport, Treatment

OTHER_MACHINES = "boot"
"""Operation of the rows of ``--deep``."""


def show_boot(report: BootReport, verdict: Verdict, name: str) -> None:
    """Print ladder, table and findings."""
    print(f"{name} under {report.profile}, booted")
    for milestone in report.ladder:
        mark = "reached" if milestone.reached else "-"
        print(
            f"  {mark:8} {milestone.name}" + (f" ({milestone.detail})" if milestone.detail else "")
        )
    found = defects([finding for finding in report.findings if not finding.accepted])
    print_summary(found)
    if report.behaviour:
        show_table(
            ("scenario", "mode", "treatment", "L0 calls", "result"),
            _rows(report.behaviour),
            styles=("", "dim", "", "cyan", ""),
        )
    show_defects(found)
    show_accepted(report.findings)
    for title, missing in report.unjudged:
        print(fold(f"could not be judged: {title}: {missing}", page_width()))
    _show_other_machines([row for row in report.behaviour if row.operation == OTHER_MACHINES])
    speed = ""
    if report.calls:
        speed = f"; booted in {report.boot_seconds:.1f} s, {report.seconds:.1f} s"
    print(f"{verdict.state.value}: {verdict.summary}{speed}")


def _show_other_machines(rows: Sequence[BehaviourRow]) -> None:
    """How many boots there were, and which were left out, with the reason."""
    if not rows:
        return
    left = [row for row in rows if row.treatment is Treatment.UNREACHED]
    print(f"deep: {len(rows) - len(left)} of {counted(len(rows), 'boot')} on other machines")
    for note, same in groupby(left, key=lambda row: row.note):
        names = ", ".join(row.scenario.removeprefix("boot: ") for row in same)
        print(fold(f"  {note}: {names}", page_width()))


def _rows(behaviour: tuple[BehaviourRow, ...]) -> list[tuple[str, str, str, str, str]]:
    rows = [
        (row.scenario, row.treatment.value, _calls(row), row.shown_result, row.mode)
        for row in behaviour
    ]
    place = {row[0]: at for at, row in reversed(list(enumerate(rows)))}
    rows.sort(key=lambda row: place[row[0]])
    return [
        (scenario, ", ".join(row[4] for row in group), treatment, calls, said)
        for (scenario, treatment, calls, said), group in groupby(rows, key=lambda row: row[:4])
    ]


def _calls(row: BehaviourRow) -> str:
    names = [call.op or call.hypercall for call in row.l0_calls]
    counted = ((name, len(list(group))) for name, group in groupby(names))
    return "  ".join(f"{name} x{n}" if n > 1 else name for name, n in counted) or "-"
