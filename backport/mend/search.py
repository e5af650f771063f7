# SPDX-License-Identifier: GPL-2.0-or-later
"""How one step that does not build can be repaired, the smallest change of the series first.

1. A later patch goes before it, with what that needs: no line leaves its patch.
2. A few lines of a later patch go into it; then as few of them as still repair it.
3. A few lines of it go into a later patch that has not the same error: what is not used before, say.

Who brings a name that is lacking, as its text shows, is tried in all three ways first; then the first later
step that builds, which may have to be found by building; then what touches the names and files of the error.

Where none of that repairs it, but one removes some of its errors, or all and others come up behind them, the
search goes on from there.

A try builds the broken step, and if that repairs it each step that it changes.  Nothing before the step
changes, and it builds then: so the whole comes to an end.  Cost: at most ``_MOST_TRIES`` builds of the broken
step, and one of each step between for what repairs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from backport.gateway.commits import commit_changes
from backport.mend.lineup import Lineup, moved_up, shifted, with_commit
from backport.mend.pieces import Piece, in_words
from backport.mend.suspects import Complaint, Suspects, complaint_of, headers, relevant
from backport.verdicts import State, StepVerdict
from series.model import Identity, Oid, Patch

_MOST_TRIES = 40
_MOST_MOVED = 4
"""Patches that go before a step together."""
_ROUNDS = 4
"""Times that lines are added for the errors that come up behind the first ones."""
_FEW = 8
"""More parts than that are not made fewer one by one."""
_TOGETHER = 4
"""Changes in a row, each of which removes some of a step's errors."""
_REACH = 6
"""Steps that lines may pass on the way to a later patch."""

_GOOD = (State.PASSED, State.ABSENT)

Prove = Callable[[Lineup, int], StepVerdict]
"""Builds the step at a place (from 0)."""


class _Exhausted(Exception):
    """No further try for this step."""


