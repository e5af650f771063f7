# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of an image before its guest asks for anything: by its notes and symbols, and by how it came
there."""

from __future__ import annotations

from collections.abc import Iterator

from emu.abi import Mode
from emu.booted.drive import Drive
from emu.booted.ending import Ended
from emu.booted.guest import Guest
from emu.booted.machine import Machine
from emu.booted.starting import boot_image
from emu.booted.turns import Runner
from emu.elf.linked import parse_image
from emu.findings.fact import Fact, Source
from emu.profile import Profile


def image_facts(elf: bytes, profile: Profile) -> tuple[Fact, ...]:
    """Of an image booted with a 64-bit guest.  Raises an `EmuError` for what cannot be started."""
    runner, end = boot_image(parse_image(elf), profile, Mode.NATIVE)
    try:
        return tuple(_facts(runner, end, profile))
    finally:
        runner.close()


def _facts(runner: Runner, end: Ended | None, profile: Profile) -> Iterator[Fact]:
    machine, boot = runner.machine, profile.boot
    where = machine.image.where
    yield Fact("entry", where(machine.image.entry), Source.NOTES)
    for name, entry in profile.entries.items():
        symbol = next((s for s in entry.symbols if s in machine.image.symbols), "")
        source = Source.SYMBOLS if symbol else Source.NOWHERE
        yield Fact(f"entry {name}", symbol or f"no {' or '.join(entry.symbols)}", source)
    yield _hypercalls(machine)
    yield Fact("memory", f"{boot.memory} MiB", Source.PROFILE)
    yield Fact("processors", f"{boot.vcpus}", Source.PROFILE)
    yield Fact("command line", boot.command_line, Source.PROFILE)
    if end is not None:
        yield Fact(
            "its guest", f"is not entered: {end.message} at {where(end.address)}", Source.BOOT
        )
        return
    drive = Drive(runner)
    said = machine.version
    version = f"{said[0]}.{said[1]}" if said else "it does not say"
    yield Fact("version", version, Source.CONSOLE if said else Source.NOWHERE)
    tables, told = Guest(drive).page_tables()
    how = "its start info" if told else "the processor, since its start info does not say"
    yield Fact("the guest's page tables", f"at {tables:#x}, by {how}", Source.BOOT)
    for operation in sorted(set(machine.l0.unknown)):
        yield Fact(operation, "L0 has no model of it", Source.NOWHERE)


def _hypercalls(machine: Machine) -> Fact:
    if machine.hypercalls_at:
        return Fact("L0 is called", f"by a page at {machine.hypercalls_at:#x}", Source.BOOT)
    if machine.in_place:
        first = machine.image.where(machine.in_place)
        return Fact("L0 is called", f"in place, first at {first}", Source.BOOT)
    return Fact("L0 is called", "in no way that is known", Source.NOWHERE)
