# SPDX-License-Identifier: GPL-2.0-or-later
"""What a PVH domain finds around itself: CPUID, a few ports, ACPI tables, start info."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from emu.hardware.clock import LOOK, TSC_HZ, Clock
from emu.hardware.lapic import BASE
from emu.spaces import PhysAddr

PIT_HZ = 1_193_182
RSDP = PhysAddr(0xE0000)
HYPERCALL_MSR = 0x40000000
HYPERCALL_PORT = 0xE8
"""What the entries of the hypercall page write to, 32 bits wide: our way into the model of L0."""
FIRST_LEAF = 0x40000000


# --- CPUID -----------------------------------------------------------------------------------------

_ECX1 = {"DTES64": 2, "MONITOR": 3, "VMX": 5, "X2APIC": 21, "TSC_DEADLINE": 24, "XSAVE": 26}
_ECX1_HIDDEN = sum(1 << bit for bit in (*_ECX1.values(), 27, 28, 30))
"""OSXSAVE, AVX and RDRAND as well: state that we do not keep, and chance."""
_HYPERVISOR = 1 << 31
_HTT = 1 << 28
_CACHE_KIND = 0x1F
_EBX7_HIDDEN = 1 << 4 | 1 << 10 | 1 << 11 | 1 << 14 | 1 << 18
"""HLE, INVPCID, RTM, MPX, RDSEED."""
_EMPTY_LEAVES = frozenset({0xA, 0xD, 0x14})
Leaf = tuple[int, int, int, int]


@dataclass(slots=True)
class Cpuid:
    """A processor model without what we cannot keep up, and Xen's leaves (public arch-x86/cpuid.h)."""

    native: Callable[[int, int], Leaf]
    version: tuple[int, int]
    domid: Callable[[], int]
    """May change when the domain is resumed elsewhere."""
    vcpus: int = 1
    asked: set[int] = field(default_factory=set)
    """Leaves of the hypervisor that were looked at."""

    def answer(self, vcpu: int, leaf: int, subleaf: int) -> Leaf:
        """eax, ebx, ecx, edx as a processor finds them."""
        if leaf >> 28 == 4:
            self.asked.add(leaf)
            return self._xen(vcpu, leaf)
        eax, ebx, ecx, edx = self.native(leaf, subleaf)
        if leaf == 1:
            ecx = ecx & ~_ECX1_HIDDEN | _HYPERVISOR
            ebx = ebx & 0xFFFF | self._in_package << 16 | vcpu * 2 << 24
            edx |= _HTT
        elif leaf == 4 and eax & _CACHE_KIND:
            eax = eax & 0x3FFF | self._in_package - 1 << 26
        elif leaf == 0xB:
            return self._topology(vcpu, subleaf)
        elif leaf == 7:
            ebx &= ~_EBX7_HIDDEN
        elif leaf in _EMPTY_LEAVES:
            return 0, 0, 0, 0
        return eax, ebx, ecx, edx

    @property
    def _in_package(self) -> int:
        """Numbers of processors in the one package: every second one is a processor's, so that none is
        another's sibling (tools/libs/guest/xg_cpuid_x86.c: APIC_ID = vcpu_id * 2, "to give the illusion of no
        SMT")."""
        return 2 << (self.vcpus - 1).bit_length()

    def _topology(self, vcpu: int, subleaf: int) -> Leaf:
        """Leaf 0xB: a core has two numbers, the package all of them (SDM volume 2, CPUID)."""
        shift = self._in_package.bit_length() - 1
        if subleaf == 0:
            return 1, 1, 1 << 8, vcpu * 2
        if subleaf == 1:
            return shift, self.vcpus, 2 << 8 | 1, vcpu * 2
        return 0, 0, subleaf & 0xFF, vcpu * 2

    def _xen(self, vcpu: int, leaf: int) -> Leaf:
        number = leaf - FIRST_LEAF
        if number == 0:
            ebx, ecx, edx = struct.unpack("<III", b"XenVMMXenVMM")
            return FIRST_LEAF + 4, ebx, ecx, edx
        if number == 1:
            return self.version[0] << 16 | self.version[1], 0, 0, 0
        if number == 2:
            return 1, HYPERCALL_MSR, 0, 0
        if number == 4:  # HVM features: vcpu id in ebx, domain id in ecx
            return 1 << 3 | 1 << 4, vcpu, self.domid(), 0
        return 0, 0, 0, 0


