# SPDX-License-Identifier: GPL-2.0-or-later
"""The processor, on Unicorn.

engine         the library, found in this one file
hooks          what any processor calls back for, and how it is run
flat           `Cpu`, for one object without paging
system         `System`, for a whole machine, on
machine_hooks  what it calls back for besides, and
modes          what an interrupt or a system call does to it
trial          what the library does not document of itself, learnt by trying
unknown        instructions that it does not know
watchdog       a bound in time, which only says what is to be done again
"""

from emu.cpu.engine import INSTRUCTIONS, Batch, Stop, Stopped
from emu.cpu.flat import WIDEST, Cpu, TooSlow
from emu.cpu.modes import EFLAGS_IF
from emu.cpu.system import Saved, System, Table
from emu.cpu.trial import native_cpuid
from emu.cpu.unknown import LONGEST, unknown_instruction

__all__ = [
    "EFLAGS_IF",
    "INSTRUCTIONS",
    "LONGEST",
    "WIDEST",
    "Batch",
    "Cpu",
    "Saved",
    "Stop",
    "Stopped",
    "System",
    "Table",
    "TooSlow",
    "native_cpuid",
    "unknown_instruction",
]
