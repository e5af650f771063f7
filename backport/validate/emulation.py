# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulation of what a step built, at object and at booted level, as validators with a cache.

An answer is a function of the file's bytes, the profile and the emulator's own code, so steps that
leave the core, or the image, alone cost nothing.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from msgspec import Struct

from backport.accepted import is_accepted
from backport.counted import counted
from backport.defects import Defect, defects
from backport.store.cache import ArtefactGone, Cache, digest, tool_version
from backport.verdicts import State, Validator, Verdict
from emu.abi import Mode
from emu.booted import emulate as boot
from emu.booted.emulate import BootReport
from emu.errors import EmuError, NoPvhEntry
from emu.findings.verdict import Finding, ObjectReport, Outcome
from emu.object import Pile, Share, ShareReport, emulate_share, join
from emu.profile import Profile

_STATES = {
    Outcome.PASSED: State.PASSED,
    Outcome.FAILED: State.FAILED,
    Outcome.CANNOT_TELL: State.CANNOT_TELL,
    Outcome.ABSENT: State.ABSENT,
}


class EmulationLevel(Struct, frozen=True):
    """One level of emulation: how it is run in parts, kept and read."""

    name: Validator
    parts: Callable[[int, Path], Sequence[Any]]
    """For so many processes, which can all write to this folder: what is done apart.  The report does not
    depend on it."""
    run: Callable[[bytes, Profile, Any], Any]
    """What a process does of one part."""
    join: Callable[[Profile, Sequence[Any]], Any]
    revive: Callable[[Mapping[str, Any]], Any]
    judge: Callable[[Any, Sequence[str], bool], Verdict]


class Emulation(Struct, frozen=True):
    """One file's emulation, under way or known."""

    level: EmulationLevel
    key: str
    cached: Any = None
    futures: tuple[Future[Any], ...] = ()


class Oracle:
    """Emulates what steps built, with one profile."""

    def __init__(
        self,
        cache: Cache,
        profile: Profile,
        executor: Executor,
        processes: int,
        folder: Path,
        accepted: Sequence[str] = (),
    ) -> None:
        """``folder``: for what the parts of one emulation have in common while it runs."""
        self.cache = cache
        self.profile = profile
        self.executor = executor
        self.processes = processes
        self.folder = folder
        self.accepted = tuple(accepted)

    def key(self, level: EmulationLevel, sha: str) -> str:
        """What the answer depends on."""
        return digest(f"{level.name}-1", sha, self.profile.digest, tool_version("emu"))

    def begin(self, level: EmulationLevel, sha: str) -> Emulation:
        """Start on the file kept under ``sha``; returns at once.  Raises `ArtefactGone`."""
        key = self.key(level, sha)
        answer = self.cache.get(level.name, key)
        if answer is not None:
            return Emulation(level, key, level.revive(answer))
        data = self.cache.blob(sha)
        if data is None:
            raise ArtefactGone(sha)
        submit = self.executor.submit
        parts = level.parts(self.processes, self.folder)
        futures = [submit(level.run, data, self.profile, part) for part in parts]
        return Emulation(level, key, None, tuple(futures))

    def finish(self, emulation: Emulation) -> Verdict:
        """The verdict; waits for it."""
        level, report = emulation.level, emulation.cached
        if report is None:
            try:
                parts = [future.result() for future in emulation.futures]
            except NoPvhEntry:
                return Verdict(level.name, State.ABSENT, "no PVH entry yet")
            except EmuError as error:
                return Verdict(level.name, State.CANNOT_TELL, str(error))
            report = level.join(self.profile, parts)
            self.cache.put(level.name, emulation.key, report.to_json())
        return level.judge(report, self.accepted, emulation.cached is not None)


def warm() -> None:
    """What a worker process does before there is anything to do: the libraries take a third of a second."""
    import capstone

    import emu.booted.emulate
    import emu.object

    del capstone, emu


