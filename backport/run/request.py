# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run is asked for, what it tells while it goes on, and what it comes to."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from backport.config import Settings
from backport.gateway.repository import Repo
from backport.planning.given import Source
from backport.planning.plan import Plan
from backport.run.accounting import Tally
from backport.run.journal import RunState
from backport.run.steps import Step
from backport.verdicts import StepVerdict
from series.model import Oid, Patch


class Progress(Protocol):
    """What a run tells while it goes on."""

    def phase(self, name: str, total: int) -> None:
        """A phase begins; ``total`` steps lie ahead of it."""

    def step(self, number: int, total: int, patch: Patch, step: Step) -> None:
        """A patch has been dealt with."""

    def under_way(self, number: int, total: int, subject: str, what: str) -> None:
        """A step is being built (``what`` is the command), or its emulation is waited for."""

    def verdict(self, number: int, total: int, verdict: StepVerdict) -> None:
        """A step has been validated."""

    def note(self, text: str) -> None:
        """Something that the user should know."""


class Result(Struct, frozen=True):
    """A run that came to its end."""

    state: RunState
    plan: Plan
    subjects: tuple[str, ...]
    """Of the steps, fit for a screen."""
    tally: Tally
    """What became of everything that was named."""
    verdicts: tuple[StepVerdict, ...] = ()
    proven: str = ""
    """How far each step was proven, or why not at all."""

    @property
    def tip(self) -> Oid:
        """The commit the target now points at."""
        return self.state.end


class Validation(Protocol):
    """Proves the steps of a run (see validate)."""

    def __call__(
        self, repo: Repo, plan: Plan, state: RunState, progress: Progress
    ) -> tuple[tuple[StepVerdict, ...], str]: ...


class Request(Struct, frozen=True):
    """What the user asked for."""

    branch: str
    sources: tuple[Source, ...]
    settings: Settings
    to: str | None = None


def pinned(repo: Repo, settings: Settings) -> Settings:
    """The settings with the commit that ``base`` names now: a run that is carried on means the same one."""
    return replace(settings, base=repo.commit(settings.base)) if settings.base else settings
