# SPDX-License-Identifier: GPL-2.0-or-later
"""What a call into the core leaves behind while it runs: locks, allocations, pages, violations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from emu.cpu import EFLAGS_IF
from emu.findings.invariant import Invariant
from emu.interactions import Crash, Plan
from emu.l0 import L0
from emu.object.addresses import FIRST_HEAP_FRAME, HEAP_BASE, HEAP_SIZE
from emu.object.borrowed import Area
from emu.object.regions import Memory, Region
from emu.object.world import World
from emu.profile.scenario import FIRST_UNUSED_PAGE
from emu.spaces import NOWHERE, LinearAddr


class Registers(Protocol):
    """Some registers of a processor."""

    def read(self) -> tuple[int, ...]: ...

    def write(self, values: Sequence[int]) -> None: ...


FREED = b"\x5a"
BLOCK, WORD = 512, 8


class NoModel(Exception):
    """Something was asked of which nobody wrote down what it does: the core cannot be judged further."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def _changed(before: bytes, now: bytes) -> Iterator[int]:
    """Offsets of the words that differ."""
    for block in range(0, len(now), BLOCK):
        if now[block : block + BLOCK] == before[block : block + BLOCK]:
            continue
        for at in range(block, min(block + BLOCK, len(now)), WORD):
            if now[at : at + WORD] != before[at : at + WORD]:
                yield at


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant broken while the core ran; ``calls`` is how many L0 calls went before."""

    invariant: Invariant
    message: str
    address: LinearAddr
    calls: int


@dataclass(slots=True)
class Context:
    """The state of one run that the models share."""

    memory: Memory
    world: World
    l0: L0
    plan: Plan
    lock_name: Callable[[LinearAddr], str]
    operation: str = ""
    """What the guest has asked for."""
    locks: dict[LinearAddr, int] = field(default_factory=dict)
    """Lock address to how often it is held."""
    blocks: dict[LinearAddr, int] = field(default_factory=dict)
    """Live heap allocations and their sizes."""
    ranges: set[LinearAddr] = field(default_factory=set)
    """Range sets that are not empty."""
    pages: set[int] = field(default_factory=set)
    """Frame numbers taken from the unused-page allocator."""
    guest_reads: list[tuple[LinearAddr, int]] = field(default_factory=list)
    """(address, size) of what the core wanted to read of the guest."""
    guest_writes: list[tuple[LinearAddr, bytes]] = field(default_factory=list)
    called: list[str] = field(default_factory=list)
    """Functions and operations of L0, in their order."""
    called_with: list[int] = field(default_factory=list)
    """The first argument of each."""
    violations: list[Violation] = field(default_factory=list)
    own_locks: dict[LinearAddr, LinearAddr] = field(default_factory=dict)
    """Address of a variable of the core to the lock under which it was written."""
    bare: set[LinearAddr] = field(default_factory=set)
    """Addresses of its variables that were written under no lock of its own while others could run."""
    _own: Region | None = None
    """The core's variables."""
    _last: bytes = b""
    """How they stood when they were last looked at: a hook on each access would cost a tenth of all."""
    watched: int | None = None
    """Port whose mask in the page shared with L0 is looked at."""
    masked: list[bool] = field(default_factory=list)
    """Before each call into L0: whether the port that the scenario watches was masked."""
    let_go: dict[LinearAddr, int] = field(default_factory=dict)
    """Lock address to how often it was let go."""
    claimed: dict[int, dict[LinearAddr, int]] = field(default_factory=dict)
    """Port that has been found to be free, and is not marked as used yet, to `let_go` at that time."""
    pending: set[int] = field(default_factory=set)
    """Ports on which the call has raised an event."""
    paused: dict[LinearAddr, int] = field(default_factory=dict)
    """Address of a vcpu to how often it is paused."""
    mapped: int = 0
    """Pages of the guest that the core has mapped and not unmapped."""
    borrowed: tuple[Area, ...] = ()
    strange: str = ""
    """The first use of a structure in ``borrowed`` where nothing of it is known."""
    call_site: LinearAddr = NOWHERE
    flags: Registers | None = None
    """EFLAGS of the processor that the core runs on."""
    brk: LinearAddr = HEAP_BASE
    """End of the heap in use."""
    heap_frames: set[int] = field(default_factory=set)
    """Frames that the core has of the hypervisor's heap."""
    next_heap_frame: int = FIRST_HEAP_FRAME
    next_page: int = FIRST_UNUSED_PAGE
    """What the unused-page allocator hands out next."""

    def note_call(self, name: str, first: int) -> None:
        """A function or an operation of L0 is called, with that as its first argument."""
        self.called.append(name)
        self.called_with.append(first)

    def violate(self, invariant: Invariant, message: str) -> None:
        """Note a broken invariant and let the core go on."""
        self.violations.append(Violation(invariant, message, self.call_site, len(self.l0.calls)))

    def crash(self, invariant: Invariant, message: str) -> NoReturn:
        raise Crash(invariant, message)

    def allocate(self, size: int, align: int = 64) -> LinearAddr:
        """Zeroed heap; `NOWHERE` where it is exhausted."""
        at = self.brk + (align - 1) & -align
        if size > HEAP_SIZE or at + size > HEAP_BASE + HEAP_SIZE:
            return NOWHERE
        self.brk = at + max(size, 1)
        self.memory.write(at, bytes(size))
        self.blocks[at] = size
        return at

    def free(self, address: LinearAddr) -> None:
        if not address:
            return
        size = self.blocks.pop(address, None)
        if size is None:
            self.crash(Invariant.MEMORY, f"free of {address:#x}, which is not allocated")
        self.memory.write(address, FREED * size)

    def take_page(self) -> int:
        page = self.next_page
        self.next_page += 1
        self.pages.add(page)
        return page

    def give_page(self, page: int) -> None:
        if page not in self.pages:
            self.violate(Invariant.RESOURCES, f"page {page:#x} is given back, but was not taken")
            return
        if page in self.l0.mapped:
            self.violate(
                Invariant.RESOURCES, f"page {page:#x} is given back while L0 still has it mapped"
            )
        self.pages.discard(page)

    def set_interrupts(self, *, on: bool) -> int:
        """Switch interrupts on or off; EFLAGS as they were."""
        assert self.flags is not None
        (before,) = self.flags.read()
        self.flags.write((before | EFLAGS_IF if on else before & ~EFLAGS_IF,))
        return before

    @property
    def alone(self) -> bool:
        """Whether no other vcpu can run: then nobody is there to be locked out."""
        return all(vcpu in self.paused for vcpu in self.world.vcpus[1:])

    def watch(self, own: Region) -> None:
        """A call begins; ``own`` are the core's variables."""
        self._own, self._last = own, bytes(own.view)

    def note_variables(self) -> None:
        """Which variables were written since this was last asked, and under which lock of the core's own.

        To be asked before who may write them changes: a lock is taken or let go, a vcpu paused or let run.
        """
        own = self._own
        if own is None:
            return
        now = bytes(own.view)  # compared as bytes: a view is compared item by item
        if now == self._last:
            return
        held = next((lock for lock in self.locks if own.base <= lock < own.end), None)
        for at in _changed(self._last, now):
            if held is not None:
                self.own_locks[own.base + at] = held
            elif not self.alone:
                self.bare.add(own.base + at)
        self._last = now

    def take_lock(self, lock: LinearAddr, *, recursive: bool = False) -> None:
        self._know_lock(lock)
        held = self.locks.get(lock, 0)
        if held and not recursive:
            self.crash(Invariant.LOCKS, f"deadlock: {self.lock_name(lock)} is already held")
        self.note_variables()
        self.locks[lock] = held + 1

    def _know_lock(self, lock: LinearAddr) -> None:
        """One within a structure of the probe's must be where the probe has a lock."""
        for area in self.borrowed if not self.strange else ():
            if area.begin <= lock < area.end and lock not in area.locks:
                self.strange = f"takes a lock {area.at(lock)}, where the probe has none"

    def drop_lock(self, lock: LinearAddr) -> None:
        held = self.locks.get(lock, 0)
        if not held:
            self.crash(Invariant.LOCKS, f"unlock of {self.lock_name(lock)}, which is not held")
        self.note_variables()
        if held == 1:
            del self.locks[lock]
            self.let_go[lock] = self.let_go.get(lock, 0) + 1
        else:
            self.locks[lock] = held - 1
