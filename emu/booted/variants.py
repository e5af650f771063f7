# SPDX-License-Identifier: GPL-2.0-or-later
"""The same image on other machines: what a toolstack may choose, an image has to come to its guest with.

Each is one boot, up to the guest's first instruction; there are as many as the profile names, and as the
user's time is enough for.  One that it is not enough for is left out by name: nothing is known of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from emu.abi import START_INFO, Mode
from emu.booted.drive import Drive, count_vcpus, limits
from emu.booted.ending import Ended, OutOfTime
from emu.booted.paging import NotMapped
from emu.booted.settings import MIB, Settings, l0_setup
from emu.booted.starting import boot, settings_of
from emu.booted.turns import Runner
from emu.elf.linked import LinkedImage
from emu.findings.boot_report import BehaviourRow, Treatment
from emu.findings.invariant import Invariant
from emu.findings.verdict import Finding
from emu.profile import Profile, Variant
from emu.spaces import LinearAddr

OPERATION = "boot"
VCPUS = "VCPUOP_is_up"
SECONDS = 60
"""For all of them, unless the user says otherwise: a real image takes two to six seconds for each."""


def variants(image: LinkedImage, profile: Profile, seconds: float) -> Iterator[BehaviourRow]:
    """A row for each, within that time: a boot that is not done by then is cut, and none begins."""
    until = time.monotonic() + seconds
    for variant in profile.boot.variants:
        if variant.symbols and not any(symbol in image.symbols for symbol in variant.symbols):
            note = f"the image has no {' or '.join(variant.symbols)}"
            yield BehaviourRow(
                _name(variant), OPERATION, Mode.NATIVE, Treatment.UNREACHED, None, note=note
            )
            continue
        try:
            if time.monotonic() >= until:
                raise OutOfTime
            yield _row(image, profile, variant, until)
        except OutOfTime:
            note = f"left out: the {seconds:g} s for other machines are over"
            yield BehaviourRow(
                _name(variant), OPERATION, Mode.NATIVE, Treatment.UNREACHED, None, note=note
            )


def machine_of(profile: Profile, variant: Variant) -> Settings:
    """The machine of a variant: that of the profile but for what it names."""
    plain, hole = settings_of(profile), variant.hole
    return replace(
        plain,
        memory=variant.memory * MIB if variant.memory else plain.memory,
        command_line=variant.command_line.encode() or plain.command_line,
        vcpus=variant.vcpus or plain.vcpus,
        hole=(hole[0] * MIB, hole[1] * MIB) if hole is not None else None,
        map_in_start_info=variant.map_in_start_info,
    )


def _name(variant: Variant) -> str:
    return f"boot: {variant.name}"


def _row(image: LinkedImage, profile: Profile, variant: Variant, until: float) -> BehaviourRow:
    runner, end = boot(image, Mode.NATIVE, machine_of(profile, variant), until)
    try:
        missing, wrong = limits(runner.machine, end), ""
        note = "" if missing or end is not None else _entered(runner)
        if note:
            vcpus, given = _vcpus(runner), runner.machine.settings.vcpus
            note += f" and {vcpus} vcpu{'s' * (vcpus > 1)}"
            wrong = f"the guest has {vcpus} vcpus, L0 has given {given}" if vcpus > given else ""
    finally:
        runner.close()
    name, treatment = _name(variant), Treatment.LOCAL
    findings: tuple[Finding, ...] = ()
    if missing:
        treatment, note = Treatment.UNJUDGED, "; ".join(missing)
    elif end is not None and variant.any_end:
        note = f"no guest is entered: {end.message}"
    elif variant.impossible:
        said = end is not None and end.kind is Invariant.SHUTDOWN
        treatment = Treatment.REFUSED if said else Treatment.CRASHED
        note = f"{end.message}" if end is not None else note
        if not said:
            wrong = "what it is told cannot be, and it does not say so: " + note
            findings = (_found(Invariant.EXPECTATION, wrong, OPERATION, name),)
    elif end is not None:
        treatment, note, findings = Treatment.CRASHED, "", (_finding(image, end, name),)
    elif wrong:
        findings = (_found(Invariant.VCPUS, wrong, VCPUS, name),)
    result = 0 if treatment is Treatment.LOCAL else None
    return BehaviourRow(name, OPERATION, Mode.NATIVE, treatment, result, (), findings, note)


def _entered(runner: Runner) -> str:
    """With what the guest is told that it has."""
    machine = runner.machine
    layout = START_INFO[machine.kernel.mode]
    at = LinearAddr(machine.cpu.read("rsi"))
    try:
        pages = layout.decode(machine.linear.read(at, layout.size))["nr_pages"]
    except NotMapped:
        return "the guest is entered, without a start info"
    return f"the guest is entered, with {pages} pages of memory"


def _vcpus(runner: Runner) -> int:
    """How many the guest has; of those that L0 has not given, one is enough to look for."""
    drive, settings = Drive(runner), runner.machine.settings
    return count_vcpus(drive, l0_setup(settings), settings.vcpus + 1)


def _finding(image: LinkedImage, end: Ended, name: str) -> Finding:
    message = f"the guest is never entered: {end.message}"
    return _found(end.kind, message, image.where(end.address), name)


def _found(kind: Invariant, message: str, where: str, name: str) -> Finding:
    return Finding(kind, message, where, f"{name}/{Mode.NATIVE}")
