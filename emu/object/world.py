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
from emu.layout import Layout
from emu.object.addresses import (
    COMPAT_FLAG,
    COMPAT_HYPERVISOR,
    COMPAT_START,
    FIRST_HEAP_FRAME,
    GUEST_ABSENT,
    GUEST_BASE,
    GUEST_FAR,
    GUEST_HIGH,
    GUEST_READONLY,
    GUEST_SIZE,
    HEAP_BASE,
    HEAP_FRAMES,
    HEAP_SIZE,
    LIST,
    LIST_END,
    RUBBISH,
    STACK_BASE,
    START_INFO_BASE,
    START_INFO_FRAME,
    TOT_PAGES,
    WORLD_BASE,
)
from emu.object.channels import POINTERS_PER_PAGE, Channels
from emu.object.fields import MAX_STRUCT, Fields
from emu.object.regions import Memory, Region
from emu.object.structures import RWLOCK_COUNT
from emu.profile import Profile
from emu.profile.data import FixedRegion
from emu.rules.expected import LEFTOVER
from emu.spaces import LinearAddr

SHARED_INFO = "shared_info"
"""Name that a profile gives to the region of the page shared with L0."""
MASK = "evtchn_mask"
RWLOCK_SIZE = 4
FIXMAP = 1024 * PAGE
"""How far below their top fixed regions may lie."""
NOBODYS = 0xFFFF8300DEAD0000
"""A pointer to where nothing is mapped."""

FRAME_TABLE = "FRAMETABLE_VIRT_START"
FRAMETABLE_LOW, FRAMETABLE_END = 0xFFFF82E000000000, 0xFFFF830000000000
"""Where it lies, unless the tree is for more than 16 TiB (x86's asm/config.h)."""
PAGE_INFO, MAX_PAGE_INFO = 32, 256
"""Bytes of ``struct page_info`` where 32 bits number a page, and more than it may have."""


