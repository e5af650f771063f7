# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a core may look in structures that only a probe describes.

A probe gives the places of some fields, and the world around the core fills those. A core that looks
elsewhere in such a structure has its fields in other places, since the probe is of another tree or
configuration, or it looks at one that the profile does not name. Either way it goes on with bytes that
nobody has put there, and what it then does proves nothing. A type that the object describes itself is
not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from emu.layout import Layout
from emu.object.structures import asked_of
from emu.object.world import World
from emu.spaces import LinearAddr

SAME = "compile the probe with the object's own command, in its own tree"


@dataclass(frozen=True, slots=True)
class Area:
    """Structures of one type, one behind the other: addresses [begin, end)."""

    type_name: str
    begin: LinearAddr
    end: LinearAddr
    size: int
    """Bytes of one of them."""
    known: frozenset[int]
    """Offsets of the bytes that belong to a field of which something is known."""
    locks: frozenset[LinearAddr]
    """Where there may be a lock: what the profile calls one, or names in its [uses]."""

    def strange(self, address: LinearAddr, size: int) -> str:
        """What is wrong with an access that begins here; empty where it is to known fields."""
        offset = (address - self.begin) % self.size
        if self.known.issuperset(range(offset, offset + size)):
            return ""
        return (
            f"{size} bytes {self.at(address)}, where the probe has no field that the profile names"
        )

    def at(self, address: LinearAddr) -> str:
        """Where in its structure an address is."""
        return f"at {(address - self.begin) % self.size:#x} of {self.type_name}"


def borrowed_areas(world: World) -> tuple[Area, ...]:
    """Of the structures in the core's world; none for a core that describes all of them itself."""
    layout = world.layout
    found = [place for place in _places(world) if place[0] in layout.borrowed]
    profile, locks = world.profile, frozenset(world.lock_names())
    asked = asked_of(profile) if found else {}
    return tuple(
        Area(
            name,
            begin,
            end,
            layout.sizeof(name),
            frozenset(
                byte
                for at, size in _fields(layout, name, asked[name])
                for byte in range(at, at + size)
            ),
            locks | {begin + at for at, _ in _fields(layout, name, profile.uses.get(name, ()))},
        )
        for name, begin, end in found
    )


def _fields(layout: Layout, name: str, paths: tuple[str, ...]) -> list[tuple[int, int]]:
    """(offset, size) of those that there are."""
    fields = [layout.field(name, path) for path in paths if layout.has(name, path)]
    return [(field.offset, field.size) for field in fields]


def _places(world: World) -> Iterator[tuple[str, LinearAddr, LinearAddr]]:
    """(type, begin, end) of structures that the core finds in its world."""
    layout = world.layout
    for name, begin in (
        ("struct domain", world.domain),
        *(("struct vcpu", vcpu) for vcpu in world.vcpus),
        ("struct cpu_info", world.stack_top),
    ):
        if layout.has(name):
            yield name, begin, begin + layout.sizeof(name)
    channels = world.channels
    if channels.size:
        yield "struct evtchn", channels.first, channels.first + channels.per_page * channels.size
    if world.frame_table is not None:
        yield "struct page_info", world.frame_table.base, world.frame_table.end
