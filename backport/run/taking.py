# SPDX-License-Identifier: GPL-2.0-or-later
"""Commits of upstream that are taken for a patch: few, near, and only if they carry it.

A blocker is taken where the advice is to take it (see survey/advisor): it goes on by itself and needs nothing
else, so nothing is taken for the sake of what was taken.  If the patch still does not go on, nothing stays of
what was taken for it, and the run stops on the patch as if nothing had been.

Measured on 29 conflicts of Xen's staging-4.17, each patch on the branch as it was 40 commits before: of 119
blockers the maintainer took 49, of the 18 that are advised 11, and of the 5 that carry their patch 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from backport.gateway.repository import Repo
from backport.pick.outcome import Picked
from backport.planning.items import Item, Taken
from backport.planning.plan import Plan
from backport.run.journal import RunState
from backport.survey.advice import Advice, Advised
from series.model import Oid, Patch

if TYPE_CHECKING:
    from backport.history.upstream import Blocker

MOST_FOR_ONE = 5
"""Commits that are taken for one patch."""
MOST_TAKEN = 40
"""Commits that are taken in one run."""


class Waiting(Struct, frozen=True):
    """A patch that does not go on, before anything was taken for it, and what it waits for."""

    state: RunState
    item: Item
    patch: Patch
    picked: Picked
    blockers: tuple[Blocker, ...]
    advised: tuple[Advised, ...]
    """What to do about each blocker; empty where that was not looked into."""

    def disproven(self, tried: Sequence[Oid]) -> tuple[Advised, ...]:
        """The advice, now that the patch does not go on with those either."""
        return tuple(
            Advised(Advice.ADAPT, "the patch does not go on with it either")
            if blocker.commit in tried
            else advised
            for blocker, advised in zip(self.blockers, self.advised, strict=True)
        )


class Taker:
    """Chooses what is taken in one run."""

    def __init__(self, repo: Repo, plan: Plan) -> None:
        self._repo = repo
        self._plan = plan

    def advise(self, state: RunState, blockers: Sequence[Blocker]) -> tuple[Advised, ...]:
        """What to do about each of ``blockers``.  Cost on Xen: up to a second each."""
        from backport.survey.advisor import Advisor

        upstream = state.settings.upstream
        if upstream is None:  # the conflict says so
            return ()
        repo, branch = self._repo, state.branch.removeprefix("refs/heads/")
        advisor = Advisor(repo, branch, state.onto, upstream, state.siblings)
        advised = advisor.advise(repo.tree(state.tip), blockers, self._put_on(state))
        return _bounded(advised, len(_group(state)), len(taken(state)))

    def _put_on(self, state: RunState) -> tuple[Patch, ...]:
        """What the run has put on so far."""
        made = (step.item for step in state.steps if step.commit is not None)
        return tuple(self._plan.patch(self._repo, item) for item in made)


def _bounded(advised: Sequence[Advised], here: int, before: int) -> tuple[Advised, ...]:
    """The advice, without what would be too much beside those that were taken for the patch and the run."""
    many = sum(one.advice is Advice.TAKE for one in advised)
    if here + many <= MOST_FOR_ONE and before + many <= MOST_TAKEN:
        return tuple(advised)
    over = (
        f"{here + many} commits for one patch, and at most {MOST_FOR_ONE} are taken"
        if here + many > MOST_FOR_ONE
        else f"{before + many} commits in one run, and at most {MOST_TAKEN} are taken"
    )
    return tuple(
        Advised(Advice.ADAPT, f"{one.because}, but that makes {over}")
        if one.advice is Advice.TAKE
        else one
        for one in advised
    )


def chosen(blockers: Sequence[Blocker], advised: Sequence[Advised]) -> tuple[Taken, ...]:
    """What is to be taken."""
    both = zip(blockers, advised, strict=True)
    return tuple(Taken(blocker.commit) for blocker, one in both if one.advice is Advice.TAKE)


def taken(state: RunState) -> frozenset[Oid]:
    """The prerequisites that the run has taken from upstream."""
    return frozenset(item.commit for item in state.items if isinstance(item, Taken))


def with_taken(repo: Repo, state: RunState, new: tuple[Taken, ...]) -> RunState:
    """The state with ``new`` before the item that waits for them, in upstream's order with what was taken
    for it before; steps behind the first that moves are undone.

    What the user has resolved or skipped stays as it is, and what was taken before it, too.
    """
    before, at = _group(state), len(state.steps)
    start = at - len(before)
    assert state.settings.upstream is not None
    wanted = dict.fromkeys((*before, *new))
    ranks = _upstream_order(repo, state.settings.upstream, tuple(wanted))
    group = sorted(wanted, key=lambda item: ranks.get(item, 0))
    same = next((n for n, item in enumerate(before) if group[n] != item), len(before))
    items = (*state.items[:start], *group, *state.items[at:])
    return replace(state, items=items, steps=state.steps[: start + same])


def _group(state: RunState) -> tuple[Item, ...]:
    """What was taken for the item that comes next, and stands directly before it."""
    at = start = len(state.steps)
    while (
        start and isinstance(state.items[start - 1], Taken) and not state.steps[start - 1].by_hand
    ):
        start -= 1
    return state.items[start:at]


def _upstream_order(repo: Repo, upstream: str, items: Sequence[Item]) -> dict[Item, int]:
    """The places of commits of ``upstream`` in its history, oldest first; of one alone none is looked for."""
    if len(items) < 2:
        return {}
    left = {item.commit: item for item in items if isinstance(item, Taken)}
    ranks: dict[Item, int] = {}
    for commit in repo.log(repo.branch_tip(upstream)):
        if commit in left:
            ranks[left.pop(commit)] = -len(ranks)
        if not left:
            break
    return ranks