class Search(Struct):
    """Repairs the steps of a lineup, one at a time."""

    suspects: Suspects
    prove: Prove
    first_good: Callable[[Lineup, int], int | None]
    """The first place behind another whose step builds; may build those between."""
    tries: Callable[[str], None]
    """Gets what is tried next, in words."""
    tried: int = 0
    was: Lineup | None = None
    """The lineup before anything was tried for the step in hand."""
    partly: tuple[Lineup, int, StepVerdict] | None = None
    """The first change that removed errors of the step but not all, with the place of the step and
    the verdict on it."""

    def mend(self, lineup: Lineup, at: int, verdict: StepVerdict) -> Lineup | None:
        """The lineup with the step at ``at`` repaired; None where no way is found."""
        self.tried, self.was = 0, lineup
        try:
            return next(self._ways(lineup, at, verdict, 1, guess=True), None)
        except _Exhausted:
            return None

    def _ways(
        self, lineup: Lineup, at: int, verdict: StepVerdict, turn: int, *, guess: bool
    ) -> Iterator[Lineup]:
        """Repairs of the step; in a turn behind the first, only those that break no other."""
        self.partly = None
        complaint = complaint_of(verdict)
        sure = self.suspects.bringers(lineup, at, complaint)
        for other, chosen in sure.items():
            yield from self._by(lineup, at, complaint, {other: chosen}, turn)
        partly = self._take_partly()
        if partly is not None and turn < _TOGETHER:
            yield from self._ways(*partly, turn + 1, guess=False)
        if not guess:
            return
        self.partly = None
        good = self.first_good(lineup, at)
        later = self.suspects.others(lineup, at, complaint, good)
        for some in ([k for k in later if k == good], [k for k in later if k != good]):
            yield from self._by(lineup, at, complaint, dict.fromkeys(some, ()), turn)
        partly = partly or self._take_partly()
        if partly is not None and turn < _TOGETHER:
            yield from self._ways(*partly, turn + 1, guess=True)

    def _by(
        self,
        lineup: Lineup,
        at: int,
        complaint: Complaint,
        others: Mapping[int, Sequence[Piece]],
        turn: int,
    ) -> Iterator[Lineup]:
        for way in (self._up, self._into, self._out):
            for other, chosen in others.items():
                for found in way(lineup, at, other, complaint, chosen):
                    if turn == 1 or self._holds(found):
                        yield found

    def _take_partly(self) -> tuple[Lineup, int, StepVerdict] | None:
        """What `partly` holds, which is then free for the next."""
        found, self.partly = self.partly, None
        return found

    def _holds(self, new: Lineup) -> bool:
        """Whether no step that several changes together have made another one is broken by them."""
        assert self.was is not None
        before = {stage.source: at for at, stage in enumerate(self.was.stages)}
        for at, stage in enumerate(new.stages):
            old = before[stage.source]
            if stage.tree == self.was.stages[old].tree or self.prove(new, at).state in _GOOD:
                continue
            if self.prove(self.was, old).state in _GOOD:
                return False
        return True

    def take(
        self, lineup: Lineup, at: int, wanted: Sequence[tuple[Oid, str, bytes]]
    ) -> Lineup | None:
        """The lineup with commits from elsewhere (with subject and message) before the broken step: with one
        of them where that does, else with all; None where they do not go on, or do not repair it."""
        repo = self.suspects.repo
        self.tried, self.was = 0, lineup
        sets = [*([one] for one in wanted), *([list(wanted)] if len(wanted) > 1 else [])]
        for chosen in sets:
            new: Lineup | None = lineup
            for place, (commit, subject, message) in enumerate(chosen, at):
                if new is not None:
                    new = with_commit(repo, new, place, commit, subject, message)
            if new is None:
                continue
            self.tries(f"a try: {' and '.join(one[0][:12] for one in chosen)} before it")
            broken = at + len(chosen)
            if self._builds(lineup, new, broken, range(at, broken)) is None:
                return new
        return None

    def _builds(
        self, before: Lineup, new: Lineup, broken: int, more: Iterable[int] = ()
    ) -> StepVerdict | None:
        """None where the broken step, at its new place, builds, and those at ``more`` do or did not before;
        else the verdict on the first that does not."""
        if self.tried >= _MOST_TRIES:
            raise _Exhausted
        self.tried += 1
        was = self.was or before
        for place in (broken, *more):
            verdict = self.prove(new, place)
            if verdict.state in _GOOD:
                continue
            source = new.stages[place].source
            old = [k for k, stage in enumerate(was.stages) if stage.source == source]
            if place != broken and old and self.prove(was, old[0]).state not in _GOOD:
                continue  # broken by itself: its turn comes
            if (
                place == broken
                and self.partly is None
                and self._is_further(before, source, verdict)
            ):
                self.partly = new, broken, verdict
            return verdict
        return None

    def _is_further(self, before: Lineup, source: Oid, verdict: StepVerdict) -> bool:
        """Whether a change has removed errors of the broken step: some, or all, and others come up."""
        at = next(k for k, stage in enumerate(before.stages) if stage.source == source)
        one, other = complaint_of(self.prove(before, at)).texts, complaint_of(verdict).texts
        return bool(other) and (other < one or not other & one)

    def _up(
        self, lineup: Lineup, at: int, other: int, _: Complaint, __: Sequence[Piece]
    ) -> Iterator[Lineup]:
        """The later patch before this one; alone, else with those between that it needs."""
        for chosen in ((other,), self._with_needs(lineup, at, other)):
            new = moved_up(self.suspects.repo, lineup, chosen, at) if chosen else None
            if new is not None:
                numbers = " and ".join(str(lineup.stages[k].number) for k in chosen)
                self.tries(f"a try: step {numbers} before it")
                broken = at + len(chosen)
                if self._builds(lineup, new, broken, range(at, broken)) is None:
                    yield new
                return

    def _with_needs(self, lineup: Lineup, at: int, other: int) -> tuple[int, ...]:
        from series.graph.dependencies import build_graph, closure

        repo, nobody = self.suspects.repo, Identity(b"", b"")
        patches = [
            Patch(
                name=str(k),
                author=nobody,
                date=None,
                message=b"",
                changes=commit_changes(repo, lineup.before(k), lineup.stages[k].tree),
                position=k - at,
            )
            for k in range(at, other + 1)
        ]
        found = closure(build_graph(patches, None), [other - at])
        # Of a node that is the broken step itself, the patch cannot go before it.
        if 0 in found or len(found) > _MOST_MOVED or len(found) == 1:
            return ()
        return tuple(sorted(at + node for node in found))

    def _into(
        self, lineup: Lineup, at: int, other: int, complaint: Complaint, sure: Sequence[Piece]
    ) -> Iterator[Lineup]:
        """Lines of the later patch into this one."""
        found = self._shift(lineup, at, other, at, complaint, sure)
        if found is not None:
            yield found

    def _out(
        self, lineup: Lineup, at: int, other: int, complaint: Complaint, _: Sequence[Piece]
    ) -> Iterator[Lineup]:
        """Lines of this one into the later patch, unless the error that they make stays there."""
        if other - at <= _REACH and not self._still(lineup, other, complaint):
            partly = self.partly  # errors for want of the lines that were taken away are no way on
            found = self._shift(lineup, at, at, other, complaint, ())
            self.partly = partly
            if found is not None:
                yield found

    def _still(self, lineup: Lineup, other: int, complaint: Complaint) -> bool:
        """Whether a later step has an error of this complaint as well; its tree is one of the result, so the
        build is not lost."""
        self.tries(f"whether step {lineup.stages[other].number} still has the error")
        verdict = self.prove(lineup, other)
        return verdict.state not in _GOOD and bool(complaint.texts & complaint_of(verdict).texts)

    def _shift(
        self,
        lineup: Lineup,
        at: int,
        giver: int,
        taker: int,
        complaint: Complaint,
        sure: Sequence[Piece],
    ) -> Lineup | None:
        """What brings the name that is lacking, else headers alone, else all that concerns the complaint."""
        pieces = self.suspects.pieces(lineup, giver)
        sets = (tuple(sure), headers(pieces, complaint), relevant(pieces, complaint))
        for chosen in dict.fromkeys(sets):
            found = self._shift_from(lineup, at, giver, taker, pieces, chosen)
            if found is not None:
                return found
        return None

    def _shift_from(
        self,
        lineup: Lineup,
        at: int,
        giver: int,
        taker: int,
        pieces: Sequence[Piece],
        chosen: tuple[Piece, ...],
    ) -> Lineup | None:
        """These parts, and those that the errors behind the first ones ask for."""
        behind = range(at + 1, max(giver, taker))
        for _ in range(_ROUNDS):
            new = shifted(self.suspects.repo, lineup, giver, taker, chosen) if chosen else None
            if new is None:
                return None
            self.tries(_transfer(lineup, giver, taker, chosen))
            verdict = self._builds(lineup, new, at)
            if verdict is None:
                fewest = self._fewest(lineup, at, giver, taker, chosen, self._repairs)
                for found in (fewest, new):
                    if found is not None:
                        verdict = self._builds(lineup, found, at, behind)
                        if verdict is None:
                            return found
            assert verdict is not None
            if self.partly is not None and self.partly[0] is new:
                less = self._fewest(lineup, at, giver, taker, chosen, self._goes_further) or new
                self.partly = less, at, self.prove(less, at)
            more = relevant(pieces, complaint_of(verdict))
            if set(more) <= set(chosen):
                return None
            chosen = tuple(piece for piece in pieces if piece in chosen or piece in more)
        return None

    def _repairs(self, lineup: Lineup, new: Lineup, at: int) -> bool:
        return self._builds(lineup, new, at) is None

    def _goes_further(self, lineup: Lineup, new: Lineup, at: int) -> bool:
        verdict = self._builds(lineup, new, at)
        return verdict is None or self._is_further(lineup, new.stages[at].source, verdict)

    def _fewest(
        self,
        lineup: Lineup,
        at: int,
        giver: int,
        taker: int,
        chosen: Sequence[Piece],
        serves: Callable[[Lineup, Lineup, int], bool],
    ) -> Lineup | None:
        """The same with no part that is not needed for what it ``serves``; None where all are."""
        kept, best = list(chosen), None
        if not 1 < len(kept) <= _FEW:
            return None
        for piece in sorted(chosen, key=lambda one: -one.lines):
            less = [one for one in kept if one is not piece]
            new = shifted(self.suspects.repo, lineup, giver, taker, less) if less else None
            if (
                new is not None and self.tried < _MOST_TRIES - 1
            ):  # the last is for what stands behind
                self.tries(_transfer(lineup, giver, taker, less))
                if serves(lineup, new, at):
                    kept, best = less, new
        return best


def _transfer(lineup: Lineup, giver: int, taker: int, pieces: Sequence[Piece]) -> str:
    where = "from" if giver > taker else "left to"
    return f"a try: {in_words(pieces)} {where} step {lineup.stages[max(giver, taker)].number}"
