# SPDX-License-Identifier: GPL-2.0-or-later
"""What would come of one item on one tree: for the run, and for the plan behind the place where it stops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from backport.counted import counted
from backport.errors import Unaccounted
from backport.gateway.repository import Repo
from backport.gateway.trees import TreeView
from backport.history.index.ledger import ledger_of
from backport.history.presence import Claim, Present
from backport.history.siblings import Chosen, Siblings, Versions
from backport.history.taken_back import added_and_gone, is_taken_back
from backport.levels import Allow
from backport.pick.allowance import Allowance
from backport.pick.base_tree import Based, BaseTree
from backport.pick.outcome import How, Picked
from backport.planning.items import Item, Posted
from backport.planning.plan import Plan
from backport.run.journal import RunState
from backport.run.proposing import proposed
from backport.run.special_files import refuse_special
from backport.run.steps import Reason, Step, StepState
from backport.run.worth import Part
from series.model import Oid, Patch, shown

if TYPE_CHECKING:
    from backport.pick.proposals import Proposal

_MOST_NAMED = 6


class Judged(Struct, frozen=True):
    """The step that an item comes to, without its commit; None where it stops on ``picked``."""

    patch: Patch
    step: Step | None
    picked: Picked | None
    """None where the branch has the patch for sure, so that nothing was picked."""


class Judge:
    """Judges the items of a run, each on the tree that it is given, in order."""

    def __init__(self, repo: Repo, plan: Plan, state: RunState) -> None:
        self._repo = repo
        self._plan = plan
        self._onto = state.onto
        settings = state.settings
        allowance = Allowance(settings.fuzz, Allow.BINARY_STUB in settings.allow)
        self.siblings = Siblings(
            repo,
            state.onto,
            state.siblings,
            plan.series.patches,
            allowance,
            Versions(repo, ledger_of(repo)),
        )
        self._present = _present(repo, state)
        self._base = None
        if settings.base is not None:
            name = settings.base[:12]
            self._base = BaseTree(repo.objects, repo.tree(repo.commit(settings.base)), name)
        self._based: dict[Item, Based] = {}
        for step in state.steps:
            self._on_base(step.item)

    def judge(self, tree: TreeView, item: Item) -> Judged:
        """Put ``item`` on ``tree``."""
        patch = self._plan.patch(self._repo, item)
        claim = self._present.find(patch)
        had: tuple[str, ...] = ()
        if claim is not None and self._is_taken_back(tree, item, claim):
            had, claim = (claim.undone,), None  # content decides
        based = self._on_base(item)
        if claim is not None and claim.sure:
            return Judged(patch, self._claimed(tree, item, claim), None)
        if based is None:
            chosen = self.siblings.choose(tree, patch, item=str(item))
        else:
            chosen = self.siblings.choose(tree, based.patch, based.made_on, str(item))
        if chosen.picked.clean:
            refuse_special(self._repo, tree, patch, chosen.picked)
            step = _settled(item, patch, chosen, based)
            if claim is not None:
                had = (claim.doubt,)
            if step.state is StepState.APPLIED:
                step = replace(step, notes=(*had, *step.notes))
            return Judged(patch, step, chosen.picked)
        if claim is not None:
            return Judged(patch, self._claimed(tree, item, claim), chosen.picked)
        return Judged(
            patch, None, _with_notes(chosen.picked, (*had, *(based.notes if based else ())))
        )

    def _is_taken_back(self, tree: TreeView, item: Item, claim: Claim) -> bool:
        """Whether something that the branch or the run did since has taken it back; what a later patch
        of the run does, which the branch has as well, does not count: both are there."""
        repo, commit = self._repo, claim.commit
        did = self._present.changes(commit)

        def gone(there: TreeView, tip: Oid) -> bool:
            return is_taken_back(repo, there, tip, commit, did)

        reverted_by = self._present.reverted_by(commit)
        return (reverted_by is not None or gone(tree, self._onto)) and not any(
            taker == reverted_by
            or (gone(repo.tree(taker), taker) and not gone(repo.tree(before), before))
            for taker in self._later_claims(item, commit)
            for before in repo.parents(taker)[:1]
        )

    def _claimed(self, tree: TreeView, item: Item, claim: Claim) -> Step:
        """The step of an item that the branch has, with a word for what of it may be gone."""
        paths = added_and_gone(self._repo, tree, self._present.changes(claim.commit))
        notes = tuple(
            f"{shown(path)}: none of the lines that {claim.commit[:12]} added is there now; see"
            f" `git log {claim.commit[:12]}.. -- {shown(path)}`"
            for path in paths
            if not any(True for _ in self._later_claims(item, claim.commit))
        )
        return Step(item, StepState.ALREADY, Reason(claim.why), None, notes)

    def _later_claims(self, item: Item, commit: Oid) -> Iterator[Oid]:
        """What the branch has of later patches that touch a path which ``commit`` does."""
        repo, items = self._repo, self._plan.items
        paths = {x for c in self._present.changes(commit) for x in (c.old_path, c.new_path)}
        for other in items[items.index(item) + 1 :] if item in items else ():
            patch = self._plan.patch(repo, other)
            if any(x in paths for c in patch.changes for x in (c.old_path, c.new_path) if x):
                later = self._present.find(patch)
                if later is not None:
                    yield later.commit

    def proposal(
        self, tree: TreeView, state: RunState, number: int, picked: Picked
    ) -> Proposal | None:
        """How ``picked``, on which item ``number`` (from 0) stops on ``tree``, could be resolved."""
        return proposed(self._repo, self._plan, state, self.siblings, number, tree, picked)

    def _on_base(self, item: Item) -> Based | None:
        if self._base is None or not isinstance(item, Posted):
            return None
        if item not in self._based:
            self._based[item] = self._base.take(self._plan.patch(self._repo, item))
        return self._based[item]


def _with_notes(picked: Picked, notes: Sequence[str]) -> Picked:
    """The clashes, the first with words for what the branch had, and what does not fit ``--base``."""
    if not notes:
        return picked
    first, *more = picked.clashes
    first = replace(first, reason="; ".join((first.reason, *notes)))
    return replace(picked, clashes=(first, *more))


def _settled(item: Item, patch: Patch, chosen: Chosen, based: Based | None) -> Step:
    picked = chosen.picked
    notes = tuple(f"{shown(c.path)}: {note}" for c in picked.changes for note in c.notes)
    notes = (*chosen.notes, *_in_part(picked), *(based.notes if based else ()), *notes)
    if len(picked.changes) != len(chosen.patch.changes):
        raise Unaccounted(
            f"{len(picked.changes)} of {counted(len(chosen.patch.changes), 'file')} of {patch.name} were"
            " dealt with"
        )
    if picked.already and patch.changes:
        return Step(item, StepState.ALREADY, Reason("the tree has all of it"), None, notes)
    if not patch.changes:
        return Step(item, StepState.ALREADY, Reason("changes nothing"), None, notes)
    return Step(item, StepState.APPLIED, chosen.how or picked.how, None, notes, _parts(picked))


def _parts(picked: Picked) -> tuple[Part, ...]:
    """What the tree has of a patch that goes on."""
    there = (c for c in picked.changes if c.how is How.ALREADY or c.had)
    return tuple(Part(shown(c.path), "" if c.how is How.ALREADY else c.had) for c in there)


def _in_part(picked: Picked) -> tuple[str, ...]:
    """A word where the tree has some of the files' changes and not the others."""
    there = [change.path for change in picked.changes if change.how is How.ALREADY]
    if not there or len(there) == len(picked.changes):
        return ()
    paths = ", ".join(map(shown, there[:_MOST_NAMED]))
    more = ", ..." if len(there) > _MOST_NAMED else ""
    return (
        f"in part already: {paths}{more}, {len(there)} of {counted(len(picked.changes), 'file')}",
    )


def _present(repo: Repo, state: RunState) -> Present:
    if state.settings.upstream is None:
        return Present(repo, state.onto, None)
    upstream = repo.branch_tip(state.settings.upstream)
    span = ledger_of(repo).span(state.onto, upstream)
    if span is None or span.hidden is None:
        return Present(repo, state.onto, repo.merge_base(state.onto, upstream))
    return Present(repo, state.onto, span.hidden, [entry.references for entry in span.entries])
