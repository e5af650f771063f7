# SPDX-License-Identifier: GPL-2.0-or-later
"""What `check` found, for a person and for a program."""

from __future__ import annotations

from typing import Any

from backport.counted import counted
from backport.report.page import alarm, fold, page_width, say
from backport.report.progress import verdict_words
from backport.report.summary import verdict_json
from backport.report.unconcerned import staged_line
from backport.run.checks import Checked, Staged
from backport.run.message_check import MessageCheck
from backport.verdicts import IDLE, State, StepVerdict, Validator
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
        say(alarm(f"{where}{complaint.what}"))
    if verdict is not None:
        said = ", ".join(v.summary for v in verdict.verdicts)
        say(_alarmed(verdict, f"{_judged(verdict)} {verdict.state.value}: {said}"))
        _show_reasons(verdict)
    elif not looked.complaints:
        say(staged_line(staged.changed, looked.patches, staged.why))


def show_commit(verdict: StepVerdict) -> None:
    """One commit, for a person."""
    said = ", ".join(map(verdict_words, verdict.verdicts))
    say(
        _alarmed(verdict, f"{verdict.state.value}: {verdict.commit[:12]} {verdict.subject}: {said}")
    )
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
        say(alarm(f"{_short(commit)}: {complaint.path}: {complaint.what}"))
    if checked.total and not checked.verdicts:
        say(f"{counted(checked.total, 'commit')}: {checked.proven}")
        return
    failed = sum(v.failed for v in checked.verdicts)
    unclear = sum(v.state is State.CANNOT_TELL for v in checked.verdicts)
    left = checked.total - len(checked.verdicts)
    said = (
        f"{len(checked.verdicts)} of {counted(checked.total, 'commit')} checked: {failed} failed,"
        f" {unclear} could not be judged" + (f"; {left} not reached" if left else "")
    )
    say(alarm(said) if failed else said)
    if any(one.summary == IDLE for verdict in checked.verdicts for one in verdict.verdicts):
        say("  the build command changed no file, so it has built nothing")
    elif checked.proven:
        say(f"  {checked.proven}")


def show_unknown_start(branch: str) -> None:
    """A branch of whose history nothing shows what is new."""
    say(
        f"{branch}: nothing was checked: no remote's branch and no backport.upstream shows which commits"
        " are new; `backport check --range A..B` checks those that you name"
    )


def show_message(done: MessageCheck) -> None:
    """A commit message, for a person: nothing where it names no commit."""
    for line in done.wrong:
        say(alarm(line))
    if done.named and not done.upstream:
        say(
            "not looked for on upstream: neither backport.upstream nor the branch's upstream is set"
        )


def _show_reasons(verdict: StepVerdict) -> None:
    if text := verdict.explain():
        say(fold(text, page_width()))


def _judged(verdict: StepVerdict) -> str:
    """What was looked at: a tree that does not build says nothing about its core."""
    last = verdict.verdicts[-1].validator
    return "build" if last is Validator.BUILD else "core"


def _alarmed(verdict: StepVerdict, text: str) -> str:
    return alarm(text) if verdict.failed else text


def _short(commit: Oid) -> str:
    return commit[:12]
