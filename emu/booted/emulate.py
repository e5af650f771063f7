# SPDX-License-Identifier: GPL-2.0-or-later
"""The booted level: a linked image in, a `BootReport` out.

The image is booted twice, with a 64-bit and with a 32-bit guest; from each guest's first instruction on
every scenario is a real hypercall from a snapshot.  It is booted once more with L0's PV console for itself
and a guest that writes and reads; the ring is the same for both kinds of guest.  Nothing of the image
itself is modelled, only what is below it, so the report says what the image does and not what a model of it
would.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from emu.abi import Mode
from emu.booted.drive import Drive, limits
from emu.booted.ending import Ended
from emu.booted.judging import Judge
from emu.booted.machine import Machine
from emu.booted.milestones import GUEST, climb, guest_rung
from emu.booted.selection import Selection
from emu.booted.starting import boot, boot_image, settings_of
from emu.booted.stories.pv_console import STORIES as PV_CONSOLE
from emu.booted.stories.pv_console import has_console
from emu.booted.stories.telling import Story, unreached
from emu.booted.turns import Runner
from emu.booted.variants import variants
from emu.elf.linked import LinkedImage, parse_image
from emu.errors import EmuError
from emu.findings.boot_report import BehaviourRow, BootReport, Milestone, Treatment
from emu.findings.invariant import Invariant
from emu.findings.verdict import Finding, Outcome
from emu.profile import Profile
from emu.rules import asking

MODES: tuple[Mode, ...] = (Mode.NATIVE, Mode.COMPAT)


@dataclass(frozen=True, slots=True)
class ModeReport:
    """What booting with a guest of one mode showed."""

    mode: Mode
    image_digest: str
    ladder: tuple[Milestone, ...]
    rows: tuple[BehaviourRow, ...]
    findings: tuple[Finding, ...]
    unjudged: tuple[str, ...]
    """What the emulation lacks to judge the boot."""
    console_rows: tuple[BehaviourRow, ...]
    """Of L0's PV console, in the first of `MODES`."""
    is_shim: bool
    console: str
    calls: int
    boot_seconds: float
    seconds: float


def emulate_image(
    elf: bytes, profile: Profile, *, only: str | None = None, deep: float = 0
) -> BootReport:
    """Boot an image and try every operation; ``only`` names one scenario (or one finding's rerun).

    ``deep``: for so many seconds boot it on the profile's other machines as well.

    Raises an `EmuError` for an image that cannot be started; whatever it does wrong is in the report.
    """
    report = join(profile, [emulate_mode(elf, profile, mode, only=only) for mode in MODES])
    entered = any(rung.reached for rung in report.ladder if rung.name in GUEST.values())
    if only is not None and entered and not report.behaviour:
        what = f"{only!r} does not run in a booted image"
        raise EmuError(what, profile.origin, "no guest can bring it about: give the object file")
    return _deepened(report, parse_image(elf), profile, deep) if deep and entered else report


def _deepened(report: BootReport, image: LinkedImage, profile: Profile, deep: float) -> BootReport:
    """With what becomes of the image on other machines."""
    started = time.perf_counter()
    rows = (*report.behaviour, *variants(image, profile, deep))
    return replace(
        report,
        behaviour=rows,
        outcome=_outcome(rows, report.boot_findings, report.boot_unjudged, is_shim=True)
        if report.outcome is not Outcome.ABSENT
        else report.outcome,
        seconds=report.seconds + time.perf_counter() - started,
    )


def emulate_mode(
    elf: bytes, profile: Profile, mode: Mode, *, only: str | None = None
) -> ModeReport:
    """The half with one mode of guest, which needs nothing of the other; raises as `emulate_image` does."""
    started = time.perf_counter()
    image = parse_image(elf)
    run = _Run(image, profile, Selection.parse(only, profile), mode)
    run.boot()
    if mode == MODES[0]:
        run.pv_console()
    return ModeReport(
        mode,
        hashlib.sha256(elf).hexdigest(),
        tuple(run.ladder),
        tuple(run.rows),
        tuple(run.findings),
        tuple(run.unjudged),
        tuple(run.console_rows),
        run.is_shim(),
        run.console,
        run.calls,
        run.boot_seconds,
        time.perf_counter() - started,
    )


def join(profile: Profile, reports: Sequence[ModeReport]) -> BootReport:
    """The report of an image, of what each of `MODES` showed, in their order."""
    first = reports[0]
    findings: list[Finding] = []
    for report in reports:
        known = {(finding.invariant, finding.message) for finding in findings}
        findings += [f for f in report.findings if (f.invariant, f.message) not in known]
    unjudged = tuple(dict.fromkeys(what for report in reports for what in report.unjudged))
    rows = tuple(row for report in reports for row in report.rows)
    rows += tuple(row for report in reports for row in report.console_rows)
    return BootReport(
        profile=profile.name,
        profile_digest=profile.digest,
        image_digest=first.image_digest,
        outcome=_outcome(rows, findings, unjudged, first.is_shim),
        ladder=tuple(milestone for report in reports for milestone in report.ladder),
        behaviour=rows,
        console=first.console,
        boot_findings=tuple(findings),
        calls=sum(report.calls for report in reports),
        boot_unjudged=unjudged,
        boot_seconds=first.boot_seconds,
        seconds=sum(report.seconds for report in reports),
    )


