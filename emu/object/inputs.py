# SPDX-License-Identifier: GPL-2.0-or-later
"""Arguments that nobody thought of: boundary and random values, the same ones every time.

Each operation that takes a structure is called with structures drawn from its layout, on ground that is
drawn too: ports of every kind, and an L0 that hands out odd but legal numbers.  Nothing is expected of
the result but what the invariants say of every call.  The draws are a function of operation and number,
by a hash and not by a generator whose algorithm a version of Python may change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from emu import abi
from emu.l0 import L0Setup, PortKind
from emu.profile.scenario import Case, ChannelState, Name, PortState, Value

INPUTS = 16
"""Structures tried for one operation in one mode."""
RANDOM = 4
"""One in so many values is random and no boundary."""
PORTS = (1, 12, 13, 62, 63)
"""Within the first page of channels of every layout seen."""
FIRST_PORTS = (12, 63, 64, 127, 128, 200, 4096, 0xFFFF, 0x1000D)
KINDS = (
    (ChannelState.RESERVED, PortKind.INTERDOMAIN),
    (ChannelState.RESERVED, PortKind.UNBOUND),
    (ChannelState.VIRQ, PortKind.UNBOUND),
    (ChannelState.FREE, None),
)
NUMBERS: dict[str, tuple[int, ...]] = {
    "port": (*PORTS, *FIRST_PORTS, 0x1000C, 1 << 15, 1 << 31),
    "remote_port": (0, 1, 0xFFFF, 0x10000, 1 << 31),
    "vcpu": (0, 1, 2, 3, 0x80, 0x10000),
    "virq": (0, 1, 3, 23, 24, 0x10001),
    "dom": (0x7FF0, 0x7FF0, 0x7FF0, 0, 1, 9, 0x7FF1, 0xFFFF),
    "nr_frames": (0, 1, 2, 3, 4, 5, 32, 0x10001, 0x40000001, 0xFFFFFFFF),
}
"""Where a field's name says what is near its edges."""
POINTERS: tuple[Value, ...] = (
    *(Name.LIST, Name.LIST_END, Name.READONLY),
    *(Name.ABSENT, Name.FAR, Name.HIGH),
)
_Item = TypeVar("_Item")


class _Draws:
    """A stream of choices."""

    def __init__(self, seed: str) -> None:
        self._bytes = hashlib.shake_256(seed.encode()).digest(4096)
        self._at = 0

    def bits(self, count: int) -> int:
        """A number of so many bits, a multiple of 8."""
        size = count // 8
        self._at += size
        return int.from_bytes(self._bytes[self._at - size : self._at], "little")

    def one_of(self, items: Sequence[_Item]) -> _Item:
        return items[self.bits(16) % len(items)]


def drawn(case: Case, number: int) -> Case:
    """The ``number``-th input of the case's operation; nothing is expected of it."""
    scenario = case.scenario
    draws = _Draws(f"{scenario.entry} {scenario.operation} {number}")
    ports = _ports(draws)
    fields = tuple(
        (member.name, _value(draws, member, case.mode, ports))
        for member in (case.struct.members if case.struct is not None else ())
        if not member.out
    )
    open_ports = {port.number for port in ports}
    first = draws.one_of([n for n in FIRST_PORTS if n not in open_ports])
    setup = replace(L0Setup(), first_port=first, max_grant_frames=draws.one_of((1, 4, 32)))
    fresh = type(scenario)(scenario.name, scenario.entry, scenario.operation, scenario.modes)
    return Case(
        replace(fresh, arguments=scenario.arguments, fields=fields, ports=ports, l0=setup),
        case.mode,
    )


def described(case: Case) -> str:
    """What was drawn, for a finding's message."""
    said = [f"{name} = {_spelled(value)}" for name, value in case.scenario.fields]
    ports = [f"{port.number} {port.state}" for port in case.scenario.ports]
    ground = f", and ports {', '.join(ports)}" if ports else ""
    return f"with {', '.join(said)}{ground}; L0's next port is {case.scenario.l0.first_port}"


def _spelled(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:#x}"


def _ports(draws: _Draws) -> tuple[PortState, ...]:
    """Up to three, each as the core sees it and as L0 does."""
    numbers = {draws.one_of(PORTS) for _ in range(draws.bits(8) % 4)}
    found = []
    for number in sorted(numbers):
        state, below = draws.one_of(KINDS)
        found.append(PortState(number, state, draws.bits(8) % 2, below))
    return tuple(found)


def _value(draws: _Draws, member: abi.Member, mode: abi.Mode, ports: Sequence[PortState]) -> Value:
    if member.pointer:
        pointers = POINTERS[:4] if mode is abi.Mode.COMPAT else POINTERS
        return draws.one_of(pointers)
    width = 8 * member.size
    random, edge = draws.bits(width), draws.bits(8)
    if edge % RANDOM == 0:
        return random
    name = "dom" if member.name.endswith("dom") else member.name
    name = "port" if name == "local_port" else name
    if name == "port" and ports and edge % RANDOM == 1:
        return draws.one_of(ports).number
    top = 1 << width - 1
    edges = (0, 1, top - 1, top, 2 * top - 1)
    return draws.one_of(NUMBERS.get(name, edges)) & (1 << width) - 1
