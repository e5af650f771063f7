# SPDX-License-Identifier: GPL-2.0-or-later
"""What `memset`, `memcpy` and `memmove` of an image do with one instruction, done at once.

The library takes the bytes of ``rep stosb`` and ``rep movsb`` one by one, 30 ns each, and a shim that boots
clears and moves eight million of them: more than a third of its time.  Here the pages are filled and copied
whole, through the image's own page tables, as the processor would have, accessed and dirty bits included.
Where it would fault (on the guest's pages, under SMAP, too), or what it does besides may matter (ranges that
overlap in the direction of the copy; pages from which code was translated, which it forgets), the rest is
left to it: the instruction itself still runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from emu.booted.paging import CR4_SMAP, Linear, NotMapped
from emu.booted.ram import BadAddress
from emu.cpu import System
from emu.elf import PAGE
from emu.elf.linked import LinkedImage
from emu.spaces import LinearAddr, LinkAddr, PhysAddr

FILL, COPY = b"\xf3\xaa", b"\xf3\xa4"
FUNCTIONS = ("memset", "memcpy", "memmove")
REACH = 256
"""Bytes of a function within which its instructions are looked for."""
HIGH = 1 << 32
"""At such addresses all code is 64-bit code, and the page tables are those of `Linear`."""
EFLAGS_DF, EFLAGS_AC = 1 << 10, 1 << 18
CR0_PG = 1 << 31
M64 = (1 << 64) - 1
LIMIT = 1 << 24
"""Bytes that are done at once, so that a run can be stopped."""


def places(image: LinkedImage, instruction: bytes) -> tuple[LinearAddr, ...]:
    """Where these functions have such an instruction, at high addresses; what only looks like it is never
    run."""
    return tuple(sorted(set(_places(image, instruction))))


def _places(image: LinkedImage, instruction: bytes) -> Iterator[LinearAddr]:
    for name in FUNCTIONS:
        start = image.symbols.get(name, LinkAddr(0))
        for part in image.loads:
            if HIGH <= part.virtual <= start < part.virtual + len(part.content):
                code = bytes(part.content[start - part.virtual :][:REACH])
                at = code.find(instruction)
                while at >= 0:
                    yield LinearAddr(start + at)  # it runs where it is linked
                    at = code.find(instruction, at + 1)


class Strings:
    """The string instructions of one processor."""

    def __init__(self, cpu: System, linear: Linear) -> None:
        self._cpu = cpu
        self._linear = linear
        self._registers = cpu.batch("rcx", "rdi", "rsi", "rax", "eflags")
        self._moved = cpu.batch("rcx", "rdi", "rsi")
        self._paging = cpu.batch("cr0", "cr3")
        self._code: set[int] = set()
        """Frames from which code was ever translated, wherever they were mapped."""
        self._user = False
        """The guest's pages may be accessed now (SDM 4.6.1)."""
        self._left: tuple[int, int] | None = None
        """Target's and source's page of what the processor is doing byte by byte."""
        cpu.on_translation(self._note)

    def _note(self, address: LinearAddr) -> None:
        cr0, cr3 = self._paging.read()
        if not cr0 & CR0_PG:
            self._code.add(address // PAGE)
            return
        with suppress(NotMapped):
            self._code.add(self._linear.frame(address, cr3))

    def fill(self, address: LinearAddr) -> None:
        """Before the ``rep stosb`` at this address."""
        count, first, source, value, eflags = self._registers.read()
        to = LinearAddr(first)
        if not count or eflags & EFLAGS_DF or self._is_left(to, to, eflags):
            return
        if not self._is_there(address, FILL):
            return
        content = bytes((value & 0xFF,)) * min(count, PAGE)
        done = 0
        while done < min(count, LIMIT):
            part = min(count - done, PAGE - to % PAGE)
            at = self._place(to, part, write=True)
            if at is None:
                self._left = to // PAGE, to // PAGE
                break
            self._linear.ram.write(at, content[:part])
            to, done = to + part & M64, done + part
        if done:
            self._moved.write((count - done, to, source))

    def copy(self, address: LinearAddr) -> None:
        """Before the ``rep movsb`` at this address, in either direction."""
        count, first, second, _, eflags = self._registers.read()
        to, source = LinearAddr(first), LinearAddr(second)
        if not count or self._is_left(to, source, eflags) or not self._is_there(address, COPY):
            return
        done = 0
        while done < min(count, LIMIT):
            part = self._copied(to, source, count - done, down=bool(eflags & EFLAGS_DF))
            if not part:
                self._left = to // PAGE, source // PAGE
                break
            step = -part if eflags & EFLAGS_DF else part
            to, source, done = to + step & M64, source + step & M64, done + part
        if done:
            self._moved.write((count - done, to, source))

    def _is_left(self, to: int, source: int, eflags: int) -> bool:
        """Whether the processor does it; for the rest of these pages where it once does."""
        if self._cpu.is_watched or self._left == (to // PAGE, source // PAGE):
            return True
        self._left = None
        self._user = bool(eflags & EFLAGS_AC) or not self._cpu.read("cr4") & CR4_SMAP
        return False

    def _is_there(self, address: LinearAddr, instruction: bytes) -> bool:
        """Whether it still is: a hypervisor puts others into its own code (Xen's alternatives)."""
        try:
            return self._linear.read(address, len(instruction)) == instruction
        except NotMapped:
            return False

    def _copied(self, to: LinearAddr, source: LinearAddr, count: int, *, down: bool) -> int:
        """The bytes up to the next border of a page; 0 where the processor is to do it."""
        if down:
            part = min(count, to % PAGE + 1, source % PAGE + 1)
            to, source = to - part + 1, source - part + 1
        else:
            part = min(count, PAGE - to % PAGE, PAGE - source % PAGE)
        before = self._place(source, part, write=False)
        at = self._place(to, part, write=True)
        if before is None or at is None:
            return 0
        if (before < at < before + part) if not down else (at < before < at + part):
            return 0  # it reads what it has written
        self._linear.ram.write(at, self._linear.ram.read(before, part))
        return part

    def _place(self, address: LinearAddr, size: int, *, write: bool) -> PhysAddr | None:
        """Physical address of bytes within a page that a hypervisor may access without any doubt."""
        try:
            physical = self._linear.accessed(address, write=write, user=self._user)
            self._linear.ram.offset(physical, size)
        except (NotMapped, BadAddress):
            return None
        return None if write and physical // PAGE in self._code else physical
