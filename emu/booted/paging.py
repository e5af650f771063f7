# SPDX-License-Identifier: GPL-2.0-or-later
"""Linear addresses: the four-level walk of long mode, and memory as L0 sees it through its caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from emu.booted.ram import BadAddress, Ram
from emu.elf import PAGE
from emu.spaces import LinearAddr, PhysAddr

PRESENT, WRITABLE, USER, ACCESSED, DIRTY, LARGE = 1, 2, 4, 0x20, 0x40, 0x80
FRAME_MASK = 0x000FFFFFFFFFF000
SHIFTS = (39, 30, 21, 12)
CR4_SMAP = 1 << 21


class NotMapped(Exception):
    """A linear address that the page tables do not map (or map to where no memory is)."""

    def __init__(self, address: LinearAddr) -> None:
        super().__init__(address)
        self.address = address

    def __str__(self) -> str:
        return f"{self.address:#x} is not mapped"


@dataclass(frozen=True, slots=True)
class Mapping:
    """Where a linear address lies, and what all levels together allow."""

    physical: PhysAddr
    user: bool
    writable: bool


class Linear:
    """Memory by linear address, as the page tables under ``cr3()`` have it; nothing is checked."""

    def __init__(self, ram: Ram, cr3: Callable[[], int]) -> None:
        self.ram = ram
        self.cr3 = cr3

    def walk(self, address: LinearAddr, root: int | None = None) -> Mapping:
        """Raises NotMapped.  ``root``: the value of CR3, where the caller has it."""
        base, allowed = self._page(address, self.cr3() if root is None else root)
        return Mapping(base | address & PAGE - 1, bool(allowed & USER), bool(allowed & WRITABLE))

    def frame(self, address: LinearAddr, root: int) -> int:
        """Number of the page of physical memory; raises NotMapped."""
        return self._page(address, root)[0] // PAGE

    def _page(self, address: LinearAddr, root: int) -> tuple[PhysAddr, int]:
        """Physical address of the page, and the bits that all levels have in common."""
        if not -(1 << 47) <= (address if address < 1 << 63 else address - (1 << 64)) < 1 << 47:
            raise NotMapped(address)
        word = self.ram.word
        table = PhysAddr(root & FRAME_MASK)
        allowed = USER | WRITABLE
        try:
            for shift in SHIFTS:
                entry = word(table + (address >> shift & 511) * 8)
                if not entry & PRESENT:
                    raise NotMapped(address)
                allowed &= entry
                table = PhysAddr(entry & FRAME_MASK)
                if entry & LARGE and shift in (30, 21):
                    low = (1 << shift) - 1
                    table = table & ~low | address & low & ~(PAGE - 1)
                    break
        except BadAddress:
            raise NotMapped(address) from None
        return table, allowed

    def accessed(self, address: LinearAddr, *, write: bool, user: bool) -> PhysAddr:
        """Physical address of what a hypervisor accesses without any doubt; the page tables note it as the
        processor has them do.  Raises NotMapped, also for read-only pages, and for the guest's if not
        ``user``."""
        mapping = self.walk(address)
        if (mapping.user and not user) or (write and not mapping.writable):
            raise NotMapped(address)
        table = PhysAddr(self.cr3() & FRAME_MASK)
        for shift in SHIFTS:
            at = table + (address >> shift & 511) * 8
            entry = self.ram.word(at)
            last = shift == SHIFTS[-1] or (shift in (30, 21) and entry & LARGE)
            noted = entry | ACCESSED | (DIRTY if last and write else 0)
            if noted != entry:
                self.ram.write(at, noted.to_bytes(8, "little"))
            if last:
                break
            table = PhysAddr(entry & FRAME_MASK)
        return mapping.physical

    def pages(self, address: LinearAddr, size: int) -> Iterator[tuple[LinearAddr, int]]:
        """(linear address, length) of the parts of each page."""
        while size > 0:
            part = min(size, PAGE - address % PAGE)
            yield address, part
            address += part
            size -= part

    def read(self, address: LinearAddr, size: int) -> bytes:
        """Raises NotMapped."""
        try:
            if address % PAGE + size <= PAGE:
                return self.ram.read(self.walk(address).physical, size)
            root = self.cr3()
            return b"".join(
                self.ram.read(self.walk(at, root).physical, part)
                for at, part in self.pages(address, size)
            )
        except BadAddress:
            raise NotMapped(address) from None

    def write(self, address: LinearAddr, content: bytes) -> None:
        """Raises NotMapped; what lies in front of the hole is written."""
        done = 0
        try:
            for at, part in self.pages(address, len(content)):
                self.ram.write(self.walk(at).physical, content[done : done + part])
                done += part
        except BadAddress:
            raise NotMapped(address) from None


class L0View:
    """The caller's memory as L0 reads it (`emu.l0.L0Memory`): its page tables, its SMAP.

    Both are looked at once for each call (`enter`), and so is each page of the caller's.
    """

    def __init__(self, linear: Linear) -> None:
        self._linear = linear
        self._root = 0
        self._smap = False
        self._walked: dict[LinearAddr, Mapping] = {}

    def enter(self, cr3: int, cr4: int) -> None:
        """A call begins, with the caller's registers."""
        self._root, self._smap = cr3, bool(cr4 & CR4_SMAP)
        self._walked.clear()

    def _walk(self, address: LinearAddr) -> Mapping:
        page = address & -PAGE
        if page not in self._walked:
            self._walked[page] = self._linear.walk(page, self._root)
        return self._walked[page]

    def _places(
        self, address: LinearAddr, size: int, access: bool, *, write: bool
    ) -> list[tuple[PhysAddr, int]] | None:
        """(physical address, length) of each part; None where L0 would fault."""
        guarded = not access and self._smap
        found = []
        for at, part in self._linear.pages(address, size):
            try:
                mapping = self._walk(at)
            except NotMapped:
                return None
            if (guarded and mapping.user) or (write and not mapping.writable):
                return None
            found.append((mapping.physical | at & PAGE - 1, part))
        return found

    def readable(self, address: LinearAddr, size: int, access: bool) -> bytes | None:
        places = self._places(address, size, access, write=False)
        if places is None:
            return None
        ram = self._linear.ram
        try:
            return b"".join(ram.read(at, part) for at, part in places)
        except BadAddress:
            return None

    def writable(self, address: LinearAddr, content: bytes, access: bool) -> bool:
        places = self._places(address, len(content), access, write=True)
        if places is None:
            return False
        done = 0
        try:
            for at, part in places:
                self._linear.ram.write(at, content[done : done + part])
                done += part
        except BadAddress:
            return False
        return True

    def is_guest(self, address: LinearAddr) -> bool:
        try:
            return self._smap and self._walk(address).user
        except NotMapped:
            return False
