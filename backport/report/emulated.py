# SPDX-License-Identifier: GPL-2.0-or-later
"""One object's emulation for a person: operation, L0 calls, result; then what is wrong."""

from __future__ import annotations

from backport.report.table import show_table
from backport.verdicts import State, Verdict
from emu.verdict import ObjectReport, Outcome, ScenarioResult

_MARK = {
    Outcome.PASSED: "ok",
    Outcome.FAILED: "FAIL",
    Outcome.CANNOT_TELL: "?",
    Outcome.ABSENT: "-",
}


def show_report(report: ObjectReport, verdict: Verdict, name: str) -> None:
    """Print the table, the findings with their context, the coverage, and the verdict."""
    rows = [
        (
            _MARK[result.outcome],
            result.scenario,
            result.mode,
            "  ".join(_call(call.hypercall, call.op, call.result) for call in result.l0_calls)
            or "-",
            _result(result),
        )
        for result in report.results
    ]
    show_table(
        ("", "scenario", "mode", "L0 calls", "result"),
        rows,
        title=f"{name} under {report.profile}",
        styles=("bold", "", "dim", "cyan", ""),
    )
    for result in report.results:
        for finding in result.findings:
            place = f" at {finding.where}" if finding.where else ""
            print(f"{finding.invariant}: {finding.scenario}{place}\n  {finding.message}")
            if finding.l0_before:
                print("  after " + "; ".join(str(call) for call in finding.l0_before))
            if finding.rerun:
                print(f"  again: --only '{finding.rerun}'")
        if result.outcome is Outcome.CANNOT_TELL:
            print(f"cannot tell: {result.scenario}: {result.note}")
    covered = [part for part in report.coverage if part.total]
    if covered:
        print("blocks reached:")
        for part in covered:
            percent = 100 * part.covered / part.total
            print(f"  {part.function}: {part.covered}/{part.total} ({percent:.0f}%)")
            if part.missed:
                print(
                    f"    not reached: {', '.join(part.missed[:8])}"
                    + (f" and {len(part.missed) - 8} more" if len(part.missed) > 8 else "")
                )
    speed = f", {report.calls / report.seconds:.0f} a second" if report.seconds else ""
    print(f"{verdict.state.value}: {verdict.summary} ({report.calls} calls{speed})")
    if verdict.state is State.ABSENT:
        print("none of the profile's entry points is in this object: cannot tell")


def _result(result: ScenarioResult) -> str:
    from emu.abi import result_name

    if result.outcome is Outcome.ABSENT:
        return result.note or "absent"
    if result.result is None:
        return "does not return"
    return str(result_name(result.result))


def _call(hypercall: str, op: str, result: int) -> str:
    from emu.abi import result_name

    shown = "" if result == 0 else f"={result_name(result)}"
    return f"{op or hypercall}{shown}"
