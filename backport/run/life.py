# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of one run: plan, apply, validate, move; and its continuation from wherever it was cut.

Each phase is a function from the journal's state to the next one.  All the thinking is done in
objects; the user's branch moves once, at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from backport.accepted import is_accepted
from backport.config import Settings, with_options
from backport.errors import (
    BackportError,
    CannotTest,
    Conflict,
    DirtyWorktree,
    GitFailed,
    RunInProgress,
    StepFailed,
    UsageError,
)
from backport.gateway.repository import Repo
from backport.history.siblings import find_siblings
from backport.planning.plan import Plan, combine, make_plan, refuse_gaps
from backport.planning.sources import Source
from backport.run.assembly import assemble, commit_tree, missing
from backport.run.journal import RUN_REF, Journal, State, Step, with_step
from backport.verdicts import State as VerdictState
from backport.verdicts import StepVerdict
from series.errors import SeriesError
from series.model import Oid, Patch, shown

REJECTED_REF = "refs/backport/rejected"


class Progress(Protocol):
    """What a run tells while it goes on."""

    def phase(self, name: str, total: int) -> None:
        """A phase begins; ``total`` steps lie ahead of it."""

    def step(self, number: int, total: int, patch: Patch, step: Step) -> None:
        """A patch has been dealt with."""

    def verdict(self, number: int, total: int, verdict: StepVerdict) -> None:
        """A step has been validated."""

    def note(self, text: str) -> None:
        """Something that the user should know."""


@dataclass(frozen=True, slots=True)
class Result:
    """A run that came to its end."""

    state: State
    plan: Plan
    verdicts: tuple[StepVerdict, ...] = ()
    proven: str = ""
    """How far each step was proven, or why not at all."""

    @property
    def tip(self) -> Oid:
        """The commit the target now points at."""
        return self.state.tip


