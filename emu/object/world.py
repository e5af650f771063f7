# SPDX-License-Identifier: GPL-2.0-or-later
"""The state that a core finds around it: stack with `current`, domain, vcpus, event channels, guest pages.

`current` is found from the stack pointer: a stack of STACK_SIZE bytes, aligned to its size, with
``struct cpu_info`` in its last bytes.  What the tree's headers do not have (older or smaller trees) is
left out; what a scenario then needs and does not find is a `LayoutError`, and a "cannot tell".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from emu.abi import Mode
from emu.elf import PAGE, Perm
from emu.errors import LayoutError, NotThere
from emu.layout import Field, Layout
from emu.object.memory import Memory, Region
from emu.profile import Profile

STACK_BASE = 0xFFFF830000100000
HEAP_BASE = 0xFFFF830000400000
HEAP_SIZE = 24 * PAGE
"""Small, since it is put back before each call: room for a thousand event channels."""
WORLD_BASE = 0xFFFF830000800000
MAX_STRUCT = 16 * PAGE
GUEST_BASE = 0x00A00000
GUEST_SIZE = 2 * PAGE
GUEST_READONLY = 0x00B00000
GUEST_ABSENT = 0x00C00000
GUEST_FAR = 0x00007F8000000000
GUEST_HIGH = 0xFFFF880000000000
"""Where a 64-bit guest's own kernel begins: the first byte above the hypervisor's range."""
BUFFER = GUEST_BASE + 0x100
LIST = GUEST_BASE + PAGE
LIST_END = GUEST_BASE + GUEST_SIZE - 8
COMPAT_HYPERVISOR = 0xF5800000
"""Where a 32-bit guest's address space ends."""
COMPAT_FLAG, COMPAT_START = "arch.is_32bit_pv", "arch.hv_compat_vstart"
"""All that makes a domain a 32-bit one."""
START_INFO_BASE = 0xFFFF82C000000000
"""Where the core finds the guest's start info page once it has mapped it."""
START_INFO_FRAME = 0x5000
TOT_PAGES = 0x3210
POINTERS_PER_PAGE = PAGE // 8
SHARED_INFO = "shared_info"
"""Name that a profile gives to the region of the page shared with L0."""
MASK = "evtchn_mask"
LEFTOVER = b"\x2a"
"""What the guest has left where only an answer is to stand."""
NOBODYS = 0xFFFF8300DEAD0000
"""A pointer to where nothing is mapped."""


