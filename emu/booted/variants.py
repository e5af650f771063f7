# SPDX-License-Identifier: GPL-2.0-or-later
"""The same image on other machines: what a toolstack may choose, an image has to come to its guest with.

Each is one boot, up to the guest's first instruction; there are as many as the profile names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from emu.abi import Mode
from emu.booted.drive import limits
from emu.booted.ending import Ended
from emu.booted.settings import MIB, Settings
from emu.booted.starting import boot, settings_of
from emu.elf.linked import LinkedImage
from emu.findings.boot_report import BehaviourRow, Treatment
from emu.findings.verdict import Finding
from emu.profile import Profile, Variant

OPERATION = "boot"


def variants(image: LinkedImage, profile: Profile) -> Iterator[BehaviourRow]:
    """A row for each."""
    for variant in profile.boot.variants:
        yield _row(image, profile, variant)


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


def _row(image: LinkedImage, profile: Profile, variant: Variant) -> BehaviourRow:
    runner, end = boot(image, Mode.NATIVE, machine_of(profile, variant))
    try:
        missing = limits(runner.machine, end)
    finally:
        runner.close()
    name = f"boot: {variant.name}"
    treatment, note = Treatment.LOCAL, "the guest is entered"
    findings: tuple[Finding, ...] = ()
    if missing:
        treatment, note = Treatment.UNJUDGED, "; ".join(missing)
    elif end is not None:
        treatment, note, findings = Treatment.CRASHED, "", (_finding(image, end, name),)
    result = 0 if treatment is Treatment.LOCAL else None
    return BehaviourRow(name, OPERATION, Mode.NATIVE, treatment, result, (), findings, note)


def _finding(image: LinkedImage, end: Ended, name: str) -> Finding:
    message = f"the guest is never entered: {end.message}"
    return Finding(end.kind, message, image.where(end.address), f"{name}/{Mode.NATIVE}")
