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
from dataclasses import replace

from emu.abi import Mode
from emu.booted.behaviour import Judge, Only
from emu.booted.drive import Drive
from emu.booted.ending import Ended, TooSlow
from emu.booted.image import LinkedImage, parse_image
from emu.booted.machine import Machine
from emu.booted.milestones import GUEST, climb, guest_rung
from emu.booted.report import BehaviourRow, BootReport, Milestone, Treatment
from emu.booted.run import Runner
from emu.booted.settings import MIB, Settings
from emu.booted.stories.pv_console import STORIES as PV_CONSOLE
from emu.booted.stories.pv_console import has_console
from emu.booted.stories.story import Story, unreached
from emu.guest import build_kernel
from emu.profile import Profile
from emu.verdict import Finding, Outcome

MODES: tuple[Mode, ...] = ("64", "compat")


def emulate_image(elf: bytes, profile: Profile, *, only: str | None = None) -> BootReport:
    """Boot an image and try every operation; ``only`` names one scenario (or one finding's rerun).

    Raises an `EmuError` for an image that cannot be started; whatever it does wrong is in the report.
    """
    started = time.perf_counter()
    image = parse_image(elf)
    run = _Run(image, profile, Only.parse(only, profile))
    for mode in MODES:
        run.mode(mode)
    run.pv_console()
    return BootReport(
        profile=profile.name,
        profile_digest=profile.digest,
        image_digest=hashlib.sha256(elf).hexdigest(),
        outcome=run.outcome(),
        ladder=tuple(run.ladder),
        behaviour=tuple(run.rows),
        console=run.console,
        boot_findings=tuple(run.findings),
        calls=run.calls,
        boot_seconds=run.boot_seconds,
        seconds=time.perf_counter() - started,
    )


class _Run:
    """What comes together while one image is looked at."""

    def __init__(self, image: LinkedImage, profile: Profile, only: Only) -> None:
        self.image = image
        self.profile = profile
        self.only = only
        self.ladder: list[Milestone] = []
        self.rows: list[BehaviourRow] = []
        self.console_rows: list[BehaviourRow] = []
        """Of the PV console."""
        self.findings: list[Finding] = []
        self.unknown = False
        """L0 was asked for something of which nothing is known."""
        self.console = ""
        self.calls = 0
        self.boot_seconds = 0.0

    def mode(self, mode: Mode) -> None:
        """Boot with a guest of this mode and let it ask."""
        begun = time.perf_counter()
        runner, end = _boot(self.image, mode, self._settings())
        if mode == MODES[0]:
            self.boot_seconds = time.perf_counter() - begun
        try:
            self._look(runner, mode, end)
        finally:
            runner.close()

    def _settings(self) -> Settings:
        boot = self.profile.boot
        return Settings(boot.memory * MIB, boot.command_line.encode(), boot.vcpus)

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
            settings = replace(self._settings(), command_line=way.command_line.encode(), vcpus=1)
            runner, end = _boot(self.image, mode, settings)
            try:
                if end is None:
                    drive = Drive(runner)
                    self._tell_pv_console(Judge(drive, self.profile, self.only))
                    self.calls += drive.calls
                else:
                    why = f"with {way.command_line!r} the guest is never entered: {end.message}"
                    where = self.image.where(end.address)
                    self.findings.append(Finding(end.kind, why, where, "boot"))
            finally:
                runner.close()
        self.rows.extend(self.console_rows or (unreached(told, mode, why) for told in stories))

    def _pv_console_stories(self) -> list[Story]:
        return [told for told in PV_CONSOLE if self.only.tells(told.name, MODES[0])]

    def _tell_pv_console(self, judge: Judge) -> None:
        self.console_rows.extend(judge.tell(told) for told in self._pv_console_stories())

    def _look(self, runner: Runner, mode: Mode, end: Ended | None) -> None:
        machine = runner.machine
        if mode == MODES[0]:
            self.ladder.extend(climb(machine, end))
            self.console = bytes(machine.l0.console).decode("utf-8", "replace")
            if end is not None:
                self._failed(machine, end)
        else:
            self.ladder.append(guest_rung(mode, self.image, end))
        for number, op in enumerate(machine.l0.unknown):
            self._unknown(machine, op, number)
        if end is None:
            drive = Drive(runner)
            judge = Judge(drive, self.profile, self.only)
            if mode == MODES[0] and self.profile.boot.pv_console and has_console(drive):
                self._tell_pv_console(judge)
            self.rows.extend(judge.rows())
            first = 0 if mode == MODES[0] else 1  # the processor is the image's own affair
            self.ladder.extend(judge.milestones[first:])
            self.calls += drive.calls

    def _failed(self, machine: Machine, end: Ended) -> None:
        if not self._is_shim():
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

    def _is_shim(self) -> bool:
        """Whether the image has any of what the profile is about; before, how far it comes is told by
        the ladder and is no failure."""
        wanted = (s for entry in self.profile.entries.values() for s in entry.symbols)
        return any(symbol in self.image.symbols for symbol in wanted)

    def _unknown(self, machine: Machine, op: str, number: int) -> None:
        calls = [n for n, call in enumerate(machine.l0.calls) if call.op == op]
        caller = machine.callers[calls[0]] if calls else 0
        message = f"L0 is asked for {op}, of which nothing is known"
        self.unknown = True
        if all(finding.message != message for finding in self.findings):
            self.findings.append(Finding("L0 model", message, self.image.where(caller), "boot"))

    def outcome(self) -> Outcome:
        rows = [finding for row in self.rows for finding in row.findings]
        if rows or any(finding.invariant != "L0 model" for finding in self.findings):
            return Outcome.FAILED
        if self.findings:
            return Outcome.CANNOT_TELL
        reached = any(row.treatment is not Treatment.UNREACHED for row in self.rows)
        return Outcome.PASSED if reached and self._is_shim() else Outcome.ABSENT


def _boot(image: LinkedImage, mode: Mode, settings: Settings) -> tuple[Runner, Ended | None]:
    """A machine at its guest's first instruction, or where the boot ended."""
    runner = Runner(Machine(image, build_kernel(mode), settings))
    try:
        try:
            runner.boot()
        except TooSlow:
            runner.close()
            runner = Runner(Machine(image, build_kernel(mode), settings))
            runner.counting = True
            runner.boot()
            runner.counting = False
    except Ended as end:
        return runner, end
    return runner, None


__all__ = ["BootReport", "emulate_image"]
