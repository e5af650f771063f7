# SPDX-License-Identifier: GPL-2.0-or-later
"""What `apply` would do: which steps it would build, and about how long that takes; nothing is written."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from msgspec import Struct

from backport.builds.sandbox import boxed_as
from backport.builds.step_build import KIND, build_key
from backport.builds.toolchain import surroundings
from backport.config import Settings, level_of
from backport.gateway.repository import Repo
from backport.gateway.submodules import Submodules
from backport.levels import Level
from backport.planning.given import Source
from backport.run.preview import Outlook, foresee
from backport.store.cache import Cache
from backport.validate.core import settled
from series.model import Oid, shown

_MOST = 50
"""Earlier builds that an estimate is made from."""


class Rehearsed(Struct, frozen=True):
    """One step: ``cached`` where its build is known."""

    number: int
    subject: str
    cached: bool


class Rehearsal(Struct, frozen=True):
    """``steps`` would make commits; ``each`` is the median of ``builds`` earlier builds, in seconds."""

    outlook: Outlook
    command: str | None
    proven: str
    steps: tuple[Rehearsed, ...]
    builds: int
    each: float


def rehearse(repo: Repo, branch: str, sources: Sequence[Source], settings: Settings) -> Rehearsal:
    """Put the series on the branch in memory, and look its builds up in the cache."""
    outlook = foresee(repo, repo.branch_tip(branch), sources, settings)
    made = [
        (number, step.commit, shown(patch.subject))
        for number, (step, patch) in enumerate(
            zip(outlook.state.steps, outlook.patches, strict=False), 1
        )
        if step.commit is not None
    ]
    if level_of(settings)[0] is Level.NONE:
        steps = tuple(Rehearsed(number, subject, True) for number, _, subject in made)
        return Rehearsal(outlook, None, level_of(settings)[1], steps, 0, 0.0)
    settings, proven = settled(settings, (repo.tree(commit) for _, commit, _ in made))
    command = settings.build or ""
    cache = Cache(repo.state_dir / "cache")
    env = repo.environment.for_builds(settings.passenv)
    around = surroundings(
        command,
        repo.state_dir / "build",
        env,
        settings.writable,
        boxed_as(settings.sandbox, settings.readable),
    )
    submodules = Submodules(repo)

    def known(commit: Oid) -> bool:
        key = build_key(repo.tree(commit).id, around, submodules.absent(commit))
        return cache.get(KIND, key) is not None

    steps = tuple(Rehearsed(number, subject, known(commit)) for number, commit, subject in made)
    took = [
        float(answer["seconds"])
        for answer in cache.recent(KIND, _MOST)
        if answer.get("command") == command
    ]
    each = statistics.median(took) if took else 0.0
    return Rehearsal(outlook, command, proven, steps, len(took), each)