class World:
    """Addresses of the structures, and typed access to them."""

    def __init__(self, memory: Memory, layout: Layout, profile: Profile) -> None:
        self.memory = memory
        self.layout = layout
        self.profile = profile
        self._scalars: dict[tuple[str, str], Field] = {}
        stack_size = profile.constant("STACK_SIZE")
        if stack_size & (stack_size - 1) or not PAGE <= stack_size <= STACK_BASE & -STACK_BASE:
            raise LayoutError(
                f"STACK_SIZE {stack_size:#x} is no power of two that fits", profile.origin
            )
        self.stack = memory.add("stack", STACK_BASE, stack_size)
        self.heap = memory.add("heap", HEAP_BASE, HEAP_SIZE)
        self.structs = memory.add("domain", WORLD_BASE, self._room())
        self.guest = memory.add("guest", GUEST_BASE, GUEST_SIZE, user=True)
        self.guest_readonly = memory.add(
            "guest read-only", GUEST_READONLY, PAGE, Perm.READ, user=True
        )
        self.start_info = memory.add("start info", START_INFO_BASE, PAGE)
        self.start_info.view[:] = LEFTOVER * PAGE
        memory.add("guest beyond 32 bits", GUEST_FAR, PAGE, user=True)
        memory.add("guest kernel", GUEST_HIGH, PAGE, user=True)
        self.fixed = self._fixed_regions()
        self._next = WORLD_BASE
        self.domain = self._struct("struct domain")
        self.vcpus = tuple(self._struct("struct vcpu") for _ in range(profile.world.vcpus))
        self.stack_top = self._current()
        self._domain()
        self.channel_size = layout.sizeof("struct evtchn") if layout.has("struct evtchn") else 0
        if self.channel_size > PAGE:
            raise LayoutError(
                f"struct evtchn of {self.channel_size} bytes",
                hint="the debug information is damaged",
            )
        self.per_bucket = PAGE // _next_power_of_two(self.channel_size) if self.channel_size else 0
        self._group = 0
        self._buckets: dict[int, bytes] = {}
        if self.channel_size:
            self._channels()
        self.places: Mapping[str, int] = {
            "list": LIST,
            "list_end": LIST_END,
            "readonly": GUEST_READONLY,
            "absent": GUEST_ABSENT,
            "far": GUEST_FAR,
            "high": GUEST_HIGH,
            "hypervisor": self.structs.end - PAGE,
            "vcpu0": self.vcpus[0],
            "vcpu1": self.vcpus[-1],
        }
        """What a scenario may name (see emu/scenario.py)."""

    def _fixed_regions(self) -> tuple[Region, ...]:
        found = []
        for fixed in self.profile.regions:
            index = self.layout.enum(fixed.enumerator)
            if index is None:
                continue
            try:
                found.append(self.memory.add(fixed.name, fixed.top - index * PAGE, PAGE))
            except ValueError as exc:
                place = f"{self.profile.origin}: regions.{fixed.name}"
                raise LayoutError(f"{fixed.enumerator} is {index}: {exc}", place) from exc
        return tuple(found)

    def _room(self) -> int:
        """Pages for the domain, its vcpus, four tables, and one that belongs to nobody."""
        vcpus = self.profile.world.vcpus * self._size("struct vcpu")
        return self._size("struct domain") + vcpus + 5 * PAGE

    def _page(self, size: int = PAGE) -> int:
        at = self._next
        self._next += size
        return at

    def _size(self, name: str) -> int:
        """Whole pages for a structure; one where its layout is not known."""
        size = self.layout.sizeof(name) if self.layout.has(name) else PAGE
        if not 0 < size <= MAX_STRUCT:
            raise LayoutError(f"{name} of {size} bytes", hint="the debug information is damaged")
        return (size + PAGE - 1) & -PAGE

    def _struct(self, name: str) -> int:
        return self._page(self._size(name))

    def _current(self) -> int:
        """Fill cpu_info; returns where the stack may begin."""
        if not self.layout.has("struct cpu_info"):
            return self.stack.end - 256
        info = self.stack.end - self.layout.sizeof("struct cpu_info")
        if info < self.stack.base + PAGE:
            raise LayoutError("struct cpu_info does not leave room for a stack")
        self.try_set("struct cpu_info", info, "current_vcpu", self.vcpus[0])
        self.try_set("struct cpu_info", info, "processor_id", 0)
        self.try_set("struct cpu_info", info, "guest_cpu_user_regs.rdx", START_INFO_FRAME)
        return info

    def _domain(self) -> None:
        world = self.profile.world
        array = self._page()
        # The last one allowed was never created; what lies behind the array is somebody else's.
        self.memory.write(array, NOBODYS.to_bytes(8, "little") * POINTERS_PER_PAGE)
        self.memory.write_int(array + 8 * len(self.vcpus), 0, 8)
        for number, vcpu in enumerate(self.vcpus):
            self.try_set("struct vcpu", vcpu, "domain", self.domain)
            self.try_set("struct vcpu", vcpu, "vcpu_id", number)
            self.try_set("struct vcpu", vcpu, "is_initialised", 1)
            self.memory.write_int(array + 8 * number, vcpu, 8)
        for vcpu, following in pairwise(self.vcpus):
            self.try_set("struct vcpu", vcpu, "next_in_list", following)
        for path, value in (
            ("domain_id", world.domain_id),
            ("max_vcpus", len(self.vcpus) + 1),
            ("vcpu", array),
            ("max_evtchns", world.max_evtchns),
            ("max_evtchn_port", 0xFFFFFFFF),
            ("guest_type", 0),
            ("shared_info", self._page()),
            ("tot_pages", TOT_PAGES),
        ):
            self.try_set("struct domain", self.domain, path, value)

    def _channels(self) -> None:
        first = self.new_bucket(self._page(), 0)
        self._group = self._page()
        self.memory.write_int(self._group, first, 8)
        self.try_set("struct domain", self.domain, "evtchn", first)
        self.try_set("struct domain", self.domain, "evtchn_group[0]", self._group)
        self.try_set("struct domain", self.domain, "valid_evtchns", self.per_bucket)

    def new_bucket(self, at: int, first: int) -> int:
        """Fill a page with free event channels, the first numbered ``first``."""
        if first not in self._buckets:
            self._buckets[first] = self._bucket(first)
        self.memory.write(at, self._buckets[first])
        return at

    def _bucket(self, first: int) -> bytes:
        page = bytearray(PAGE)
        if self.layout.has("struct evtchn", "port"):
            port = self._scalar("struct evtchn", "port")
            for number in range(self.per_bucket):
                offset = number * self.channel_size + port.offset
                page[offset : offset + port.size] = (first + number).to_bytes(port.size, "little")
        return bytes(page[:PAGE])

    def add_bucket(self, at: int) -> None:
        """Make the next bucket of ports valid, its channels in the page ``at``."""
        valid = self.valid_ports
        self.new_bucket(at, valid)
        self.memory.write_int(self._group + 8 * (valid // self.per_bucket), at, 8)
        self.set("struct domain", self.domain, "valid_evtchns", valid + self.per_bucket)

    @property
    def structs_end(self) -> int:
        """Where the structures end; the pages behind belong to nobody."""
        return self._next

    @property
    def valid_ports(self) -> int:
        """How many ports the domain has channels for."""
        if self.layout.has("struct domain", "valid_evtchns"):
            return self.get("struct domain", self.domain, "valid_evtchns")
        return self.per_bucket

    def channel(self, port: int) -> int | None:
        """Address of a port's ``struct evtchn``; None for one that is not valid."""
        if not self.channel_size or port >= min(
            self.valid_ports, self.per_bucket * POINTERS_PER_PAGE
        ):
            return None
        bucket = self.memory.read_int(self._group + 8 * (port // self.per_bucket), 8)
        channel = bucket + port % self.per_bucket * self.channel_size
        return channel if self.memory.covering(channel, self.channel_size) is not None else None

    def port_state(self, port: int) -> int | None:
        """``state`` of a port; None for one that is not valid."""
        channel = self.channel(port)
        return None if channel is None else self.get("struct evtchn", channel, "state")

    def set_port(self, port: int, state: int, vcpu: int = 0) -> None:
        channel = self.channel(port)
        if channel is None:
            raise NotThere(f"port {port} of the scenario has no struct evtchn")
        self.set("struct evtchn", channel, "state", state)
        self.try_set("struct evtchn", channel, "notify_vcpu_id", vcpu)

    def masked_ports(self) -> frozenset[int]:
        """Ports masked in the page shared with L0, which is clear before a call; none without one."""
        page = next((r for r in self.fixed if r.name == SHARED_INFO), None)
        if page is None or not self.layout.has("struct shared_info", MASK):
            return frozenset()
        place = self.layout.field("struct shared_info", MASK)
        if not 0 < place.size <= page.size - place.offset:
            return frozenset()
        bits = int.from_bytes(self.memory.read(page.base + place.offset, place.size), "little")
        return frozenset(i for i in range(bits.bit_length()) if bits >> i & 1)

    @property
    def knows_compat(self) -> bool:
        """Whether this tree has 32-bit guests."""
        return self.layout.has("struct domain", COMPAT_FLAG)

    def mode_fields(self) -> Iterator[tuple[int, int]]:
        """Addresses [begin, end) of what `set_mode` sets."""
        for path in (COMPAT_FLAG, COMPAT_START):
            if self.layout.has("struct domain", path):
                place = self._scalar("struct domain", path)
                yield self.domain + place.offset, self.domain + place.offset + place.size

    def set_mode(self, mode: Mode) -> None:
        """Make the domain a 64-bit or a 32-bit one."""
        if mode == "compat":
            if not self.knows_compat:
                raise NotThere("the domain of this object knows no 32-bit guests")
            self.set("struct domain", self.domain, COMPAT_FLAG, 1)
            self.try_set("struct domain", self.domain, COMPAT_START, COMPAT_HYPERVISOR)

    def _scalar(self, type_name: str, path: str) -> Field:
        known = self._scalars.get((type_name, path))
        if known is not None:
            return known
        place = self.layout.field(type_name, path)
        if place.size > 8 or not 0 <= place.offset < MAX_STRUCT:
            raise LayoutError(
                f"{place.size} bytes at offset {place.offset:#x} are no scalar",
                f"{type_name}.{path}",
                "the debug information is damaged, or another tree's",
            )
        self._scalars[type_name, path] = place
        return place

    def get(self, type_name: str, base: int, path: str) -> int:
        """Read a field, bitfields included."""
        place = self._scalar(type_name, path)
        value = self.memory.read_int(base + place.offset, place.size)
        if place.bit is not None:
            value = value >> place.bit & (1 << place.width) - 1
        return value

    def set(self, type_name: str, base: int, path: str, value: int) -> None:
        """Write a field, bitfields included."""
        place = self._scalar(type_name, path)
        if place.bit is not None:
            mask = (1 << place.width) - 1 << place.bit
            value = (
                self.memory.read_int(base + place.offset, place.size) & ~mask
                | value << place.bit & mask
            )
        self.memory.write_int(base + place.offset, value, place.size)

    def try_set(self, type_name: str, base: int, path: str, value: int) -> None:
        """Write a field if this tree has it."""
        if self.layout.has(type_name, path):
            self.set(type_name, base, path, value)

    def place(self, path: str) -> tuple[str, int, str]:
        """(type, address of the structure, field) of ``domain.domain_id`` or ``vcpu1.pause_flags``."""
        owner, _, field_path = path.partition(".")
        if owner == "domain":
            return "struct domain", self.domain, field_path
        if owner == "cpu":
            return "struct cpu_info", self.stack_top, field_path
        number = int(owner.removeprefix("vcpu"))
        if number >= len(self.vcpus):
            raise NotThere(f"the domain has {len(self.vcpus)} vcpus")
        return "struct vcpu", self.vcpus[number], field_path

    def known(self, path: str) -> bool:
        """Whether this tree has that field."""
        type_name, _, field_path = self.place(path)
        return self.layout.has(type_name, field_path)

    def vcpu_name(self, address: int) -> str:
        return f"vcpu {self.vcpus.index(address)}" if address in self.vcpus else f"{address:#x}"

    def lock_address(self, name: str) -> int | None:
        """``domain.event_lock`` as an address; None where this tree has no such lock."""
        owner, _, path = name.partition(".")
        if owner != "domain":
            raise LayoutError(f"lock {name!r}: only locks of the domain are known")
        if not self.layout.has("struct domain", path):
            return None
        return self.domain + self.layout.field("struct domain", path).offset

    def lock_names(self) -> dict[int, str]:
        """Names of the locks that the profile speaks of, by address."""
        names = {}
        for extern in self.profile.externs.values():
            for lock in (*extern.locks, *extern.takes):
                address = self.lock_address(lock)
                if address is not None:
                    names[address] = lock
        return names


def _next_power_of_two(value: int) -> int:
    return 1 << (value - 1).bit_length()