# --- Ports -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Ports:
    """The two counters of the interval timer that are used to calibrate; a floating bus otherwise."""

    clock: Clock
    _gate: int = 0
    """When counter 2 was started."""
    _high: bool = False

    def read(self, port: int, size: int) -> int:
        now = self.clock.pass_by(LOOK)
        if port == 0x61:
            elapsed = (now - self._gate) * PIT_HZ // TSC_HZ
            return 1 | (0x20 if elapsed > PIT_HZ // 20 else 0)
        if port == 0x40:
            count = 11932 - now * PIT_HZ // TSC_HZ % 11932
            self._high = not self._high
            return count & 0xFF if self._high else count >> 8
        return (1 << 8 * size) - 1

    def write(self, port: int, size: int, value: int) -> None:
        if port in (0x42, 0x61):
            self._gate = self.clock.ticks
        elif port == 0x43:
            self._high = False

    def copy(self, clock: Clock) -> Ports:
        return Ports(clock, self._gate, self._high)


def resets(port: int, value: int) -> bool:
    """Whether a write is a way to restart a PC: the keyboard controller's pulse, the chipset's register."""
    return (port, value & 0xFF) == (0x64, 0xFE) or (port == 0xCF9 and bool(value & 4))


# --- ACPI and start info ---------------------------------------------------------------------------


def _table(signature: bytes, revision: int, body: bytes) -> bytes:
    head = struct.pack("<4sIBB6s8sI4sI", signature, 36 + len(body), revision, 0, *_MAKER)
    return _checked(bytearray(head + body), 9)


_MAKER = (b"BACKPT", b"EMULATED", 1, b"BKPT", 1)


def _checked(table: bytearray, at: int, size: int | None = None) -> bytes:
    """With the byte at ``at`` such that the sum over the first ``size`` is zero."""
    table[at] = 0
    table[at] = -sum(table[:size]) & 0xFF
    return bytes(table)


def acpi_tables(vcpus: int, base: PhysAddr = RSDP) -> list[tuple[PhysAddr, bytes]]:
    """(physical address, content): RSDP, XSDT, MADT with one local APIC a vcpu, FADT."""
    xsdt, madt, fadt = base + 0x1400, base + 0x1000, base + 0x1200
    apics = b"".join(struct.pack("<BBBBI", 0, 8, cpu, cpu * 2, 1) for cpu in range(vcpus))
    rsdp = bytearray(struct.pack("<8sB6sBIIQB3x", b"RSD PTR ", 0, _MAKER[0], 2, 0, 36, xsdt, 0))
    _checked(rsdp, 8, 20)
    return [
        (madt, _table(b"APIC", 2, struct.pack("<II", BASE, 0) + apics)),
        (fadt, _table(b"FACP", 5, bytes(268 - 36))),
        (xsdt, _table(b"XSDT", 1, struct.pack("<QQ", madt, fadt))),
        (base, _checked(rsdp, 32)),
    ]


GUEST_COMMAND_LINE = b"guest"
"""Of the one module."""


def start_info(
    at: PhysAddr,
    command_line: bytes,
    module: tuple[PhysAddr, int],
    memory_map: Sequence[tuple[int, int, int]] = (),
) -> list[tuple[PhysAddr, bytes]]:
    """``struct hvm_start_info`` at ``at`` with one module (address, size); three pages.

    With a memory map (start, size, type) it is of version 1 (public hvm/start_info.h).
    """
    modules, lines, table = at + 0x1000, at + 0x2000, at + 0x1800
    address, size = module
    version = 1 if memory_map else 0
    head = struct.pack("<IIIIQQQ", 0x336EC578, version, 0, 1, modules, lines, RSDP)
    if memory_map:
        head += struct.pack("<QII", table, len(memory_map), 0)
    return [
        (at, head),
        (table, b"".join(struct.pack("<QQII", *entry, 0) for entry in memory_map)),
        (modules, struct.pack("<QQQQ", address, size, lines + 0x800, 0)),
        (lines, command_line[:0x7FF] + b"\0"),
        (lines + 0x800, GUEST_COMMAND_LINE + b"\0"),
    ]


def hypercall_page() -> bytes:
    """``mov $nr, %eax; out %eax, $port; ret`` 128 times, 32 bytes apart."""
    entries = (
        b"\xb8" + number.to_bytes(4, "little") + b"\xe7" + bytes((HYPERCALL_PORT,)) + b"\xc3"
        for number in range(128)
    )
    return b"".join(entry.ljust(32, b"\xcc") for entry in entries)
