# SPDX-License-Identifier: GPL-2.0-or-later
"""The end of a run, in a few lines and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from backport.counted import counted
from backport.levels import Record
from backport.planning.items import Item, Taken
from backport.report.page import fold, page_width
from backport.run.doubting import open_doubts
from backport.run.steps import StepState
from backport.run.stop import Laid
from backport.run.worth import Worth, parts_json, worth_words
from backport.verdicts import IDLE, State, StepVerdict, Validator

if TYPE_CHECKING:
    from backport.errors import BackportError
    from backport.run.journal import RunState
    from backport.run.request import Result

_MOST_LISTED = 12


def summary(result: Result, seconds: float) -> str:
    """What was done, skipped and found."""
    state = result.state
    branch = state.target.removeprefix("refs/heads/")
    done = [step for step in state.steps if step.commit]
    lines: list[str] = []
    if any(step.state is StepState.SKIPPED for step in state.steps) and not done:
        lines.append(f"{branch}: {_made(state)}nothing was applied ({seconds:.1f} s)")
    elif not done:
        all_of = "the patch" if len(state.steps) == 1 else f"all {len(state.steps)} patches"
        nothing = f"nothing to do, it has {all_of} already"
        if state.old is None:
            nothing = f"{state.branch.removeprefix('refs/heads/')} has {all_of} already"
        lines.append(f"{branch}: {_made(state)}{nothing} ({seconds:.1f} s)")
    else:
        at = f"{state.onto[:12]} -> {state.end[:12]}"
        lines.append(f"{branch}: {counted(len(done), 'patch')} applied, {at} ({seconds:.1f} s)")
    if state.convention is not Record.NONE and any(_picked(result, step.item) for step in done):
        words = {Record.CHERRY: "cherry picked from", Record.XEN: "master commit:"}
        lines.append(
            f"  origin: {words[state.convention]!r}, as the branch's last commits have it"
            " (--record none leaves it out)"
        )
    if state.signed:
        lines.append(f"  signed: {len(state.signed)}")
    how = Counter(str(step.how) for step in done)
    if how:
        lines.append("  applied: " + ", ".join(f"{n} {name}" for name, n in how.most_common()))
    named = tuple(zip(state.steps, result.subjects, strict=True))
    doubted = [
        f"{_titled(result, step.item, subject)}: {'; '.join(step.doubts)}"
        for step, subject in named
        if step.doubts
    ]
    lines += _listed("doubtful, " + ("and built" if result.verdicts else "as accepted"), doubted)
    for title, wanted in (("already there", StepState.ALREADY), ("skipped", StepState.SKIPPED)):
        steps = [
            f"{_titled(result, step.item, subject)}: {step.how}"
            for step, subject in named
            if step.state is wanted
        ]
        lines += _listed(title, steps)
    lines += _worth(result)
    if result.plan.left_out:
        lines.append(f"  left out by --only: {counted(result.plan.left_out, 'patch')}")
    taken = [
        f"    {step.item.commit[:12]} {subject}"
        for step, subject in named
        if step.commit and isinstance(step.item, Taken)
    ]
    if read := result.tally.read():
        lines.append(f"  {read}")
    if taken:
        lines.append(f"  taken from {state.settings.upstream}: {len(taken)}")
        lines += taken
    lines += _proof(result)
    return "\n".join(lines)


def _worth(result: Result) -> list[str]:
    """What is obsolete, in part and still needed, where not all patches are needed as they are."""
    said = worth_words(step.worth for step in result.state.steps)
    if not said:
        return []
    partly = [
        f"{_titled(result, step.item, subject)}: {'; '.join(map(str, step.parts))}"
        for step, subject in zip(result.state.steps, result.subjects, strict=True)
        if step.worth is Worth.IN_PART
    ]
    return [*_listed("there in part, needed for the rest", partly), f"  {said}"]


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    more = [f"    and {len(lines) - _MOST_LISTED} more (--json names all)"]
    listed = [f"    {line}" for line in lines[:_MOST_LISTED]]
    return [f"  {title}: {len(lines)}", *listed, *(more if len(lines) > _MOST_LISTED else [])]


def _titled(result: Result, item: Item, subject: str) -> str:
    """A patch as its user calls it: by its file, where it stood in one of its own."""
    if isinstance(item, Taken):
        return subject
    patch = result.plan.series.patches[item.position]
    return f"{patch.file} {subject}" if patch.file and patch.file == patch.name else subject


def _proof(result: Result) -> list[str]:
    verdicts = result.verdicts
    if not verdicts:
        return [f"  {result.proven}"] if result.proven else []
    built = [
        v
        for verdict in verdicts
        for v in verdict.verdicts
        if v.validator is Validator.BUILD and v.state is State.PASSED
    ]
    others = [
        v for verdict in verdicts for v in verdict.verdicts if v.validator is not Validator.BUILD
    ]
    parts = [f"{len(built)} built ({sum(v.cached for v in built)} from the cache)"]
    ran = [v for v in others if v.state in (State.PASSED, State.FAILED)]
    if others:
        absent = sum(v.state is State.ABSENT for v in others)
        parts.append(
            f"{counted(len(ran), 'core')} emulated ({sum(v.cached for v in ran)} from the cache"
            + (f"; {counted(absent, 'step')} without a core)" if absent else ")")
        )
    lines = [f"  proven: {', '.join(parts)}"]
    idle = sum(v.summary == IDLE for v in built)
    if idle:
        lines.append(
            f"  the build command changed no file in {counted(idle, 'step')}, so it has built nothing:"
            f" {result.state.settings.build}"
        )
    lines += [
        f"  could not be judged: step {verdict.number} {verdict.subject}\n"
        + fold(verdict.explain(4), page_width())
        for verdict in verdicts
        if verdict.state is State.CANNOT_TELL
    ]
    return lines


def to_json(result: Result, seconds: float) -> dict[str, Any]:
    """The whole run for a program."""
    from backport.report.accounts import accounts_json, tally_json

    state = result.state
    verdicts = {verdict.commit: verdict for verdict in result.verdicts}
    finals = state.finals
    return {
        "branch": state.branch,
        "target": state.target,
        "onto": state.onto,
        "tip": state.end,
        "seconds": round(seconds, 3),
        "proven": result.proven,
        "notes": list(result.plan.notes),
        "left_out": result.plan.left_out,
        "tally": tally_json(result.tally),
        "worth": {worth: sum(step.worth is worth for step in state.steps) for worth in Worth},
        "accounts": accounts_json(result.plan.series.accounts),
        "steps": [
            {
                "number": number,
                "item": str(step.item),
                "subject": subject,
                "file": _file(result, step.item),
                "state": step.state,
                "how": str(step.how),
                "class": step.pick_class,
                "doubts": list(step.doubts),
                "commit": finals[step.commit] if step.commit else None,
                "worth": step.worth,
                "there_already": parts_json(step.parts),
                "notes": list(step.notes),
                "verdicts": verdict_json(verdicts.get(step.commit)) if step.commit else [],
            }
            for number, (step, subject) in enumerate(
                zip(state.steps, result.subjects, strict=True), 1
            )
        ],
    }


def _made(state: RunState) -> str:
    """A new branch is made also where nothing goes onto it: who asked for it goes on with it."""
    return f"made at {state.end[:12]}, " if state.old is None else ""


def _picked(result: Result, item: Item) -> bool:
    """Whether the patch was read from a commit."""
    if isinstance(item, Taken):
        return True
    return result.plan.series.patches[item.position].parent is not None


def _file(result: Result, item: Item) -> str | None:
    """The name of the patch file; None where the patch stood in none."""
    if isinstance(item, Taken):
        return None
    return result.plan.series.patches[item.position].file or None


def stopped_json(error: BackportError, state: RunState | None) -> dict[str, Any]:
    """A run that stopped, for a program: why, and the run where it waits to be continued."""
    return {
        "error": error.message,
        "hint": error.hint,
        "exit_code": int(error.exit_code),
        "resumable": state is not None,
        "worktree": state.worktree if state else None,
        "conflict": conflict_json(state),
        "missing": missing_json(state),
        "doubts": list(open_doubts(state)) if state is not None else [],
    }


def conflict_json(state: RunState | None) -> list[dict[str, Any]] | None:
    """The files that a run stopped on, each with the reason, and the resolution that is laid out."""
    if state is None or state.clash is None:
        return None
    laid = {one.path: one for one in state.clash.laid if one.proposed}
    return [
        {"path": path, "reason": reason} | (_proposal(laid[path]) if path in laid else {})
        for path, reason in state.clash.clashes
    ]


def _proposal(file: Laid) -> dict[str, Any]:
    return {"proposal": {"how": file.proposed, "diff": list(file.diff)}}


def missing_json(state: RunState | None) -> list[dict[str, str]]:
    """What upstream has that the patch waits for which a run stopped on."""
    if state is None or state.clash is None:
        return []
    return [asdict(one) for one in state.clash.missing]


def verdict_json(step: StepVerdict | None) -> list[dict[str, Any]]:
    """The verdicts of a step for a program."""
    if step is None:
        return []
    return [
        {
            "validator": verdict.validator,
            "state": verdict.state.value,
            "summary": verdict.summary,
            "lines": list(verdict.lines),
            "seconds": round(verdict.seconds, 3),
            "cached": verdict.cached,
            "data": verdict.data,
            "how": verdict.how,
        }
        for verdict in step.verdicts
    ]