class Validation(Protocol):
    """Proves the steps of a run (see validate)."""

    def __call__(
        self, repo: Repo, plan: Plan, state: State, progress: Progress
    ) -> tuple[tuple[StepVerdict, ...], str]: ...


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for."""

    branch: str
    sources: tuple[Source, ...]
    settings: Settings
    to: str | None = None


def start(repo: Repo, request: Request, validation: Validation, progress: Progress) -> Result:
    """Begin a run and carry it as far as it goes."""
    journal = Journal(repo.state_dir)
    with journal.locked():
        refuse_second(journal)
        if request.to:
            # The branch itself is left alone, so any commit will do.
            onto, target = repo.commit(request.branch), _target(repo, request.to)
            branch = request.branch
        else:
            branch = target = repo.branch_ref(request.branch)
            onto = repo.commit(branch)
        repo.refuse_dirty(target)
        state = State(
            phase="plan",
            settings=request.settings,
            branch=branch,
            target=target,
            onto=onto,
            old=None if request.to else onto,
            committer=repo.committer(),
            sources=request.sources,
            siblings=find_siblings(repo, branch, request.settings.sibling),
        )
        journal.begin(state)
        return _drive(repo, journal, state, validation, progress)


def resume(
    repo: Repo, validation: Validation, progress: Progress, changed: Mapping[str, Any] | None = None
) -> Result:
    """Carry on a run that was interrupted, or stopped on a conflict the user has resolved.

    ``changed`` are settings that the user has changed his mind about.
    """
    journal = Journal(repo.state_dir)
    with journal.locked():
        state = _waiting(journal)
        if state.phase == "move":
            repo.unlock(state.target, journal.file.stat().st_mtime)
        if changed:
            state = replace(state, settings=with_options(state.settings, **changed))
            journal.write(state)
        if state.phase == "stopped":
            state = _resolved(repo, journal, state, progress)
        return _drive(repo, journal, state, validation, progress)


def skip(repo: Repo, validation: Validation, progress: Progress) -> Result:
    """Leave out the patch that a run stopped on, and carry on."""
    journal = Journal(repo.state_dir)
    with journal.locked():
        state = _waiting(journal)
        if state.phase != "stopped" or state.clash is None:
            raise UsageError(
                "the run did not stop on a conflict: there is nothing to skip",
                "`backport continue` carries it on",
            )
        step = Step(state.clash.item, "skipped", "left out by hand", None)
        state = replace(with_step(state, step), phase="apply", clash=None)
        journal.write(state)
        _drop_worktree(repo, state)
        return _drive(repo, journal, state, validation, progress)


def abort(repo: Repo) -> State | None:
    """Drop the run; no branch has moved.  Returns what it was, None where it cannot be read."""
    journal = Journal(repo.state_dir)
    with journal.locked():
        try:
            state = journal.read()
        except UsageError:
            state = None
        else:
            if state is None:
                raise UsageError("no run is on: there is nothing to abort")
        journal.end()
        from backport.run import conflict

        conflict.remove(repo, repo.state_dir / "conflict")
        repo.delete_ref(RUN_REF)
        return state


def refuse_second(journal: Journal) -> None:
    """Raise `RunInProgress` when a run waits to be continued."""
    state = journal.read()
    if state is None:
        return
    branch = state.branch.removeprefix("refs/heads/")
    done = f"{len(state.steps)} of {len(state.items)} patches" if state.items else "just begun"
    how = "stopped on a conflict" if state.phase == "stopped" else "was interrupted"
    raise RunInProgress(
        f"a run onto {branch} {how} ({done})", "`backport continue` or `backport abort` first"
    )


def _drive(
    repo: Repo, journal: Journal, state: State, validation: Validation, progress: Progress
) -> Result:
    try:
        plan, state = _planned(repo, journal, state, progress)
        if state.phase == "apply":
            state = _applied(repo, journal, state, plan, progress)
        verdicts: tuple[StepVerdict, ...] = ()
        proven = ""
        if state.phase in ("validate", "move"):
            verdicts, proven = validation(repo, plan, state, progress)
            _refuse_failed(repo, state, verdicts)
            state = replace(state, phase="move")
            journal.write(state)
        _move(repo, state)
    except (BackportError, SeriesError) as error:
        if not _waits(journal, error):
            _forget(repo, journal)
        raise
    _forget(repo, journal)
    return Result(state, plan, verdicts, proven)


def _waits(journal: Journal, error: Exception) -> bool:
    """Whether the run stays to be continued after an expected failure; else it ends, nothing changed.

    A conflict waits, so does a worktree that is in the way of the last act; and the resolutions that
    somebody made by hand are never thrown away unasked.
    """
    if isinstance(error, Conflict | DirtyWorktree | GitFailed):
        return True
    state = journal.read()
    by_hand = state is not None and any(step.state == "resolved" for step in state.steps)
    if by_hand and isinstance(error, BackportError):
        error.hint = (
            f"{error.hint}; `backport continue` tries again with what you have resolved".lstrip(
                "; "
            )
        )
    return by_hand


def _forget(repo: Repo, journal: Journal) -> None:
    journal.end()
    if RUN_REF in repo.native.references:
        repo.native.references.delete(RUN_REF)


def _planned(repo: Repo, journal: Journal, state: State, progress: Progress) -> tuple[Plan, State]:
    series = combine(repo, state.sources)
    if state.phase != "plan":
        return Plan(series, state.items), state
    if not state.settings.partial:
        refuse_gaps(series)
    progress.phase("order", len(series.patches))
    plan = make_plan(series, repo.tree(state.onto), state.settings.only)
    for note in (*plan.notes, *plan.contradictions):
        progress.note(note)
    state = replace(state, phase="apply", items=plan.items)
    journal.write(state)
    return plan, state


def _applied(repo: Repo, journal: Journal, state: State, plan: Plan, progress: Progress) -> State:
    progress.phase("apply", len(state.items))
    assembly = assemble(repo, plan, state, progress.step)
    state = assembly.state
    for number in assembly.noticed:
        step = state.steps[number]
        subject = shown(plan.patch(repo, step.item).subject)
        progress.note(f"{number + 1}/{len(state.items)} {subject}: {step.notes[-1]}")
    if assembly.stopped is not None and assembly.blockers:
        raise missing(assembly.stopped[0], assembly.blockers, state)
    repo.keep(RUN_REF, state.tip)
    if assembly.stopped is None:
        state = replace(state, phase="validate")
        journal.write(state)
        return state
    patch, picked = assembly.stopped
    branch = state.branch.removeprefix("refs/heads/")
    from backport.run import conflict

    folder = conflict.lay_out(repo, state.tip, patch, picked, branch)
    state = replace(state, worktree=str(folder))
    journal.write(state)
    raise conflict_error(state, patch, folder)


def conflict_error(state: State, patch: Patch, folder: Path) -> Conflict:
    """What a person reads when a run stops."""
    assert state.clash is not None
    reasons = "".join(f"\n  {path}: {reason}" for path, reason in state.clash.clashes)
    subject = shown(patch.subject)
    return Conflict(
        f"patch {len(state.steps) + 1} of {len(state.items)}, {patch.name} {subject!r}, does not go"
        f" on:{reasons}",
        f"resolve it in {folder} and `git add` there, then `backport continue`;"
        " or `backport skip`, or `backport abort`",
    )


def _resolved(repo: Repo, journal: Journal, state: State, progress: Progress) -> State:
    assert state.clash is not None and state.worktree is not None
    from backport.run import conflict

    plan = Plan(combine(repo, state.sources), state.items)
    patch = plan.patch(repo, state.clash.item)
    taken = conflict.take_result(repo, Path(state.worktree), state.tip, patch)
    for note in taken.notes:
        progress.note(note)
    if taken.tree == repo.tree(state.tip).id:
        step = Step(state.clash.item, "skipped", "the resolution changes nothing", None)
    else:
        commit = commit_tree(repo, state, patch, taken.tree, state.clash.item)
        step = Step(state.clash.item, "resolved", "by hand", commit, taken.notes)
        repo.keep(RUN_REF, commit)
    state = replace(with_step(state, step), phase="apply", clash=None)
    journal.write(state)
    _drop_worktree(repo, state)
    return replace(state, worktree=None)


def _drop_worktree(repo: Repo, state: State) -> None:
    if state.worktree is not None:
        from backport.run import conflict

        conflict.remove(repo, Path(state.worktree))


def _refuse_failed(repo: Repo, state: State, verdicts: Sequence[StepVerdict]) -> None:
    failed = [verdict for verdict in verdicts if verdict.failed]
    if not failed:
        _refuse_unproven(state, verdicts)
        return
    repo.keep(REJECTED_REF, state.tip)
    first = failed[0]
    more = f", and {len(failed) - 1} later ones" if len(failed) > 1 else ""
    raise StepFailed(
        f"step {first.number} of {len(state.items)}, {first.subject!r}, failed its"
        f" validation{more}; {_left_alone(state)}:\n{first.explain()}",
        f"the commits are kept at {REJECTED_REF}; `backport bisect` finds what repairs it",
    )


def _refuse_unproven(state: State, verdicts: Sequence[StepVerdict]) -> None:
    """A step that cannot be told is not proven: the branch moves only when the user accepts that."""
    unproven = [
        (step, verdict)
        for step in verdicts
        for verdict in step.verdicts
        if verdict.state is VerdictState.CANNOT_TELL
        and not is_accepted(f"unproven:{verdict.validator}", state.settings.accept)
    ]
    if not unproven:
        return
    step, verdict = unproven[0]
    more = f", and {len(unproven) - 1} more" if len(unproven) > 1 else ""
    act = "moves the branch" if state.old else "makes the branch"
    raise CannotTest(
        f"step {step.number} of {len(state.items)}, {step.subject!r}, cannot be told{more};"
        f" {_left_alone(state)}:\n{step.explain()}",
        f"--accept 'unproven:{verdict.validator}' {act} all the same",
    )


def _left_alone(state: State) -> str:
    """What has become of the target of a run that does not end well."""
    branch = state.target.removeprefix("refs/heads/")
    return f"{branch} was not {'moved' if state.old else 'made'}"


def _move(repo: Repo, state: State) -> None:
    new = state.tip
    if repo.ref(state.target) == new:
        return
    done = sum(1 for step in state.steps if step.commit)
    where = repo.checked_out(state.target) if state.old is not None else None

    def files_first() -> None:
        # Index and files, then the ref: repeated after a kill, both do nothing twice.
        if where is not None and state.old is not None:
            try:
                repo.git("read-tree", "-m", "-u", state.old, new, cwd=where.path)
            except GitFailed as error:
                raise DirtyWorktree(
                    f"{where.path} is in the way: {error.message}",
                    "move or commit what is there, then `backport continue`",
                ) from error

    repo.move_branch(state.target, new, state.old, f"backport: {done} patches", files_first)


def _target(repo: Repo, name: str) -> str:
    import pygit2

    ref = f"refs/heads/{name}"
    if not pygit2.reference_is_valid_name(ref):
        raise UsageError(f"--to {name}: not a name for a branch")
    if repo.ref(ref) is not None:
        raise UsageError(
            f"--to {name}: that branch exists", "name another, or delete it first (`git branch -D`)"
        )
    return ref


def _waiting(journal: Journal) -> State:
    state = journal.read()
    if state is None:
        raise UsageError("no run is on: nothing to continue", "`backport apply` begins one")
    return state
