# SPDX-License-Identifier: GPL-2.0-or-later
"""The steps of a run: which item was dealt with, what came of it, and in which way."""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct

from backport.history.other_branch import AsBranch
from backport.pick.outcome import How
from backport.planning.items import Item
from backport.run.worth import Part, Worth
from series.model import Oid


class StepState(StrEnum):
    """What came of an item."""

    APPLIED = "applied"
    ALREADY = "already"
    """The branch, or its tree, has it."""
    RESOLVED = "resolved"
    """By the user's hand."""
    SKIPPED = "skipped"
    """By the user's word."""


class PickClass(StrEnum):
    """How far the result of a pick may be trusted by itself."""

    AUTOMATIC = "automatic"
    DOUBT = "doubt"
    """It went on, and may be wrong for the branch."""
    PROPOSAL = "proposal"
    """It conflicts, and could be resolved so."""


class Reason(Struct, frozen=True):
    """Why a step came out as it did, for a person."""

    text: str

    def __str__(self) -> str:
        return self.text


Way = How | AsBranch | Reason
"""How a patch went on by itself, that another branch's version did, or why none of it was needed."""


class Step(Struct, frozen=True):
    """One item of the order, done; ``commit`` is None where there is nothing to commit."""

    item: Item
    state: StepState
    how: Way
    commit: Oid | None
    notes: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    """What of it the branch has already, where it does not have all of it."""
    doubts: tuple[str, ...] = ()
    """Those of the notes that say why the result may be wrong for the branch."""

    @property
    def by_hand(self) -> bool:
        """Whether the user has decided what came of it."""
        return self.state in (StepState.RESOLVED, StepState.SKIPPED)

    @property
    def pick_class(self) -> PickClass | None:
        """None where no pick went on by itself."""
        if self.state is not StepState.APPLIED:
            return None
        if self.how is How.PROPOSED:
            return PickClass.PROPOSAL
        return PickClass.DOUBT if self.doubts else PickClass.AUTOMATIC

    @property
    def worth(self) -> Worth | None:
        """Whether the patch is still needed; None where the user left it out."""
        if self.state is StepState.SKIPPED:
            return None
        if self.state is StepState.ALREADY:
            return Worth.OBSOLETE
        return Worth.IN_PART if self.parts else Worth.NEEDED


_AS_BRANCH = re.compile(r"as (.+) has it")


def parse_way(state: StepState, text: str) -> Way:
    """A way as ``str`` writes it; of a step that was not applied it is a reason."""
    if state is not StepState.APPLIED:
        return Reason(text)
    match = _AS_BRANCH.fullmatch(text)
    return AsBranch(match[1]) if match else How(text)
