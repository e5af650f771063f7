# SPDX-License-Identifier: GPL-2.0-or-later
"""How L0 is asked, whatever for: its structures are the ABI's, and each request is for something."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from emu import abi
from emu.findings.invariant import Invariant
from emu.rules.base import Broken, Rule

Asked = tuple[str, abi.Struct, bytes]
"""(operation, structure, bytes) as L0 has read them."""
COUNTED = {
    "XENMEM_increase_reservation": "nr_extents",
    "XENMEM_decrease_reservation": "nr_extents",
    "XENMEM_populate_physmap": "nr_extents",
    "GNTTABOP_setup_table": "nr_frames",
}
"""Operations that are done so many times (public memory.h, struct xen_memory_reservation; grant_table.h)."""


class AsksL0(Protocol):
    """What L0 was asked with."""

    @property
    def asked_with(self) -> Sequence[Asked]:
        """In order."""


class Reserved(Rule[AsksL0]):
    name = Invariant.RESERVED
    reason = (
        "what is unused today has a meaning tomorrow: a later L0 reads it (vcpu.h, hvm/params.h)"
    )

    def check(self, seen: AsksL0) -> Iterator[Broken]:
        for message in unclean(seen.asked_with):
            yield Broken(message)


class Nothing(Rule[AsksL0]):
    name = Invariant.NOTHING
    reason = "a request for nothing is one that somebody forgot to leave out, and L0 may refuse it"

    def check(self, seen: AsksL0) -> Iterator[Broken]:
        for message in empty(seen.asked_with):
            yield Broken(message)


def unclean(asked: Iterable[Asked]) -> Iterator[str]:
    """Reserved fields that are not zero."""
    for op, struct, raw in asked:
        for name, value in struct.reserved_in(raw):
            if value:
                yield f"{name} of {op} is reserved, and L0 is given {value:#x}"


def empty(asked: Iterable[Asked]) -> Iterator[str]:
    """Requests that are done no times."""
    for op, struct, raw in asked:
        name = COUNTED.get(op)
        if name is not None and struct.decode(raw)[name] == 0:
            yield f"{op} is asked for with {name} = 0"
