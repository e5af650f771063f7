# SPDX-License-Identifier: GPL-2.0-or-later
"""What `check` found, for a person and for a program."""

from __future__ import annotations

from typing import Any

from backport.report.page import fold, page_width
from backport.report.summary import verdict_json
from backport.run.checks import Checked, Staged
from backport.verdicts import State, StepVerdict
from series.model import Oid


def staged_json(staged: Staged) -> dict[str, Any]:
    """What is staged, for a program."""
    return {
        "patches": staged.looked.patches,
        "series": staged.looked.series,
        "complaints": [{"path": c.path, "what": c.what} for c in staged.looked.complaints],
        "verdicts": verdict_json(staged.verdict),
    }


def show_staged(staged: Staged) -> None:
    """What is staged, for a person."""
    looked, verdict = staged.looked, staged.verdict
    for complaint in looked.complaints:
        where = "" if complaint.what.startswith(complaint.path) else f"{complaint.path}: "
        print(f"{where}{complaint.what}")
    if verdict is not None:
        print(f"core: {verdict.state.value}: {', '.join(v.summary for v in verdict.verdicts)}")
        _show_reasons(verdict)
    elif not looked.complaints:
        print(f"checked: {staged.changed} paths, {looked.patches} patches; {staged.why}")


def show_commit(verdict: StepVerdict) -> None:
    """One commit, for a person."""
    said = ", ".join(f"{v.validator}: {v.summary}" for v in verdict.verdicts)
    print(f"{verdict.state.value}: {verdict.commit[:12]} {verdict.subject}: {said}")
    _show_reasons(verdict)


def commit_json(verdict: StepVerdict) -> dict[str, Any]:
    """One commit, for a program."""
    return {"commit": verdict.commit, "verdicts": verdict_json(verdict)}


def range_json(checked: Checked) -> dict[str, Any]:
    """A range, for a program."""
    return {
        "complaints": [
            {"commit": commit, "path": found.path, "what": found.what}
            for commit, found in checked.complaints
        ],
        "commits": [
            {"commit": v.commit, "subject": v.subject, "verdicts": verdict_json(v)}
            for v in checked.verdicts
        ],
    }


def show_range(checked: Checked) -> None:
    """A range, for a person: what is wrong with patches in it, and the counts."""
    for commit, complaint in checked.complaints:
        print(f"{_short(commit)}: {complaint.path}: {complaint.what}")
    failed = sum(v.failed for v in checked.verdicts)
    unclear = sum(v.state is State.CANNOT_TELL for v in checked.verdicts)
    left = checked.total - len(checked.verdicts)
    print(
        f"{len(checked.verdicts)} of {checked.total} commits checked: {failed} fail,"
        f" {unclear} could not be judged" + (f"; {left} not reached" if left else "")
    )


def _show_reasons(verdict: StepVerdict) -> None:
    if text := verdict.explain():
        print(fold(text, page_width()))


def _short(commit: Oid) -> str:
    return commit[:12]
