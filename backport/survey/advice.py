# SPDX-License-Identifier: GPL-2.0-or-later
"""What to do about a commit that a patch waits for: take it, adapt the patch without it, or wait.

Of 15 real conflicts 14 had their blockers named, and in 11 the maintainer adapted the patch instead of taking
them: so what is taken must go on by itself and bring nothing else along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from backport.counted import counted
from backport.gateway.commits import commit_patch
from backport.gateway.repository import Repo
from backport.history.statements import Statement, standing
from backport.survey.lineage import Lineage
from backport.survey.outlooks import Fate, View
from series.model import Oid

_WIDE = 10
"""Files; a commit that touches more is not taken for one fix."""


class Advice(StrEnum):
    """What to do about a blocker."""

    TAKE = "take"
    ADAPT = "adapt without it"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Advised:
    """An advice, and the reason for it."""

    advice: Advice
    because: str


def advise(
    repo: Repo,
    commit: Oid,
    own: View,
    mended: Sequence[Statement],
    pulls: Sequence[Oid],
    on: Sequence[str] = (),
) -> Advised:
    """On a commit that a patch cannot do without.

    ``own`` is what would come of the commit by itself, ``mended`` what upstream has done since to mend it or
    to take it back and the branch lacks, ``pulls`` its own direct blockers, ``on`` the newer branches that
    have it.
    """
    if mended:
        first = mended[-1]
        what = "reverted" if first.reverts else "mended"
        because = f"upstream has {what} it since: {first.commit[:12]} {first.subject!r}"
        return Advised(Advice.WAIT, because)
    wide = len(commit_patch(repo, commit).changes)
    if wide > _WIDE:
        return Advised(Advice.ADAPT, f"it changes {counted(wide, 'file')}")
    if own.fate is not Fate.GOES_ON:
        return Advised(Advice.ADAPT, f"it does not go on by itself: {own.fate}")
    if pulls:
        return Advised(Advice.ADAPT, f"it needs {counted(len(pulls), 'commit')} more")
    where = f", and {', '.join(on)} took it" if on else ""
    return Advised(Advice.TAKE, f"it goes on by itself and needs nothing else{where}")


def mended_since(lineage: Lineage) -> dict[Oid, list[Statement]]:
    """By commit: what upstream has done since to mend it, or to take it back.

    What upstream has reverted in its turn counts no more.
    """
    found: dict[Oid, list[Statement]] = {}
    for one in standing(lineage.upstream):
        for short in (*one.fixes, *one.amends, *one.reverts):
            whole = lineage.ids.find(short)
            if len(whole) == 1:
                found.setdefault(whole[0], []).append(one)
    return found
