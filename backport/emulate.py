# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulation of one step's core at object level, as a validator with a cache.

The answer is a function of the object's bytes, the profile and the emulator's own code, so steps
that leave the core alone cost nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from backport.accept import is_accepted
from backport.cache import Cache, digest, tool_version
from backport.verdicts import State, Verdict
from emu.object import emulate_object
from emu.profile import Profile
from emu.verdict import Finding, ObjectReport, Outcome

_KIND = "object"
_STATES = {
    Outcome.PASSED: State.PASSED,
    Outcome.FAILED: State.FAILED,
    Outcome.CANNOT_TELL: State.CANNOT_TELL,
    Outcome.ABSENT: State.ABSENT,
}


@dataclass(frozen=True, slots=True)
class Emulation:
    """One object's emulation, under way or known."""

    key: str
    cached: ObjectReport | None
    future: Future[ObjectReport] | None = None


class Oracle:
    """Emulates objects with one profile."""

    def __init__(
        self, cache: Cache, profile: Profile, executor: Executor, accepted: Sequence[str] = ()
    ) -> None:
        self.cache = cache
        self.profile = profile
        self.executor = executor
        self.accepted = tuple(accepted)

    def begin(self, sha: str) -> Emulation:
        """Start on the object kept under ``sha``; returns at once."""
        key = digest("object-1", sha, self.profile.digest, tool_version("emu"))
        answer = self.cache.get(_KIND, key)
        if answer is not None:
            return Emulation(key, ObjectReport.from_json(answer))
        data = self.cache.blob(sha)
        assert data is not None, "the build keeps what it hands on"
        return Emulation(key, None, self.executor.submit(run_object, data, self.profile))

    def finish(self, emulation: Emulation) -> Verdict:
        """The verdict; waits for it."""
        from emu.errors import EmuError

        report = emulation.cached
        if report is None:
            assert emulation.future is not None
            try:
                report = emulation.future.result()
            except EmuError as error:
                return Verdict("object", State.CANNOT_TELL, str(error))
            self.cache.put(_KIND, emulation.key, report.to_json())
        return verdict_of(report, self.accepted, cached=emulation.cached is not None)


def run_object(data: bytes, profile: Profile) -> ObjectReport:
    """What a worker process does."""
    return emulate_object(data, profile, depth="explore")


def verdict_of(
    report: ObjectReport, accepted: Sequence[str] = (), *, cached: bool = False
) -> Verdict:
    """A report as one verdict; findings that the user has accepted do not fail a step."""
    counts = Counter(result.outcome for result in report.results)
    live: list[Finding] = []
    failed = waived = 0
    for result in report.results:
        kept = [
            f for f in result.findings if not is_accepted(f"{f.invariant}:{f.scenario}", accepted)
        ]
        live += kept
        waived += len(result.findings) - len(kept)
        failed += result.outcome is Outcome.FAILED and bool(kept or not result.findings)
    lines = [
        f"{finding.invariant}: {scenarios[0]}"
        + (f" and {len(scenarios) - 1} more" if len(scenarios) > 1 else "")
        + f": {finding.message}"
        + (f" ({finding.where})" if finding.where else "")
        for finding, scenarios in merge_findings(live)
    ]
    state = _STATES[report.outcome]
    if state is State.FAILED and not failed:
        state = State.PASSED
    parts = [f"{counts[Outcome.PASSED]} scenarios pass"]
    parts += [f"{failed} fail"] if failed else []
    parts += [f"{waived} findings accepted"] if waived else []
    parts += (
        [f"{counts[Outcome.CANNOT_TELL]} cannot be told"] if counts[Outcome.CANNOT_TELL] else []
    )
    parts += [f"{counts[Outcome.ABSENT]} not there yet"] if counts[Outcome.ABSENT] else []
    data: dict[str, Any] = report.to_json()
    return Verdict("object", state, ", ".join(parts), tuple(lines), report.seconds, cached, data)


def merge_findings(findings: Sequence[Finding]) -> list[tuple[Finding, list[str]]]:
    """Each distinct finding once, with the scenarios in which it shows."""
    merged: dict[tuple[str, str, str], tuple[Finding, list[str]]] = {}
    for finding in findings:
        key = (finding.invariant, finding.message, finding.where)
        merged.setdefault(key, (finding, []))[1].append(finding.scenario)
    return list(merged.values())
