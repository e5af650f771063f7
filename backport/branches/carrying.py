# SPDX-License-Identifier: GPL-2.0-or-later
"""The runs of one command, one branch after the other: each is the run that `life` and `phases` know.

Newest first, since its result is a sibling for the next one: adapted once, a patch goes on as adapted.  An
older branch waits for a newer one that has stopped on the same patches, and for nothing else: a branch that
fails is over, and the next one goes on without its version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from backport import interrupts
from backport.branches.endings import Halt, halt_of, outcome_of
from backport.branches.roster import Ending, Outcome, Part, Roster, RosterFile
from backport.counted import counted
from backport.errors import BackportError, ExitCode, UsageError
from backport.gateway.repository import Repo
from backport.history.other_branch import Sibling
from backport.history.siblings import NONE, find_siblings
from backport.levels import Phase
from backport.run import last_moves, life, moving
from backport.run.journal import Journal, RunState
from backport.run.move import check, move, put_back, release
from backport.run.phases import Together, finish
from backport.run.request import Progress, Result, Validation
from series.errors import SeriesError
from series.model import Oid


class Teller(Protocol):
    """What a person sees while the branches are worked on."""

    def branch(self, part: Part, place: int, total: int) -> AbstractContextManager[Progress]:
        """The run onto a branch begins or goes on."""

    def done(self, part: Part, result: Result) -> None:
        """It came to its end; the branch has moved, or (``--atomic``) is ready to."""

    def stopped(self, part: Part, error: Exception) -> None:
        """It did not."""

    def waits(self, part: Part, newer: Part) -> None:
        """It was not begun, since it waits for a newer branch."""

    def note(self, text: str) -> None:
        """Something that the user should know."""


_NOT_CLEARED = (
    "what is kept of the runs could not be written or removed ({}): `backport continue` does that"
)


class Carried(Struct, frozen=True):
    """How far one command came: the roster, and why each open part stopped, by its name."""

    roster: Roster
    halts: dict[str, Halt]


class Carrier(Struct):
    """Works on the open parts, newest first."""

    repo: Repo
    file: RosterFile
    roster: Roster
    validation: Validation
    teller: Teller
    changed: Mapping[str, Any] = field(default_factory=dict)
    halts: dict[str, Halt] = field(default_factory=dict)
    ready: dict[str, Result] = field(default_factory=dict)
    """With ``atomic``, what is proven and has not moved yet."""

    def carry(self, only: Part | None = None) -> Carried:
        """Go as far as it goes; of those that have stopped, ``only`` is tried, if it is given."""
        for part in self.roster.parts:
            if part.is_over:
                clear(self.repo, self.file, part, self.roster)
        total = len(self.roster.parts)
        for place, part in enumerate(self.roster.parts, 1):
            if part.is_over:
                continue
            newer = self._newer(part)
            if newer is not None:
                if only is not None and only.part == part.part:
                    raise UsageError(
                        f"{part.branch} waits for {newer.branch}, which is not through",
                        f"`backport continue --branch {newer.branch}`, or `backport continue --no-wait`",
                    )
                self.teller.waits(part, newer)
                continue
            stands = phase_of(self.file, part) is Phase.STOPPED
            if stands and only is not None and only.part != part.part:
                continue
            self._work_on(part, place, total)
        if self.roster.atomic and self.roster.open and len(self.ready) == len(self.roster.open):
            noted = self._move_all()
        else:
            noted = True
        if noted and not self.roster.open:
            self._end()
        return Carried(self.roster, self.halts)

    def _end(self) -> None:
        try:
            self.file.end()
        except OSError as error:
            self.teller.note(f"all is over, and {_NOT_CLEARED.format(error)}")

    def _newer(self, part: Part) -> Part | None:
        """The newer branch that ``part`` waits for."""
        if not self.roster.waits:
            return None
        for newer in self.roster.parts:
            if newer.part == part.part:
                return None
            if newer.group == part.group and not newer.is_over and not self._passed(newer):
                return newer
        return None

    def _passed(self, part: Part) -> bool:
        """Whether an open part has come to its end, or to one that no resolution will change."""
        halt = self.halts.get(part.part)
        return part.part in self.ready or (halt is not None and halt.exit_code != ExitCode.CONFLICT)

    def _work_on(self, part: Part, place: int, total: int) -> None:
        interrupts.go_on()
        journal = self.file.journal(part)
        together = Together(
            lambda result: self._moved(part, result),
            lambda error: self._failed(part, error),
            self.roster.atomic,
            undoes_alone=False,
        )
        try:
            state = journal.read()
            if state is None:  # `abort` was cut behind the end of the journal
                self._over(part, Outcome(Ending.DROPPED, None, None))
                return
            if state.phase is Phase.PLAN:
                journal.write(replace(state, siblings=self._siblings(part, state)))
            with self.teller.branch(part, place, total) as progress:
                result = life.go_on(
                    self.repo, journal, self.validation, progress, self.changed, together
                )
        except (BackportError, SeriesError) as error:
            if interrupts.came():
                raise
            self._halted(part, journal, error)
            return
        if self.roster.atomic:
            self.ready[part.part] = result
        self.teller.done(part, result)

    def _halted(self, part: Part, journal: Journal, error: BackportError | SeriesError) -> None:
        if journal.file.exists():
            self.halts[part.part] = halt_of(error)
        elif part in self.roster.open:  # it did not come as far as to its phases
            self._failed(part, error)
        self.teller.stopped(part, error)

    def _failed(self, part: Part, error: Exception) -> None:
        halt = halt_of(error)
        old = self.repo.ref(part.target)
        self._over(
            part,
            Outcome(
                Ending.FAILED,
                old,
                None,
                error=halt.error,
                hint=halt.hint,
                exit_code=halt.exit_code,
            ),
        )

    def _over(self, part: Part, outcome: Outcome) -> None:
        self.roster = self.roster.ended(part, outcomes=(outcome,))
        self.file.write(self.roster)

    def _moved(self, part: Part, result: Result) -> None:
        """Note the end of a run, before its journal goes."""
        self._over(part, outcome_of(result))
        _note_moves(self.repo, self.roster)

    def _move_all(self) -> bool:
        """All are proven: move them, or none; False where it could not be noted that they have moved."""
        done = [(part, self.ready[part.part]) for part in self.roster.open]
        begun: list[Part] = []
        at = done[0][0]
        try:
            for at, result in done:
                # One that was cut in the middle of its move has files of both ends: `move` settles them.
                if moving.read(self.repo, self.file.journal(at)) is None:
                    check(self.repo, self.file.journal(at), result.state)
            for at, result in done:
                begun.append(at)
                move(self.repo, self.file.journal(at), result.state)
                interrupts.go_on()
        except BaseException as error:
            self._put_back(begun)
            if not isinstance(error, BackportError) or interrupts.came():
                raise
            self.halts[at.part] = halt_of(error)
            self.teller.stopped(at, error)
            return True
        interrupts.finish()
        self.roster = self.roster.ended(
            *(part for part, _ in done), outcomes=tuple(outcome_of(result) for _, result in done)
        )
        try:
            _note_moves(self.repo, self.roster)
            self.file.write(self.roster)
        except (BackportError, OSError) as error:
            self.teller.note(f"all have moved, and {_NOT_CLEARED.format(error)}")
            for part, _ in done:
                with suppress(OSError):
                    release(self.repo, self.file.journal(part))
            return False
        for part, result in done:
            journal = self.file.journal(part)
            finish(self.repo, journal, result, Notes(self.teller), Together(undoes_alone=False))
        return True

    def _put_back(self, begun: Sequence[Part]) -> None:
        """Undo the moves; one that cannot be undone now waits, and `continue` or `abort` does it again."""
        for part in reversed(begun):
            journal = self.file.journal(part)
            try:
                plan = moving.read(self.repo, journal)
                if plan is not None:
                    put_back(plan, journal)
            except (BackportError, OSError) as error:
                self.teller.note(f"{part.short} could not be put back: {error}")

    def _siblings(self, part: Part, state: RunState) -> tuple[Sibling, ...]:
        """The results of this very command, nearest first, before what other branches have."""
        if tuple(state.settings.sibling) == (NONE,):
            return ()
        own: list[Sibling] = []
        for newer in self.roster.parts:
            if newer.part == part.part:
                break
            found = self._result(newer)
            if found is None:
                continue
            tip, made = found
            kept = made if newer.group == part.group else ()
            own.insert(0, Sibling(newer.short, tip, made=kept, worked_on=newer.branch))
        return find_siblings(self.repo, state.branch, state.settings.sibling, own).siblings

    def _result(self, part: Part) -> tuple[Oid, tuple[tuple[str, Oid], ...]] | None:
        """Where a newer branch stands now, and what was made there; None where its run came to nothing."""
        if part.result is not None:
            if part.result.new is None:
                return None
            cells = part.result.cells
            return part.result.new, tuple((one.item, one.commit) for one in cells if one.commit)
        state = self.file.journal(part).read()
        if state is None:
            return None
        finals = state.finals
        made = ((str(step.item), finals[step.commit]) for step in state.steps if step.commit)
        return state.end, tuple(made)


class Notes(Struct, frozen=True):
    """A run's progress where nothing goes on yet: its notes."""

    teller: Teller

    def phase(self, *_: object) -> None:
        """Nothing."""

    step = under_way = verdict = phase

    def note(self, text: str) -> None:
        """Something that the user should know."""
        self.teller.note(text)


