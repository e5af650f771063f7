# SPDX-License-Identifier: GPL-2.0-or-later
"""Long copies that go backwards, byte by byte (``std; rep movsb``), are made a page at a time.

So a hypervisor moves itself up in memory: 3.6 million bytes of a real Xen 4.10, each of which the library
runs as an instruction of its own, for half the time of the whole boot.  The last byte of every page is left
to the processor, so that faults, and what it notes in the page tables, come as they would.
"""

from __future__ import annotations

from emu.booted.paging import NotMapped
from emu.booted.ram import BadAddress
from emu.booted.traps import CR0_PG
from emu.booted.vcpu import Vcpu
from emu.elf import PAGE

BACKWARDS, BEFORE = b"\xfd\xf3\xa4", 1
"""The two instructions, and the length of the first."""
LEAST = 64
"""Bytes that are worth it."""


class BackwardCopies:
    """Those of one processor."""

    def __init__(self, vcpu: Vcpu) -> None:
        self._vcpu = vcpu
        self._state = vcpu.cpu.batch("rcx", "rsi", "rdi", "cs", "cr0", "cr3")
        self._moved = vcpu.cpu.batch("rcx", "rsi", "rdi")

    def shorten(self) -> None:
        """Before a byte is copied: copy what is left of both pages but for one byte."""
        count, source, target, cs, cr0, cr3 = self._state.read()
        part = min(count, source % PAGE + 1, target % PAGE + 1) - 1
        if part < LEAST or cs & 3 or not cr0 & CR0_PG:
            return
        linear = self._vcpu.linear
        try:
            read, written = linear.walk(source, cr3), linear.walk(target, cr3)
            if read.user or written.user or not written.writable:
                return  # what the processor makes of it is its own affair
            first, last = read.physical - part + 1, written.physical - part + 1
            if first - part < last < first:
                return  # bytes that were copied are copied again
            linear.ram.write(last, linear.ram.read(first, part))
        except (NotMapped, BadAddress):
            return
        self._vcpu.cpu.forget_code_at(target - part + 1, part)
        self._moved.write((count - part, source - part, target - part))
