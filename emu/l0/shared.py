# SPDX-License-Identifier: GPL-2.0-or-later
"""The page that L0 shares with a 64-bit domain (public xen.h, struct shared_info, 2-level events).

0x000   struct vcpu_info[32], 64 bytes each
0x800   evtchn_pending, 64 words of 64 bits
0xa00   evtchn_mask, as many
0xc00   wall clock: version, seconds, nanoseconds (4 bytes each)

struct vcpu_info
0x00    evtchn_upcall_pending, 1 byte
0x01    evtchn_upcall_mask, 1 byte
0x08    evtchn_pending_sel, one bit for each word of evtchn_pending
0x10    arch: cr2 and padding
0x20    struct vcpu_time_info, 32 bytes
"""

from __future__ import annotations

import struct

PAGE = 4096
VCPU_INFO_SIZE = 64
LEGACY_VCPUS = 32
NR_PORTS = 64 * 64
PENDING, MASK, WALL_CLOCK = 0x800, 0xA00, 0xC00
TIME = 0x20
TSC_TO_NS = 0x80000000
"""2 GHz: nanoseconds are ticks times this, shifted right by 32."""
WALL_SECONDS = 1_700_000_000


class SharedInfo:
    """A view of the page; structures of vcpus may have moved out of it."""

    def __init__(self, page: memoryview) -> None:
        self._page = page
        self._vcpus: dict[int, memoryview] = {}

    def fork(self) -> SharedInfo:
        """The same page; where structures of vcpus move from now on is the copy's own affair."""
        new = SharedInfo(self._page)
        new._vcpus = dict(self._vcpus)
        return new

    def begin(self, ticks: int, vcpus: int, old: SharedInfo | None) -> None:
        """What L0 keeps there from the start; events stay pending and masked where it was before."""
        self._page[:] = bytes(old._page) if old is not None else bytes(PAGE)
        if old is not None:
            self._vcpus = dict(old._vcpus)
        self._page[WALL_CLOCK : WALL_CLOCK + 12] = struct.pack("<III", 2, WALL_SECONDS, 0)
        for vcpu in range(vcpus):
            self.set_time(vcpu, ticks)

    def vcpu(self, number: int) -> memoryview:
        """``struct vcpu_info`` of a vcpu, where it is now."""
        if number in self._vcpus:
            return self._vcpus[number]
        at = number % LEGACY_VCPUS * VCPU_INFO_SIZE
        return self._page[at : at + VCPU_INFO_SIZE]

    def move_vcpu_info(self, number: int, place: memoryview) -> None:
        """L0 copies the structure to its new place and makes its vcpu look there."""
        place[:] = bytes(self.vcpu(number))
        self._vcpus[number] = place
        place[0] = 1
        place[8:16] = b"\xff" * 8

    def set_time(self, number: int, ticks: int) -> None:
        """``struct vcpu_time_info``: version, stamp, system time, scale, shift."""
        record = struct.pack("<IIQQIbBxx", 2, 0, ticks, ticks // 2, TSC_TO_NS, 0, 0)
        self.vcpu(number)[TIME : TIME + len(record)] = record

    def _bit(self, base: int, port: int) -> tuple[int, int]:
        return base + port // 8, 1 << port % 8

    def pending(self, port: int) -> bool:
        return self._is_set(PENDING, port)

    def masked(self, port: int) -> bool:
        return self._is_set(MASK, port)

    def _is_set(self, base: int, port: int) -> bool:
        """False for a port that has no bit: with other events than these L0 may hand out more."""
        at, bit = self._bit(base, port)
        return 0 <= port < NR_PORTS and bool(self._page[at] & bit)

    def set_pending(self, port: int, vcpu: int) -> bool:
        """Raise an event; True where its vcpu has an upcall to take that it was not yet told of."""
        if not 0 <= port < NR_PORTS or self.pending(port):
            return False
        at, bit = self._bit(PENDING, port)
        self._page[at] |= bit
        return not self.masked(port) and self._notify(port, vcpu)

    def unmask(self, port: int, vcpu: int) -> bool:
        """Clear the mask; an event that was pending behind it is raised now."""
        if not 0 <= port < NR_PORTS or not self.masked(port):
            return False
        at, bit = self._bit(MASK, port)
        self._page[at] &= ~bit & 0xFF
        return self.pending(port) and self._notify(port, vcpu)

    def _notify(self, port: int, vcpu: int) -> bool:
        """Select the port's word: who finds it selected, or an upcall pending, adds nothing to it."""
        info = self.vcpu(vcpu)
        at, bit = 8 + port // 64 // 8, 1 << port // 64 % 8
        if info[at] & bit:
            return False
        info[at] |= bit
        told = bool(info[0])
        info[0] = 1
        return not told