def phase_of(file: RosterFile, part: Part) -> Phase | None:
    state = file.journal(part).read()
    return state.phase if state is not None else None


def _note_moves(repo: Repo, roster: Roster) -> None:
    """Note for `undo` what this command has moved so far, as one move.  Raises `OSError`."""
    ends = [(part.target, part.result) for part in roster.parts]
    moved = tuple(
        last_moves.RefMove(target, end.old, end.new, end.is_bare)
        for target, end in ends
        if end is not None
        and end.ending is Ending.MOVED
        and end.new is not None
        and end.old != end.new
    )
    if moved:
        last_moves.remember(repo, last_moves.Move(f"apply, {counted(len(moved), 'branch')}", moved))


def clear(repo: Repo, file: RosterFile, part: Part, roster: Roster) -> None:
    """What a cut has left of a run that is over."""
    journal = file.journal(part)
    if not journal.file.exists():
        journal.end()
        return
    if part.result is not None and part.result.ending is Ending.MOVED:
        _note_moves(repo, roster)
        life.clear_finished(repo, journal, _Silent(), undoes_alone=False)
    if journal.file.exists():
        life.drop(repo, journal)


class _Silent:
    """Prints nothing: the roster shows it."""

    def phase(self, *_: object) -> None:
        """Nothing."""

    step = under_way = verdict = note = phase
