# SPDX-License-Identifier: GPL-2.0-or-later
"""What the machine is to be like, and how L0 stands when it is switched on."""

from __future__ import annotations

from dataclasses import dataclass

from emu import abi
from emu.elf import PAGE
from emu.hardware.platform import RSDP
from emu.l0 import L0Setup

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Settings:
    """Memory in bytes; the ports of store and console in L0."""

    memory: int = 64 * MIB
    command_line: bytes = b"pv-shim console=xen loglvl=all"
    vcpus: int = 2
    domid: int = 7
    store_port: int = 1
    console_port: int = 2
    hole: tuple[int, int] | None = None
    """(start, size) of memory that its map calls reserved."""
    map_in_start_info: bool = False
    """The loader hands the map over as well (version 1 of the start info)."""


def l0_setup(settings: Settings) -> L0Setup:
    """L0 as it stands for a freshly built PVH domain with store and console.

    The special pages lie a little above RAM and not below 4 GiB: a real image keeps a table of all
    frames up to the last, and to clear a gigabyte's worth of it takes longer than all the rest.
    """
    special = (settings.memory + MIB) // PAGE
    return L0Setup(
        domid=settings.domid,
        vcpus=settings.vcpus,
        first_port=settings.console_port + 1,
        params=(
            (abi.CONSTANTS["HVM_PARAM_STORE_PFN"], special),
            (abi.CONSTANTS["HVM_PARAM_STORE_EVTCHN"], settings.store_port),
            (abi.CONSTANTS["HVM_PARAM_CONSOLE_PFN"], special + 1),
            (abi.CONSTANTS["HVM_PARAM_CONSOLE_EVTCHN"], settings.console_port),
        ),
        memory_map=memory_map(settings),
    )


def memory_map(settings: Settings) -> tuple[tuple[int, int, int], ...]:
    """(start, size, type) as the BIOS would give it."""
    low = (0, 0x9F000, 1), (int(RSDP), MIB - RSDP, 2)
    if settings.hole is None:
        return *low, (MIB, settings.memory - MIB, 1)
    start, size = settings.hole
    above = start + size
    return *low, (MIB, start - MIB, 1), (start, size, 2), (above, settings.memory - above, 1)
