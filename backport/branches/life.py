# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of several runs that one command began: begun, carried on, a patch left out, given up.

What each of them goes through is `backport.run.life`; how one comes after the other is `carrying`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from backport.branches.carrying import Carried, Carrier, Notes, Teller, clear, phase_of
from backport.branches.choosing import part_name
from backport.branches.roster import Ending, Outcome, Part, Roster, RosterFile
from backport.errors import UsageError
from backport.gateway.repository import Repo
from backport.levels import Phase
from backport.run import life
from backport.run.journal import Journal, RunState
from backport.run.refusals import refuse_second
from backport.run.request import Request, Validation


class Wish(Struct, frozen=True):
    """What the user asks for: a request for each branch, newest first."""

    requests: tuple[Request, ...]
    atomic: bool = False
    waits: bool = True


def start(repo: Repo, wish: Wish, validation: Validation, teller: Teller) -> Carried:
    """Begin a run onto each branch, and carry them as far as they go.

    Raises before anything is begun where one of them could not begin.
    """
    file = RosterFile(repo)
    with life.at_work(repo, (Journal(repo.state_dir),), file.file):
        refuse_second(Journal(repo.state_dir))
        begun: list[tuple[Part, RunState]] = []
        groups: list[object] = []
        for request in wish.requests:
            state = life.prepare(repo, request, Notes(teller))
            if request.sources not in groups:
                groups.append(request.sources)
            group = groups.index(request.sources)
            part = Part(request.branch, state.target, part_name(request.branch), group)
            _refuse_twice(part, begun)
            begun.append((part, state))
        for part, state in begun:
            file.journal(part).begin(state)
        roster = Roster(tuple(part for part, _ in begun), wish.atomic, wish.waits)
        file.write(roster)
        return Carrier(repo, file, roster, validation, teller).carry()


def resume(
    repo: Repo,
    validation: Validation,
    teller: Teller,
    changed: Mapping[str, Any],
    branch: str | None = None,
    *,
    waits: bool | None = None,
) -> Carried:
    """Carry on what is not over; ``branch``: of those that have stopped, that one alone."""
    file = RosterFile(repo)
    with life.at_work(repo, _journals(file), file.file):
        roster = _waiting(file)
        if waits is not None and waits != roster.waits:
            roster = replace(roster, waits=waits)
            file.write(roster)
        only = _named(roster, branch) if branch is not None else None
        return Carrier(repo, file, roster, validation, teller, changed).carry(only)


def skip(repo: Repo, validation: Validation, teller: Teller, branch: str | None) -> Carried:
    """Leave out the patch that one branch has stopped on, and go on."""
    file = RosterFile(repo)
    with life.at_work(repo, _journals(file), file.file):
        roster = _waiting(file)
        if branch is not None:
            part = _named(roster, branch)
        else:
            stopped = [one for one in roster.open if phase_of(file, one) is Phase.STOPPED]
            if len(stopped) != 1:
                names = ", ".join(one.branch for one in stopped)
                raise UsageError(
                    f"{len(stopped)} branches have stopped on a conflict"
                    + (f": {names}" if names else ": there is nothing to skip"),
                    "name one with --branch" if stopped else "`backport continue` goes on",
                )
            (part,) = stopped
        life.leave_out(repo, file.journal(part))
        return Carrier(repo, file, roster, validation, teller).carry(part)


class Dropped(Struct, frozen=True):
    """What `abort` did: by part, whether its branch had moved and was put back; None for one over before."""

    roster: Roster
    parts: tuple[tuple[Part, bool | None], ...]
    readable: bool = True


def abort(repo: Repo, branch: str | None) -> Dropped:
    """Drop the run onto one branch, or all that are not over; what has moved by itself stays."""
    file = RosterFile(repo)
    with life.at_work(repo, _journals(file), file.file):
        try:
            roster = _waiting(file)
        except UsageError:
            if not file.file.exists() or branch is not None:
                raise
            for journal in file.left():
                life.drop(repo, journal) if journal.file.exists() else journal.end()
            file.end()
            return Dropped(Roster(()), (), readable=False)
        chosen = (_named(roster, branch),) if branch is not None else roster.parts
        done: list[tuple[Part, bool | None]] = []
        for part in chosen:
            if part.is_over:
                clear(repo, file, part, roster)
                done.append((part, None))
                continue
            journal = file.journal(part)
            dropped = life.drop(repo, journal) if journal.file.exists() else None
            outcome = Outcome(Ending.DROPPED, None, None)
            roster = roster.ended(part, outcomes=(outcome,))
            file.write(roster)
            done.append((part, dropped is not None and dropped.put_back))
        if not roster.open:
            file.end()
        return Dropped(roster, tuple(done))


def _refuse_twice(part: Part, before: Sequence[tuple[Part, RunState]]) -> None:
    for other, _ in before:
        if other.target == part.target:
            raise UsageError(
                f"{other.branch} and {part.branch} would both move {part.short}",
                "name one of them, or give each a name of its own with --to",
            )


def _journals(file: RosterFile) -> tuple[Journal, ...]:
    return file.left() or (Journal(file.file.parent),)


def _waiting(file: RosterFile) -> Roster:
    roster = file.read()
    if roster is None:
        raise UsageError("no run in progress: nothing to continue", "`backport apply` starts one")
    return roster


def _named(roster: Roster, branch: str) -> Part:
    for part in roster.parts:
        if branch in (part.branch, part.short):
            if part.result is not None:
                raise UsageError(
                    f"the run onto {branch} is over: {part.result.ending}",
                    "`backport status` shows what is not",
                )
            return part
    names = ", ".join(part.branch for part in roster.open)
    raise UsageError(f"no run onto {branch} is in progress", f"there are runs onto {names}")
