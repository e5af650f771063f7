# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine switched on: up to its guest's first instruction, or to where the boot ended."""

from __future__ import annotations

from emu.abi import Mode
from emu.booted.ending import Ended, OutOfTime, TooSlow
from emu.booted.machine import Machine
from emu.booted.settings import MIB, Settings
from emu.booted.turns import Runner
from emu.elf.linked import LinkedImage
from emu.guest import build_kernel
from emu.profile import Profile


def boot_image(image: LinkedImage, profile: Profile, mode: Mode) -> tuple[Runner, Ended | None]:
    """A machine as the profile has it, at its guest's first instruction, or where the boot ended."""
    return boot(image, mode, settings_of(profile))


def settings_of(profile: Profile) -> Settings:
    boot = profile.boot
    return Settings(boot.memory * MIB, boot.command_line.encode(), boot.vcpus)


def boot(
    image: LinkedImage, mode: Mode, settings: Settings, until: float = float("inf")
) -> tuple[Runner, Ended | None]:
    """A machine at its guest's first instruction, or where the boot ended.  Raises OutOfTime where it has not
    come to either at the moment ``until`` (`time.monotonic`)."""
    runner, end = _attempt(image, mode, settings, until, everywhere=False)
    if runner.machine.hypercalls_at or runner.machine.in_place:
        return runner, end
    runner.close()  # it may have asked for its hypercall page where nobody looked
    return _attempt(image, mode, settings, until, everywhere=True)


def _attempt(
    image: LinkedImage, mode: Mode, settings: Settings, until: float, *, everywhere: bool
) -> tuple[Runner, Ended | None]:
    def start() -> Runner:
        machine = Machine(image, build_kernel(mode), settings, everywhere=everywhere)
        return Runner(machine, until)

    runner = start()
    try:
        try:
            runner.boot()
        except TooSlow:
            runner.close()
            runner = start()
            runner.counting = True
            runner.boot()
            runner.counting = False
    except Ended as end:
        return runner, end
    except OutOfTime:
        runner.close()
        raise
    return runner, None
