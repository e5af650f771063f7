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
    asked = asked_of(world.profile) if found else {}
    return tuple(
        Area(name, begin, end, layout.sizeof(name), _known(world, name, asked[name]))
        for name, begin, end in found
    )


def _known(world: World, name: str, paths: tuple[str, ...]) -> frozenset[int]:
    fields = [world.layout.field(name, path) for path in paths if world.layout.has(name, path)]
    return frozenset(
        byte for field in fields for byte in range(field.offset, field.offset + field.size)
    )


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