class World(Fields):
    """Addresses of the structures, and typed access to them."""

    def __init__(self, memory: Memory, layout: Layout, profile: Profile) -> None:
        super().__init__(memory, layout)
        self.profile = profile
        stack_size = profile.constant("STACK_SIZE")
        if stack_size & (stack_size - 1) or not PAGE <= stack_size <= STACK_BASE & -STACK_BASE:
            raise LayoutError(
                f"STACK_SIZE {stack_size:#x} is not a power of two that fits", profile.origin
            )
        self.stack = memory.add("stack", STACK_BASE, stack_size)
        self.heap = memory.add("heap", HEAP_BASE, HEAP_SIZE)
        self.structs = memory.add("domain", WORLD_BASE, self._room())
        self.guest = memory.add("guest", GUEST_BASE, GUEST_SIZE, user=True)
        memory.add("guest read-only", GUEST_READONLY, PAGE, Perm.READ, user=True)
        self.start_info = memory.add("start info", START_INFO_BASE, PAGE)
        self.start_info.view[:] = LEFTOVER * PAGE
        memory.add("guest beyond 32 bits", GUEST_FAR, PAGE, user=True)
        memory.add("guest kernel", GUEST_HIGH, PAGE, user=True)
        self._unknown: list[FixedRegion] = []
        self.fixed = self._fixed_regions()
        self.page_info_size = 0
        self.frame_table = self._frame_table()
        self._next = WORLD_BASE
        self.domain = self._struct("struct domain")
        self.vcpus = tuple(self._struct("struct vcpu") for _ in range(profile.world.vcpus))
        self.stack_top = self._current()
        self._domain()
        self.channels = Channels(self, self.domain)
        if self.channels.size:
            self.channels.begin(self._page(), self._page())
        self._lock_names = self.lock_names()
        self._counted = dict(self._counters())
        self.places: Mapping[str, LinearAddr] = {
            "list": LIST,
            "list_end": LIST_END,
            "readonly": GUEST_READONLY,
            "absent": GUEST_ABSENT,
            "far": GUEST_FAR,
            "high": GUEST_HIGH,
            "hypervisor": self.structs.end - PAGE,
            "domain": self.domain,
            "vcpu0": self.vcpus[0],
            "vcpu1": self.vcpus[-1],
        }
        """What a scenario may name (see emu/profile/scenario.py)."""

    def _frame_table(self) -> Region | None:
        """The part of it that describes the hypervisor's heap; None where nothing says where it is.

        It begins elsewhere in trees for more than 16 TiB, where the structure is larger, too: then the tree
        itself has to say.
        """
        begin, table = self.profile.constants.get(FRAME_TABLE), "struct page_info"
        if begin is None or not self.layout.has(table):
            return None
        size = self.layout.sizeof(table)
        if not 0 < size <= MAX_PAGE_INFO or (
            size != PAGE_INFO and FRAME_TABLE not in self.profile.given
        ):
            return None
        self.page_info_size = size
        at = LinearAddr(begin + FIRST_HEAP_FRAME * size)
        try:
            return self.memory.add("frame table", at, HEAP_FRAMES * size)
        except ValueError:
            return None

    def _fixed_regions(self) -> tuple[Region, ...]:
        found = []
        for fixed in self.profile.regions:
            index = self.layout.enum(fixed.enumerator)
            if index is None:
                self._unknown.append(fixed)
                continue
            try:
                found.append(
                    self.memory.add(fixed.name, LinearAddr(fixed.top - index * PAGE), PAGE)
                )
            except ValueError as exc:
                place = f"{self.profile.origin}: regions.{fixed.name}"
                raise LayoutError(f"{fixed.enumerator} is {index}: {exc}", place) from exc
        return tuple(found)

    def lacking_at(self, address: LinearAddr) -> str:
        """What may be at an address, and where it is nobody has said, or only a probe; empty for nothing."""
        for fixed in self.profile.regions:
            if not fixed.top - FIXMAP <= address < fixed.top + PAGE:
                continue
            if fixed in self._unknown:
                return f"{fixed.name}: neither the object nor a probe has {fixed.enumerator}"
            if self.layout.own_enum(fixed.enumerator) is None:
                return f"a fixed page at {address & -PAGE:#x}, and the probe has {fixed.name} elsewhere"
        table = "struct page_info"
        if FRAMETABLE_LOW <= address < FRAMETABLE_END and (
            self.frame_table is None or table in self.layout.borrowed
        ):
            return f"{table} at {address:#x}, and where the frame table begins is only the probe's word"
        return ""

    def _room(self) -> int:
        """Pages for the domain, its vcpus, four tables, the tables of functions, and a spare one."""
        vcpus = self.profile.world.vcpus * self._size("struct vcpu")
        tables = len(self.profile.tables)
        return self._size("struct domain") + vcpus + (5 + tables) * PAGE

    def _page(self, size: int = PAGE) -> LinearAddr:
        at = self._next
        self._next += size
        return at

    def _size(self, name: str) -> int:
        """Whole pages for a structure; one where its layout is not known."""
        size = self.layout.sizeof(name) if self.layout.has(name) else PAGE
        if not 0 < size <= MAX_STRUCT:
            raise LayoutError(f"{name} of {size} bytes", hint="the debug information is damaged")
        return (size + PAGE - 1) & -PAGE

    def _struct(self, name: str) -> LinearAddr:
        return self._page(self._size(name))

    def _current(self) -> LinearAddr:
        """Fill cpu_info; returns where the stack may begin."""
        if not self.layout.has("struct cpu_info"):
            return self.stack.end - 256
        info = self.stack.end - self.layout.sizeof("struct cpu_info")
        if info < self.stack.base + PAGE:
            raise LayoutError("struct cpu_info does not leave room for a stack")
        self.try_set("struct cpu_info", info, "current_vcpu", self.vcpus[0])
        self.try_set("struct cpu_info", info, "processor_id", 0)
        self._set_start_info(info, Mode.NATIVE)
        return info

    def _set_start_info(self, info: LinearAddr, mode: Mode) -> None:
        """The frame of its start info, as a guest names it."""
        self.start_info_frame = START_INFO_FRAME[mode]
        rdx = self.start_info_frame | (RUBBISH if mode is Mode.COMPAT else 0)
        self.try_set("struct cpu_info", info, "guest_cpu_user_regs.rdx", rdx)

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

    def fill_tables(self, functions: Mapping[str, LinearAddr]) -> None:
        """Fill the core's tables of functions with the addresses in ``functions``."""
        for table in self.profile.tables:
            if not self.layout.has(table.type_name) or not self.known(table.at):
                continue
            at = self._page()
            self.set(*self.place(table.at), at)
            for member in table.functions:
                self.try_set(table.type_name, at, member, functions[table.extern(member)])

    @property
    def structs_end(self) -> LinearAddr:
        """Where the structures end; the pages behind belong to nobody."""
        return self._next

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

    def mode_fields(self) -> Iterator[tuple[LinearAddr, LinearAddr]]:
        """Addresses [begin, end) of what `set_mode` sets."""
        for path in (COMPAT_FLAG, COMPAT_START):
            if self.layout.has("struct domain", path):
                place = self.scalar("struct domain", path)
                yield self.domain + place.offset, self.domain + place.offset + place.size

    def set_mode(self, mode: Mode) -> None:
        """Make the domain a 64-bit or a 32-bit one."""
        self.start_info_frame = START_INFO_FRAME[mode]
        if mode is Mode.COMPAT:
            if not self.knows_compat:
                raise NotThere("this object has no 32-bit guests")
            self.set("struct domain", self.domain, COMPAT_FLAG, 1)
            self.try_set("struct domain", self.domain, COMPAT_START, COMPAT_HYPERVISOR)
            self._set_start_info(self.stack_top, mode)

    def place(self, path: str) -> tuple[str, LinearAddr, str]:
        """(type, address of the structure, field) of ``domain.domain_id`` or ``vcpu1.pause_flags``."""
        owner, _, field_path = path.partition(".")
        if owner == "domain":
            return "struct domain", self.domain, field_path
        if owner == "cpu":
            return "struct cpu_info", self.stack_top, field_path
        if owner.startswith("evtchn"):
            return "struct evtchn", self._channel(int(owner.removeprefix("evtchn"))), field_path
        number = int(owner.removeprefix("vcpu"))
        if number >= len(self.vcpus):
            raise NotThere(f"the domain has {len(self.vcpus)} vcpus")
        return "struct vcpu", self.vcpus[number], field_path

    def _channel(self, port: int) -> LinearAddr:
        channel = self.channels.find(port)
        if channel is None:
            raise NotThere(f"port {port} of the scenario has no struct evtchn")
        return channel

    def known(self, path: str) -> bool:
        """Whether this tree has that field."""
        type_name, _, field_path = self.place(path)
        return self.layout.has(type_name, field_path)

    def vcpu_name(self, address: LinearAddr) -> str:
        return f"vcpu {self.vcpus.index(address)}" if address in self.vcpus else f"{address:#x}"

    def is_within_vcpu(self, number: int, address: int) -> bool:
        """Whether an address is one in the structure of a vcpu."""
        first = self.vcpus[number]
        return first <= address < first + self.layout.sizeof("struct vcpu")

    def lock_address(self, name: str) -> LinearAddr | None:
        """``domain.event_lock`` as an address; None where this tree has no such lock."""
        owner, _, path = name.partition(".")
        if owner != "domain":
            raise LayoutError(f"lock {name!r}: only locks of the domain are known")
        if not self.layout.has("struct domain", path):
            return None
        return self.domain + self.layout.field("struct domain", path).offset

    def is_held(self, lock: LinearAddr) -> bool:
        """Whether a lock that its takers count in place, as an rwlock, is taken; never for any other."""
        word = self._counted.get(lock)
        return word is not None and self.memory.read_int(word, RWLOCK_SIZE) != 0

    def is_counted(self, lock: LinearAddr) -> bool:
        """Whether its takers count in place."""
        return lock in self._counted

    def held_in_place(self) -> Iterator[str]:
        """Names of the locks that are."""
        return (self._lock_names[lock] for lock in self._counted if self.is_held(lock))

    def _counters(self) -> Iterator[tuple[LinearAddr, LinearAddr]]:
        for address, name in self._lock_names.items():
            path = f"{name.partition('.')[2]}.{RWLOCK_COUNT}"
            if self.layout.has("struct domain", path):
                yield address, self.domain + self.layout.field("struct domain", path).offset

    def lock_names(self) -> dict[LinearAddr, str]:
        """Names of the locks that the profile speaks of, by address."""
        names = {}
        for extern in self.profile.externs.values():
            for lock in (*extern.locks, *extern.takes):
                address = self.lock_address(lock)
                if address is not None:
                    names[address] = lock
        return names
