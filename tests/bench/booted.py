# SPDX-License-Identifier: GPL-2.0-or-later
"""A booted image: how long its boot takes, and how many hypercalls a second it then answers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from emu import abi
from emu.abi import Mode
from emu.booted.drive import Drive
from emu.booted.machine import Machine
from emu.booted.settings import MIB, Settings, l0_setup
from emu.booted.turns import Runner
from emu.elf.linked import parse_image
from emu.guest import build_kernel
from emu.interactions import Plan
from emu.profile import Profile

_CALLS = 3000


def lines(file: Path, profile: Profile, runs: int) -> Iterator[str]:
    """Processor seconds of a boot, and hypercalls per processor second, each from the snapshot."""
    image, boot = parse_image(file.read_bytes()), profile.boot
    settings = Settings(boot.memory * MIB, boot.command_line.encode(), boot.vcpus)
    boots, rates = [], []
    for _ in range(runs):
        begun = time.process_time()
        runner = Runner(Machine(image, build_kernel(Mode.NATIVE), settings))
        runner.boot()
        booted = time.process_time()
        drive = Drive(runner)
        number, operation = abi.numbers("EVTCHNOP_alloc_unbound") or (0, 0)
        setup = l0_setup(settings)
        started = time.process_time()
        for _ in range(_CALLS):
            drive.restore(Plan(), setup)
            drive.call(number, (operation, drive.kernel.buffer))
        rates.append(_CALLS / (time.process_time() - started))
        boots.append(booted - begun)
        runner.close()
    yield (
        f"booted image: boot {statistics.median(boots):.2f} s,"
        f" {statistics.median(rates):.0f} hypercalls a second, each from the snapshot"
    )
