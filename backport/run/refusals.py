# SPDX-License-Identifier: GPL-2.0-or-later
"""Why a run does not go on, or does not move the branch, as the errors that a person reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from backport.accepted import is_accepted
from backport.counted import counted
from backport.errors import CannotTest, Conflict, RunInProgress, StepFailed
from backport.gateway import refs
from backport.gateway.repository import Repo
from backport.levels import Phase, Prerequisites
from backport.run import proposing
from backport.run.doubting import ACCEPT, open_doubts, unsettled
from backport.run.journal import SEVERAL, UNDO, Journal, RunState
from backport.run.stop import help_lines
from backport.verdicts import State, StepVerdict, Validator
from series.model import Patch, shown

REJECTED_REF = "refs/backport/rejected"
NO_UPSTREAM = "no upstream is known to take from (--upstream REF, or git config backport.upstream)"

TAKE_OR_ABORT = (
    f"`backport continue --accept {ACCEPT}` takes the run as it is; or `backport abort`, and apply again"
    " without what is named"
)


def refuse_second(journal: Journal) -> None:
    """Raise `RunInProgress` when a run waits to be continued."""
    if (journal.dir / SEVERAL).exists():
        raise RunInProgress(
            "runs onto several branches are not over",
            "`backport status` shows them; `backport continue` or `backport abort` first",
        )
    refuse_undo(journal)
    state = journal.read()
    if state is None:
        return
    branch = state.branch.removeprefix("refs/heads/")
    done = (
        f"{len(state.steps)} of {counted(len(state.items), 'patch')}"
        if state.items
        else "just begun"
    )
    stop = state.clash if state.phase is Phase.STOPPED else None
    if stop is not None:
        how = f"stopped on {stop.what}"
    elif open_doubts(state):
        how = "stopped on what a later decision made doubtful"
    else:
        how = "was interrupted"
    raise RunInProgress(
        f"a run onto {branch} {how} ({done})", "`backport continue` or `backport abort` first"
    )


def refuse_undo(journal: Journal) -> None:
    """Raise `RunInProgress` where an undo was cut."""
    state = journal.read()
    if (journal.dir / UNDO).exists() or (state is not None and not state.sources):
        raise RunInProgress(
            "an undo was interrupted", "`backport undo` finishes it, `backport abort` takes it back"
        )


def conflict_error(state: RunState, patch: Patch, folder: Path, later: Iterable[Patch]) -> Conflict:
    """What a person reads when a run stops; ``later`` are the patches that were to follow."""
    assert state.clash is not None
    branch = state.branch.removeprefix("refs/heads/")
    reasons = "".join(f"\n{line}" for line in help_lines(state.clash, branch))
    if state.settings.prerequisites is Prerequisites.TAKE and state.settings.upstream is None:
        reasons += f"\n  --prerequisites take: {NO_UPSTREAM}"
    subject = shown(patch.subject)
    if state.clash.doubts:
        return Conflict(
            f"patch {len(state.steps) + 1} of {len(state.items)}, {patch.name} {subject!r}, goes on, but"
            f" may be wrong for {branch}, and nothing is built to tell:{reasons}",
            f"`backport continue --accept {ACCEPT}` takes it as it is; or correct it in {folder} and"
            " `git add` there, then `backport continue`; or `backport skip`, or `backport abort`",
        )
    return Conflict(
        f"patch {len(state.steps) + 1} of {len(state.items)}, {patch.name} {subject!r}, does not"
        f" apply:{reasons}",
        f"resolve it in {folder} and `git add` there, then `backport continue`;"
        f" or `backport skip`, or `backport abort`{state.clash.other_way_on}{_other_order(state, later)}",
    )


def unsettled_error(state: RunState, subjects: Sequence[str]) -> Conflict:
    """What a person reads where steps are doubtful since he left out or resolved a later one; ``subjects``:
    of all patches of the run."""
    branch = state.branch.removeprefix("refs/heads/")
    numbers = unsettled(state)
    lines = "".join(
        f"\n  {number + 1}/{len(state.items)} {subjects[number]}: {'; '.join(state.steps[number].doubts)}"
        for number in numbers
    )
    return Conflict(
        f"since a later patch was left out or resolved by hand, {counted(len(numbers), 'step')} may be wrong"
        f" for {branch}, and nothing is built to tell:{lines}",
        TAKE_OR_ABORT,
    )


def _other_order(state: RunState, later: Iterable[Patch]) -> str:
    """A word on the order, where a series file fixes it and what is missing may come later in it."""
    assert state.clash is not None
    clashing = {path for path, _ in state.clash.clashes}
    touched = {shown(change.path) for patch in later for change in patch.changes}
    if not clashing & touched or not any(source.kind == "quilt" for source in state.sources):
        return ""
    return (
        ".\n  The order is the series file's; where it is wrong, a copy of the folder without"
        " that file is put in order"
    )


def refuse_failed(repo: Repo, state: RunState, verdicts: Sequence[StepVerdict]) -> None:
    failed = [verdict for verdict in verdicts if verdict.failed]
    if not failed:
        _refuse_unproven(state, verdicts)
        proposing.refuse_unproven(state, verdicts)
        return
    refs.keep(repo, REJECTED_REF, state.tip)
    first = failed[0]
    more = f", and {counted(len(failed) - 1, 'step')} behind it" if len(failed) > 1 else ""
    raise StepFailed(
        f"{_named(state, first)} {_what_failed(first)}{more};"
        f" {_left_alone(state)}:\n{first.explain()}",
        f"the commits are kept at {REJECTED_REF}; `backport bisect` finds what repairs it",
    )


def _refuse_unproven(state: RunState, verdicts: Sequence[StepVerdict]) -> None:
    """A step that could not be judged is not proven: the branch moves only when the user accepts that."""
    unproven = [
        (step, verdict)
        for step in verdicts
        for verdict in step.verdicts
        if verdict.state is State.CANNOT_TELL
        and not is_accepted(f"unproven:{verdict.validator}", state.settings.accept)
    ]
    if not unproven:
        return
    step, verdict = unproven[0]
    more = f", and {len(unproven) - 1} more" if len(unproven) > 1 else ""
    act = "moves the branch" if state.old else "creates the branch"
    raise CannotTest(
        f"{_named(state, step)} could not be judged{more}; {_left_alone(state)}:\n{step.explain()}",
        f"--accept 'unproven:{verdict.validator}' {act} anyway",
    )


def _what_failed(step: StepVerdict) -> str:
    """A tree that does not build is called that: nothing else of it was validated."""
    build = any(v.failed and v.validator is Validator.BUILD for v in step.verdicts)
    return "does not build" if build else "failed its validation"


def _named(state: RunState, step: StepVerdict) -> str:
    """A step by its number, its commit and its subject: the commit is what `git show` takes."""
    return f"step {step.number} of {len(state.items)}, {step.commit[:12]} {step.subject!r},"


def _left_alone(state: RunState) -> str:
    """What has become of the target of a run that does not end well."""
    branch = state.target.removeprefix("refs/heads/")
    return f"{branch} was not {'moved' if state.old else 'created'}"
