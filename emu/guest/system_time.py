# SPDX-License-Identifier: GPL-2.0-or-later
"""System time as a guest computes it from what it shares with its hypervisor (public xen.h)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from emu import abi

TIME_INFO_SIZE = 32


@dataclass(frozen=True, slots=True)
class TimeInfo:
    """``struct vcpu_time_info``."""

    version: int
    """Odd while the structure is being written."""
    tsc_timestamp: int
    """The time stamp counter when it was written."""
    system_time: int
    """System time then, in nanoseconds."""
    tsc_to_system_mul: int
    tsc_shift: int

    @classmethod
    def of(cls, raw: bytes) -> TimeInfo:
        version, _, *rest = struct.unpack_from("<IIQQIb", raw)
        return cls(version, *rest)

    def at(self, timestamp: int) -> int:
        """System time in nanoseconds at that count."""
        ticks = abi.signed(timestamp - self.tsc_timestamp)  # the record may be younger
        ticks = ticks << self.tsc_shift if self.tsc_shift >= 0 else ticks >> -self.tsc_shift
        return self.system_time + (ticks * self.tsc_to_system_mul >> 32)
