# SPDX-License-Identifier: GPL-2.0-or-later
"""How one step that does not build can be repaired, the smallest change of the series first.

1. A later patch goes before it, with what that needs: no line leaves its patch.
2. A few lines of a later patch go into it; then as few of them as still repair it.
3. A few lines of it go into a later patch: what is not used before, say.

Each is tried by building the steps that it touches.  Nothing before the step changes, and it builds then:
so the whole comes to an end.  Cost: at most ``_MOST_BUILDS`` builds a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from backport.gateway.commits import commit_changes
from backport.mend.lineup import Lineup, moved_up, shifted
from backport.mend.pieces import Piece
from backport.mend.suspects import Complaint, Suspects, complaint_of, headers, relevant
from backport.verdicts import State, StepVerdict
from series.model import Identity, Patch

_MOST_BUILDS = 40
_MOST_MOVED = 4
"""Patches that go before a step together."""
_ROUNDS = 4
"""Times that lines are added for the errors that come up behind the first ones."""
_FEW = 8
"""More parts than that are not made fewer one by one."""
_REACH = 6
"""Steps that lines may pass on the way to a later patch."""

Prove = Callable[[Lineup, int], StepVerdict]
"""Builds the step at a place (from 0)."""


class _Exhausted(Exception):
    """No further build for this step."""


@dataclass(slots=True)
class Search:
    """Repairs the steps of a lineup, one at a time."""

    suspects: Suspects
    prove: Prove
    good: Callable[[Lineup], Iterable[int]]
    """The places of the steps that are known to build."""
    builds: int = field(default=0)

    def mend(self, lineup: Lineup, at: int, verdict: StepVerdict) -> Lineup | None:
        """The lineup with the step at ``at`` repaired; None where no way is found."""
        complaint = complaint_of(verdict)
        self.builds = 0
        later = self.suspects.repairers(lineup, at, complaint, self.good(lineup))
        try:
            for way in (self._up, self._into, self._out):
                for other in later:
                    for found in way(lineup, at, other, complaint):
                        return found
        except _Exhausted:
            return None
        return None

    def _builds(self, lineup: Lineup, places: Iterable[int]) -> StepVerdict | None:
        """None where all of these steps build; else the verdict on the first that does not."""
        for place in places:
            if self.builds >= _MOST_BUILDS:
                raise _Exhausted
            self.builds += 1
            verdict = self.prove(lineup, place)
            if verdict.state not in (State.PASSED, State.ABSENT):
                return verdict
        return None

    def _up(self, lineup: Lineup, at: int, other: int, _: Complaint) -> Iterator[Lineup]:
        """The later patch before this one; alone, else with those between that it needs."""
        for chosen in ((other,), self._with_needs(lineup, at, other)):
            new = moved_up(self.suspects.repo, lineup, chosen, at) if chosen else None
            if new is not None:
                if self._builds(new, range(at, at + len(chosen) + 1)) is None:
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

    def _into(self, lineup: Lineup, at: int, other: int, complaint: Complaint) -> Iterator[Lineup]:
        """Lines of the later patch into this one."""
        found = self._shift(lineup, at, other, at, complaint)
        if found is not None:
            yield found

    def _out(self, lineup: Lineup, at: int, other: int, complaint: Complaint) -> Iterator[Lineup]:
        """Lines of this one into the later patch."""
        if other - at <= _REACH:
            found = self._shift(lineup, at, at, other, complaint)
            if found is not None:
                yield found

    def _shift(
        self, lineup: Lineup, at: int, giver: int, taker: int, complaint: Complaint
    ) -> Lineup | None:
        """Headers alone, where a name is lacking; else all that concerns the complaint."""
        pieces = self.suspects.pieces(lineup, giver)
        places = range(at, max(at + 1, max(giver, taker) if taker > giver else at + 1))
        for chosen in dict.fromkeys((headers(pieces, complaint), relevant(pieces, complaint))):
            found = self._shift_from(lineup, giver, taker, pieces, chosen, places)
            if found is not None:
                return found
        return None

    def _shift_from(
        self,
        lineup: Lineup,
        giver: int,
        taker: int,
        pieces: Sequence[Piece],
        chosen: tuple[Piece, ...],
        places: range,
    ) -> Lineup | None:
        """These parts, and those that the errors behind the first ones ask for."""
        for _ in range(_ROUNDS):
            if not chosen:
                return None
            new = shifted(self.suspects.repo, lineup, giver, taker, chosen)
            if new is None:
                return None
            verdict = self._builds(new, places)
            if verdict is None:
                return self._fewest(lineup, giver, taker, chosen, places) or new
            more = relevant(pieces, complaint_of(verdict))
            if set(more) <= set(chosen):
                return None
            chosen = tuple(piece for piece in pieces if piece in chosen or piece in more)
        return None

    def _fewest(
        self,
        lineup: Lineup,
        giver: int,
        taker: int,
        chosen: Sequence[Piece],
        places: range,
    ) -> Lineup | None:
        """The same with no part that is not needed; None where all of them are."""
        kept, best = list(chosen), None
        if not 1 < len(kept) <= _FEW:
            return None
        for piece in sorted(chosen, key=lambda one: -one.lines):
            less = [one for one in kept if one is not piece]
            new = shifted(self.suspects.repo, lineup, giver, taker, less) if less else None
            if new is not None and self._builds(new, places) is None:
                kept, best = less, new
        return best