def shares(processes: int, folder: Path) -> tuple[Share, ...]:
    """Of an object; each loads it again, which takes a tenth of the time of the whole."""
    handle, name = mkstemp(dir=folder)
    os.close(handle)
    return (Pile(Path(name)),) * max(1, min(processes, 4))


def run_object(data: bytes, profile: Profile, share: Share) -> ShareReport:
    """What a worker process does at object level."""
    return emulate_share(data, profile, share, depth="explore")


def modes(processes: int, folder: Path) -> tuple[Mode, ...]:
    """Of an image: each is booted by itself."""
    return boot.MODES


def judge_object(
    report: ObjectReport, accepted: Sequence[str] = (), cached: bool = False
) -> Verdict:
    """A report as one verdict; findings that the user has accepted do not fail a step."""
    live, waived = _weigh(report.findings, accepted)
    counts = Counter(result.outcome for result in report.results)
    failed = sum(
        result.outcome is Outcome.FAILED
        and (not result.findings or any(f in live for f in result.findings))
        for result in report.results
    )
    parts = [f"{counted(counts[Outcome.PASSED], 'scenario')} passed"]
    parts += [f"{failed} failed ({counted(len(defects(live)), 'defect')})"] if live else []
    parts += [f"{failed} failed"] if failed and not live else []
    parts += [f"{counted(waived, 'finding')} accepted"] if waived else []
    parts += [f"{counts[o]} {o.value}" for o in (Outcome.CANNOT_TELL,) if counts[o]]
    parts += [f"{counts[Outcome.ABSENT]} not in this core"] if counts[Outcome.ABSENT] else []
    state = _state(report.outcome, bool(failed))
    how = f"{', '.join(report.borrowed)}: layout from the probe" if report.borrowed else ""
    return Verdict(
        *(Validator.OBJECT, state, ", ".join(parts), _lines(live), report.seconds, cached),
        data=report.to_json(),
        how=how,
    )


def judge_boot(report: BootReport, accepted: Sequence[str] = (), cached: bool = False) -> Verdict:
    """A boot as one verdict: how far up the ladder, and what was found."""
    live, waived = _weigh(report.findings, accepted)
    reached = [milestone for milestone in report.ladder if milestone.reached]
    parts = [f"{len(reached)} of {counted(len(report.ladder), 'milestone')}"]
    parts += [f"to {reached[-1].name!r}"] if reached else []
    parts += [counted(report.calls, "hypercall")] if report.calls else []
    parts += (
        [f"{counted(len(live), 'finding')} of {counted(len(defects(live)), 'defect')}"]
        if live
        else []
    )
    parts += [f"{counted(waived, 'finding')} accepted"] if waived else []
    parts += [f"{len(report.unjudged)} could not be judged"] if report.unjudged else []
    state = _state(report.outcome, bool(live))
    return Verdict(
        Validator.BOOT,
        state,
        ", ".join(parts),
        _lines(live),
        report.seconds,
        cached,
        report.to_json(),
    )


OBJECT = EmulationLevel(
    Validator.OBJECT, shares, run_object, join, ObjectReport.from_json, judge_object
)
BOOT = EmulationLevel(
    Validator.BOOT, modes, boot.emulate_mode, boot.join, BootReport.from_json, judge_boot
)


def _weigh(findings: Sequence[Finding], accepted: Sequence[str]) -> tuple[list[Finding], int]:
    live = [
        finding
        for finding in findings
        if not finding.accepted
        and not is_accepted(f"{finding.invariant}:{finding.scenario}", accepted)
    ]
    return live, len(findings) - len(live)


def _state(outcome: Outcome, live: bool) -> State:
    state = _STATES[outcome]
    return State.PASSED if state is State.FAILED and not live else state


def _lines(live: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(_line(defect) for defect in defects(live))


def _line(defect: Defect) -> str:
    lead, scenarios = defect.lead, defect.scenarios
    more = f" and {len(scenarios) - 1} more" if len(scenarios) > 1 else ""
    place = f" ({lead.where})" if lead.where else ""
    return f"{lead.invariant}: {lead.scenario}{more}: {lead.message}{place}"
