# SPDX-License-Identifier: GPL-2.0-or-later
"""What an invariant is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from emu.object.addresses import BUFFER
from emu.object.call import Run
from emu.object.machine import Machine

Found = Iterator[tuple[str, int]]


class Invariant:
    """Checked after a call that returned."""

    name: ClassVar[str]
    reason: ClassVar[str]

    def check(self, machine: Machine, run: Run) -> Found:
        raise NotImplementedError


def guest_field(machine: Machine, run: Run, name: str) -> int | None:
    """A field of the guest's structure as it stands now; None where it has no such field."""
    struct = run.case.struct
    if struct is None or run.case.scenario.buffer != "buffer" or struct.member(name) is None:
        return None
    return struct.decode(machine.memory.read(BUFFER, struct.size))[name]
