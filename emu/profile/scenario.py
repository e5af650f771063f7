# SPDX-License-Identifier: GPL-2.0-or-later
"""One call into the core, as data: what stands before it, what is asked, what is to come of it.

Where a value may be given by name, the names are: operations, constants and errors of the ABI
(``EVTCHNOP_send``, ``DOMID_SELF``, ``-EINVAL``), constants of the profile, and these places:

    operation    number of the scenario's own operation
    buffer       the guest's argument structure
    list         a page of the guest for lists
    list_end     8 bytes before the last page of the guest ends
    readonly     a page that the guest may only read
    absent       a guest address where no page is
    far          a page of the guest that 32 bits do not reach
    high         a page of the guest above the hypervisor's range
    hypervisor   memory of the core itself
    domain       the domain's structure
    vcpu0, vcpu1 the domain's vcpu structures
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from emu.abi import Mode, Struct, structure
from emu.l0 import L0Setup, PortKind


class Name(StrEnum):
    """A value that is only known where the scenario runs; the names are explained above."""

    OPERATION = "operation"
    BUFFER = "buffer"
    LIST = "list"
    LIST_END = "list_end"
    READONLY = "readonly"
    ABSENT = "absent"
    FAR = "far"
    HIGH = "high"
    HYPERVISOR = "hypervisor"
    DOMAIN = "domain"
    VCPU0 = "vcpu0"
    VCPU1 = "vcpu1"
    ANY_ERROR = "error"
    """Of a result alone: any negative number."""
    VERSION = "version"
    """Of the result of a booted guest's hypercall alone: what the image says of itself on its console;
    where it says nothing, the other values count."""


Value = int | Name


FIRST_UNUSED_PAGE = 0x12340
"""Recognisable in memory."""


class ChannelState(StrEnum):
    """Xen's ECS_* of an event channel; their numbers are constants of the profile."""

    FREE = "free"
    RESERVED = "reserved"
    UNBOUND = "unbound"
    INTERDOMAIN = "interdomain"
    PIRQ = "pirq"
    VIRQ = "virq"
    IPI = "ipi"

    @property
    def constant(self) -> str:
        """Name of its number."""
        return f"ECS_{self.name}"


@dataclass(frozen=True, slots=True)
class PortState:
    """An event channel: as the core sees it, and (``l0``) whether L0 has it open and as what."""

    number: int
    state: ChannelState
    vcpu: int | None = None
    l0: PortKind | None = None
    excluded: bool = False
    """Of what is to be afterwards: any state but this one."""
    pending: bool | None = None
    """Of what is to be afterwards: whether an event was raised on it."""

    @property
    def spelled(self) -> str:
        """The state as a profile has it."""
        return f"not {self.state}" if self.excluded else self.state


@dataclass(frozen=True, slots=True)
class ExpectedCall:
    """A call that must reach L0 with these fields; calls in between are allowed."""

    op: str
    fields: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """A row of the scenario table.  Empty expectations ask for nothing beyond the invariants."""

    name: str
    entry: str
    operation: str
    modes: tuple[Mode, ...] = tuple(Mode)
    arguments: tuple[Value, ...] | None = None
    """None: the entry's own."""
    buffer: Value = Name.BUFFER
    """Where the argument pointer points."""
    fields: tuple[tuple[str, Value], ...] = ()
    """What the guest writes into its structure."""
    ports: tuple[PortState, ...] = ()
    data: tuple[tuple[str, Value], ...] = ()
    """Variables of the object or of its surroundings, by name."""
    state: tuple[tuple[str, Value], ...] = ()
    """Fields of the core's structures: ``domain.tot_pages``, ``vcpu1.pause_flags``, ``cpu.processor_id``,
    ``evtchn12.state``."""
    before: tuple[str, ...] = ()
    """Scenarios whose calls prepare the ground, in this order; only their arguments count."""
    needs: tuple[str, ...] = ()
    """Functions without which a core does not do this at all (yet)."""
    lacks: tuple[str, ...] = ()
    """Functions that a core calls whose entry of that name is another."""
    l0: L0Setup = field(default_factory=L0Setup)
    first_page: int = FIRST_UNUSED_PAGE
    """Frame number of the first page that the unused-page allocator has."""
    repeat: int = 1
    """How often to call; the expectations are of the last."""
    fail: tuple[str, ...] = ()
    """Interactions to fail, by kind, first occurrence in the last call."""
    explore: bool = True
    """Whether failures are tried beyond the table: one of several like it is enough where a call is long."""
    result: tuple[Value, ...] = ()
    """Any of these; ``error`` is any negative one."""
    expect: tuple[ExpectedCall, ...] = ()
    silent: bool = False
    """No call may reach L0."""
    out: tuple[tuple[str, Value], ...] = ()
    """Fields of the guest's structure afterwards."""
    frames: int | None = None
    """So many grant frames that L0 has mapped must stand in the guest's list."""
    after: tuple[PortState, ...] = ()
    leaves: tuple[tuple[str, Value], ...] = ()
    """Fields of the core's structures afterwards, named as in ``state``."""
    start_info: tuple[tuple[str, Value], ...] | None = None
    """The guest's start info page afterwards; None where it is not to be looked at."""
    called: tuple[str, ...] = ()
    """Undefined functions that the core must have called, in this order."""
    order: tuple[str, ...] = ()
    """Undefined functions and operations of L0 that come in this order, as far as they come."""
    each_vcpu: tuple[str, ...] = ()
    """Undefined functions that the core must have called for each vcpu, if for any: their first argument lies
    in its structure."""
    not_called: tuple[str, ...] = ()
    masked: int | None = None
    """A port that must be masked in the page shared with L0 before L0 is asked anything."""
    may_lack: bool = False
    """What it asks for, a series adds late: unmet means not there yet, and no finding by itself."""
    ends: bool = False
    """The call shuts the domain down and does not return."""

    @property
    def staged(self) -> bool:
        """Whether its ground can only be laid from outside: no guest can bring it about."""
        return bool(self.state or self.before or self.needs or self.lacks or self.data)


@dataclass(frozen=True, slots=True)
class Case:
    """A scenario in one mode."""

    scenario: Scenario
    mode: Mode
    struct: Struct | None = field(init=False, repr=False, compare=False)
    """The guest's argument structure."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "struct", structure(self.scenario.operation, self.mode))

    @property
    def title(self) -> str:
        return f"{self.scenario.name}/{self.mode}"
