# SPDX-License-Identifier: GPL-2.0-or-later
"""The validation phase of a run: which of its commits to prove, and telling how it goes."""

from __future__ import annotations

from msgspec import Struct

from backport.config import level_of
from backport.gateway.repository import Repo
from backport.levels import Level
from backport.planning.items import Item
from backport.planning.plan import Plan
from backport.run.journal import RunState
from backport.run.request import Progress
from backport.verdicts import StepVerdict
from series.model import shown


class Proof(Struct, frozen=True):
    """Proves every commit that a run has made."""

    keep_going: bool = False

    def __call__(
        self, repo: Repo, plan: Plan, state: RunState, progress: Progress
    ) -> tuple[tuple[StepVerdict, ...], str]:
        if level_of(state.settings)[0] is Level.NONE:
            return (), level_of(state.settings)[1]
        from backport.validate.core import settled
        from backport.validate.prover import Prover, Target

        targets = [
            Target(number, step.commit, _subject(plan, repo, step.item))
            for number, step in enumerate(state.steps, 1)
            if step.commit is not None
        ]
        trees = (repo.tree(target.commit) for target in reversed(targets))
        settings, proven = settled(state.settings, trees)
        with Prover(repo, settings) as prover:
            prover.note = progress.note
            for note in prover.notes:
                progress.note(note)
            progress.phase("validate", len(targets))
            prover.begun = lambda target, what: progress.under_way(
                target.number, len(state.steps), target.subject, what
            )

            def tell(verdict: StepVerdict) -> None:
                progress.verdict(verdict.number, len(state.steps), verdict)

            return prover.prove(targets, tell, keep_going=self.keep_going), proven


def _subject(plan: Plan, repo: Repo, item: Item) -> str:
    return shown(plan.patch(repo, item).subject)