def _outcome(
    rows: Sequence[BehaviourRow],
    boot_findings: Sequence[Finding],
    unjudged: Sequence[str],
    is_shim: bool,
) -> Outcome:
    findings = (*boot_findings, *(found for row in rows for found in row.findings))
    if any(not finding.accepted for finding in findings):
        return Outcome.FAILED
    if unjudged or any(row.treatment is Treatment.UNJUDGED for row in rows):
        return Outcome.CANNOT_TELL
    reached = any(row.treatment is not Treatment.UNREACHED for row in rows)
    return Outcome.PASSED if reached and is_shim else Outcome.ABSENT


class _Run:
    """What comes together while one image is looked at with one mode of guest."""

    def __init__(self, image: LinkedImage, profile: Profile, only: Selection, mode: Mode) -> None:
        self.image = image
        self.profile = profile
        self.only = only
        self.mode = mode
        self.ladder: list[Milestone] = []
        self.rows: Sequence[BehaviourRow] = ()
        self.console_rows: Sequence[BehaviourRow] = ()
        """Of the PV console."""
        self.findings: list[Finding] = []
        self.unjudged: list[str] = []
        self.console = ""
        self.calls = 0
        self.boot_seconds = 0.0

    def boot(self) -> None:
        """Boot and let the guest ask."""
        begun = time.perf_counter()
        runner, end = boot_image(self.image, self.profile, self.mode)
        self.boot_seconds = time.perf_counter() - begun
        try:
            self._look(runner, end)
        finally:
            runner.close()

    def pv_console(self) -> None:
        """What becomes of L0's console where the image has it for itself: it is booted for that once more
        unless it had it from the start."""
        mode, way = MODES[0], self.profile.boot.pv_console
        stories = self._pv_console_stories()
        if way is None or not stories:
            return
        why = ""
        if not any(symbol in self.image.symbols for symbol in way.symbols):
            why = f"the image has no {way.symbols[0]}"
        elif not any(m.reached for m in self.ladder if m.name == GUEST[mode]):
            why = "no guest is entered"
        elif not self.console_rows:
            settings = replace(
                settings_of(self.profile), command_line=way.command_line.encode(), vcpus=1
            )
            runner, end = boot(self.image, mode, settings)
            try:
                if end is None:
                    drive = Drive(runner)
                    self._tell_pv_console(Judge(drive, self.profile, self.only))
                    self.calls += drive.calls
                else:
                    why = f"with {way.command_line!r} the guest is never entered: {end.message}"
                    where = self.image.where(end.address)
                    missing = limits(runner.machine, end)
                    if missing:
                        self.unjudged += [*missing, f"{why}, at {where}"]
                    else:
                        self.findings.append(Finding(end.kind, why, where, "boot"))
            finally:
                runner.close()
        self.console_rows = self.console_rows or [unreached(told, mode, why) for told in stories]

    def _pv_console_stories(self) -> list[Story]:
        return [told for told in PV_CONSOLE if self.only.takes(told.name, MODES[0])]

    def _tell_pv_console(self, judge: Judge) -> None:
        self.console_rows = [judge.tell(told) for told in self._pv_console_stories()]

    def _look(self, runner: Runner, end: Ended | None) -> None:
        machine, mode = runner.machine, self.mode
        missing = limits(machine, end)
        if missing and end is not None:
            where = self.image.where(end.address)
            missing = (*missing, f"then the guest is never entered: {end.message}, at {where}")
        self.unjudged += [each for each in missing if each not in self.unjudged]
        if self.is_shim() and not missing:
            self._asked(machine)
        if mode == MODES[0]:
            self.ladder.extend(climb(machine, end))
            self.console = bytes(machine.l0.console).decode("utf-8", "replace")
            if end is not None and not missing:
                self._failed(machine, end)
        else:
            self.ladder.append(guest_rung(mode, self.image, end))
        if end is None:
            drive = Drive(runner)
            judge = Judge(drive, self.profile, self.only)
            if mode == MODES[0] and self.profile.boot.pv_console and has_console(drive):
                self._tell_pv_console(judge)
            self.rows = tuple(judge.rows())
            first = 0 if mode == MODES[0] else 1  # the processor is the image's own affair
            self.ladder.extend(judge.milestones[first:])
            self.calls += drive.calls

    def _asked(self, machine: Machine) -> None:
        """How L0 was asked on the way: the rules of that, and who asked."""
        for rule, messages in (
            (Invariant.RESERVED, asking.unclean(machine.l0.raw)),
            (Invariant.NOTHING, asking.empty(machine.l0.raw)),
        ):
            for message in dict.fromkeys(messages):
                op = next(op for op, _, _ in machine.l0.raw if op in message)
                number = next(n for n, call in enumerate(machine.l0.calls) if call.op == op)
                where = self.image.where(machine.callers[number])
                why = self.profile.why_accepted(rule, where, message)
                self.findings.append(Finding(rule, message, where, "boot", accepted=why))

    def _failed(self, machine: Machine, end: Ended) -> None:
        if not self.is_shim():
            return
        said = self.console.strip().splitlines()[-8:]
        word = next((line for line in said if "anic" in line or "BUG" in line), "")
        self.findings.append(
            Finding(
                end.kind,
                f"the guest is never entered: {end.message} {word}".strip(),
                self.image.where(end.address),
                "boot",
                tuple(c for c in machine.l0.calls if c.hypercall != "console_io")[-8:],
            )
        )

    def is_shim(self) -> bool:
        """Whether the image has any of what the profile is about; before, how far it comes is told by
        the ladder and is no failure."""
        wanted = (s for entry in self.profile.entries.values() for s in entry.symbols)
        return any(symbol in self.image.symbols for symbol in wanted)


__all__ = ["MODES", "BootReport", "ModeReport", "emulate_image", "emulate_mode", "join"]
