# SPDX-License-Identifier: GPL-2.0-or-later
"""One object's emulation for a person: operation, L0 calls, result; then what is wrong.

What is the same for 64-bit and 32-bit guests is said once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby

from backport.counted import counted
from backport.defects import Defect, defects, summary
from backport.merged_findings import merge_findings
from backport.report.page import fold, page_width
from backport.report.table import show_table
from backport.verdicts import State, Verdict
from emu.findings.verdict import Finding, ObjectReport, Outcome, ScenarioResult

MAX_SUMMARY = 20
"""Defects that the summary names."""
MAX_SHOWN = 4
"""Findings of one defect that are shown."""
MAX_LINES = 6
"""Places of one function that are shown unasked."""
MAX_CASES = 4
"""Cases that are named where the same is said of many."""
_MARK = {
    Outcome.PASSED: "ok",
    Outcome.FAILED: "FAIL",
    Outcome.CANNOT_TELL: "?",
    Outcome.ABSENT: "-",
}


def show_report(
    report: ObjectReport, verdict: Verdict, name: str, *, unreached: bool = False
) -> None:
    """Print the table, the findings with their context, the coverage, and the verdict.

    ``unreached``: every source line that nothing reached, and not only the first ones.
    """
    found = defects([finding for finding in report.findings if not finding.accepted])
    print_summary(found)
    show_table(
        ("", "scenario", "mode", "L0 calls", "result"),
        _rows(report.results),
        title=f"{name} under {report.profile}",
        styles=("bold", "", "dim", "cyan", ""),
    )
    show_defects(found)
    show_accepted(report.findings)
    _show_unjudged(report.results)
    _show_coverage(report, sys.maxsize if unreached else MAX_LINES)
    speed = f", {report.calls / report.seconds:.0f} a second" if report.seconds else ""
    print(f"{verdict.state.value}: {verdict.summary} ({report.calls} calls{speed})")
    if verdict.state is State.ABSENT:
        print("could not be judged: none of the profile's operations is in this object")


def _show_unjudged(results: Sequence[ScenarioResult]) -> None:
    """Why, and which cases: each reason once."""
    reasons: dict[str, list[str]] = {}
    for result in results:
        if result.outcome is Outcome.CANNOT_TELL:
            reasons.setdefault(result.note, []).append(f"{result.scenario}/{result.mode}")
    for note, cases in reasons.items():
        more = f" and {len(cases) - MAX_CASES} more" if len(cases) > MAX_CASES else ""
        which = ", ".join(cases[:MAX_CASES]) + more
        print(fold(f"could not be judged: {which}: {note}", page_width()))


def _rows(results: tuple[ScenarioResult, ...]) -> list[tuple[str, str, str, str, str]]:
    rows = [
        (_MARK[result.outcome], result.scenario, _calls(result), _result(result), result.mode)
        for result in results
    ]
    return [
        (mark, scenario, ", ".join(row[4] for row in group), calls, said)
        for (mark, scenario, calls, said), group in groupby(rows, key=lambda row: row[:4])
    ]


def print_summary(found: Sequence[Defect]) -> None:
    """What is wrong, on one screen, before everything else."""
    width = page_width()
    if found:
        print(summary(found))
    for number, defect in enumerate(found[:MAX_SUMMARY], 1):
        line = f"{number:3}. {defect.line}"
        print(line if len(line) <= width else f"{line[: width - 3]}...")
    if len(found) > MAX_SUMMARY:
        print(f"     and {len(found) - MAX_SUMMARY} more")


def show_defects(found: Sequence[Defect]) -> None:
    """Each with the findings that show it."""
    for number, defect in enumerate(found, 1):
        print(f"{number}. {defect.takes.words}, in {counted(len(defect.scenarios), 'case')}:")
        show_findings(defect.shown[:MAX_SHOWN])
        if len(defect.shown) > MAX_SHOWN:
            print(f"  and {counted(len(defect.shown) - MAX_SHOWN, 'more finding')} of the same")


def show_accepted(findings: Sequence[Finding]) -> None:
    """Those that are known, with the reason why they fail nothing."""
    known = [finding for finding in findings if finding.accepted]
    for finding, _ in merge_findings(known):
        place = f" at {finding.where}" if finding.where else ""
        print(fold(f"accepted: {finding.invariant}{place}: {finding.message}", page_width()))
        print(fold(f"  {finding.accepted}", page_width()))


def show_findings(merged: Sequence[tuple[Finding, list[str]]]) -> None:
    """Each finding: what, where, in which scenarios, after which L0 calls, and how to see it again."""
    width = page_width()
    for finding, scenarios in merged:
        place = f" at {finding.where}" if finding.where else ""
        more = f" and {len(scenarios) - 4} more" if len(scenarios) > 4 else ""
        print(fold(f"{finding.invariant}{place}: {finding.message}", width))
        print(fold(f"  in {', '.join(scenarios[:4])}{more}", width))
        if finding.l0_before:
            before = "; ".join(str(call) for call in finding.l0_before)
            print(fold(f"  after {before}", width))
        if finding.rerun:
            print(f"  again: --only '{finding.rerun}'")


def _show_coverage(report: ObjectReport, most: int) -> None:
    covered = [part for part in report.coverage if part.total]
    if covered:
        print("blocks reached:")
    for part in covered:
        percent = 100 * part.covered / part.total
        lines = sorted(part.missed, key=_by_line)
        left = len(lines) - most
        more = f" and {left} more" if left > 0 else ""
        rest = f"; not {_ranged(lines[:most])}{more}" if lines else ""
        print(f"  {part.function}: {part.covered}/{part.total} ({percent:.0f}%){rest}")
    never = [part.function for part in report.coverage if not part.total]
    if covered and never:
        more = f" and {len(never) - most} more" if len(never) > most else ""
        print(f"  never ran: {', '.join(never[:most])}{more}")


def _by_line(place: str) -> tuple[str, int]:
    file, _, line = place.rpartition(":")
    return file, int(line) if line.isdigit() else 0


def _ranged(places: list[str]) -> str:
    """``shim.c:7,9 event.h:112`` of sorted places."""
    files = groupby(places, key=lambda place: place.rpartition(":")[0])
    return " ".join(
        f"{file}:{','.join(place.rpartition(':')[2] for place in found)}" for file, found in files
    )


def _result(result: ScenarioResult) -> str:
    from emu.abi import result_name

    if result.outcome is Outcome.ABSENT:
        return result.note or "absent"
    if result.result is None:
        return "does not return"
    return str(result_name(result.result))


def _calls(result: ScenarioResult) -> str:
    from emu.abi import result_name

    said = []
    for (name, code), group in groupby(
        (call.op or call.hypercall, call.result) for call in result.l0_calls
    ):
        count = len(list(group))
        times = f" x{count}" if count > 1 else ""
        said.append(f"{name}{times}" + (f"={result_name(code)}" if code else ""))
    return "  ".join(said) or "-"
