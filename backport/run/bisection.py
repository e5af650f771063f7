# SPDX-License-Identifier: GPL-2.0-or-later
"""Which step of a range or of a series breaks: every answer from the cache counts, the rest is tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from backport.config import Settings
from backport.errors import Conflict, MissingPrerequisite
from backport.gateway.commits import commit_patch
from backport.gateway.repository import Repo
from backport.planning.given import Source
from backport.run.journal import Journal
from backport.run.preview import foresee
from backport.run.request import Progress
from backport.validate.bisect import Found, search
from backport.validate.core import settled
from backport.validate.prover import Prover, Target
from backport.verdicts import State, StepVerdict
from series.model import Oid, shown


class Bisection(Struct, frozen=True):
    """``steps`` begin with the tree before the first patch; ``verdicts`` are by their number."""

    found: Found
    steps: tuple[Target, ...]
    verdicts: Mapping[int, StepVerdict]
    from_cache: int
    dependents: tuple[int, ...] = ()
    """The later steps that need the first one that fails: left out, it takes them along."""
    merged: str = ""
    """The range that the first one that fails merges; empty where it is no merge."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Of the patches."""
        return tuple(target.subject for target in self.steps[1:])


def series_targets(
    repo: Repo, onto: Oid, sources: Sequence[Source], settings: Settings
) -> tuple[Target, ...]:
    """The commits that a series would make on ``onto``.  Raises where it does not apply as a whole."""
    outlook = foresee(repo, onto, sources, settings)
    if outlook.blockers:
        raise MissingPrerequisite(
            "the series lacks a prerequisite",
            "`backport plan` names it; --prerequisites take adds it",
        )
    if outlook.stopped is not None:
        raise Conflict(
            f"{outlook.stopped[0].name} does not apply", "`backport apply` lays the conflict out"
        )
    made = [
        (step.commit, patch)
        for step, patch in zip(outlook.state.steps, outlook.patches, strict=True)
        if step.commit is not None
    ]
    return tuple(
        Target(number, commit, shown(patch.subject))
        for number, (commit, patch) in enumerate(made, 1)
    )


def bisect(
    repo: Repo,
    settings: Settings,
    start: Oid,
    targets: Sequence[Target],
    progress: Progress,
    *,
    every: bool,
) -> Bisection:
    """Find the first of ``targets`` that fails; ``every`` tries them all, in order."""
    steps = (Target(0, start, "the branch itself"), *targets)
    settings, _ = settled(settings, (repo.tree(step.commit) for step in reversed(steps)))
    verdicts: dict[int, StepVerdict] = {}
    known: dict[int, State] = {}
    with Journal(repo.state_dir).locked(), Prover(repo, settings) as prover:
        prover.note = progress.note
        for note in prover.notes:
            progress.note(note)
        for step in steps:
            cached = prover.known(step)
            if cached is not None:
                verdicts[step.number] = cached
                known[step.number] = cached.state
        progress.phase("bisect", len(steps) - len(known))
        prover.begun = lambda target, what: progress.under_way(
            target.number, len(targets), target.subject, what
        )

        def test(number: int) -> State:
            verdicts[number] = prover.prove_one(steps[number], audit=False)
            progress.verdict(number, len(targets), verdicts[number])
            return verdicts[number].state

        from_cache = len(known)
        while True:
            if every:
                for number in range(len(steps)):
                    if number not in known:
                        known[number] = test(number)
            found = search(len(targets), test, known)
            if all(prover.bears_out(steps[n], verdicts[n]) for n in found.rests_on):
                break
            known.clear()
            verdicts.clear()
    if not found.first_bad:
        return Bisection(found, steps, verdicts, from_cache)
    needing = _dependents(repo, start, targets, found.first_bad)
    merged = _merged(repo, steps[found.first_bad].commit)
    return Bisection(found, steps, verdicts, from_cache, needing, merged)


def _merged(repo: Repo, commit: Oid) -> str:
    """What a merge brought in, as a range; empty for a commit that is none."""
    short = commit[:12]
    return f"{short}^1..{short}^2" if len(repo.parents(commit)) > 1 else ""


def _dependents(repo: Repo, start: Oid, targets: Sequence[Target], bad: int) -> tuple[int, ...]:
    """The steps after ``bad`` that need it, directly or by way of others."""
    from series.graph.dependencies import build_graph, dependents

    patches = [commit_patch(repo, target.commit) for target in targets]
    graph = build_graph(patches, repo.tree(start))
    return tuple(node + 1 for node in sorted(dependents(graph, [bad - 1])) if node + 1 != bad)
