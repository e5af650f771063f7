# SPDX-License-Identifier: GPL-2.0-or-later
"""Every step of a range booted, each compared with the one before it."""

from __future__ import annotations

from backport.config import Settings
from backport.gateway.repository import Repo
from backport.run.journal import Journal
from backport.run.range import read_line
from backport.run.request import Progress
from backport.validate.behaviour import Seen, follow
from backport.validate.prover import Prover, Target


def boot_range(
    repo: Repo, settings: Settings, commits: str, progress: Progress, reference: str | None
) -> tuple[Seen, ...]:
    """What ``A..B`` stands on, then each step of its line; the last against ``reference``, if given."""
    given = read_line(repo, commits)
    targets = (Target(0, given.start, "(the start)"), *given.targets)
    other = Target(len(targets), repo.commit(reference), reference) if reference else None
    with Journal(repo.state_dir).locked(), Prover(repo, settings) as prover:
        for note in prover.notes:
            progress.note(note)
        progress.phase("behaviour", len(targets))
        verdicts = prover.prove(
            targets,
            lambda v: progress.verdict(v.number, len(given.targets), v),
            keep_going=True,
        )
        compared = prover.prove_one(other) if other else None
    return follow(verdicts, compared)
