# SPDX-License-Identifier: GPL-2.0-or-later
"""A scenario's values as numbers, in the world in which it runs."""

from __future__ import annotations

from emu import abi
from emu.object.addresses import BUFFER
from emu.object.world import World
from emu.profile.scenario import Case, Name, Value
from emu.rules.expected import LEFTOVER


def resolve(world: World, value: Value, case: Case) -> int:
    """A number, or what the name stands for (see emu/profile/scenario.py)."""
    if isinstance(value, int):
        return value
    if value is Name.OPERATION:
        return _operation_number(case.scenario.operation)
    if value is Name.BUFFER:
        target = case.scenario.buffer
        return BUFFER if target is Name.BUFFER else resolve(world, target, case)
    return world.places[value]


def guest_bytes(world: World, case: Case) -> bytes:
    """The guest's argument structure; empty where the operation has none.

    What is only answered holds the guest's leftovers: an answer that is not written shows.
    """
    struct = case.struct
    if struct is None:
        return b""
    fields = {m.name: int.from_bytes(LEFTOVER * 8) for m in struct.members if m.out}
    fields |= {name: resolve(world, value, case) for name, value in case.scenario.fields}
    return struct.encode(fields)


def _operation_number(operation: str) -> int:
    number = abi.named_value(operation)
    if number is None and operation.rpartition(":")[2].isdigit():
        number = int(operation.rpartition(":")[2])
    return number or 0
