# SPDX-License-Identifier: GPL-2.0-or-later
"""What a call leaves behind: event channels, the page shared with L0, memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from enum import Enum
from typing import Protocol

from emu.findings.invariant import Invariant
from emu.profile.scenario import ChannelState
from emu.rules.base import Broken, Call, Rule, StructureCall


class HasChannels(Call, Protocol):
    """Event channels, as the core and as L0 have them."""

    @property
    def has_channels(self) -> bool:
        """Whether the core's own can be looked at."""

    @property
    def opened_before(self) -> frozenset[int]:
        """Ports that were open in L0 when the call began."""

    @property
    def open_ports(self) -> frozenset[int]:
        """Those that are open in L0 now."""

    def uses_port(self, port: int) -> bool | None:
        """Whether the port is in use in the core; None where the core has no such port."""


class PortsAgree(Rule[HasChannels]):
    name = Invariant.PORTS_AGREE
    reason = "a port is in use above exactly when it is open below"

    def check(self, seen: HasChannels) -> Iterator[Broken]:
        if not seen.has_channels or not seen.plan.possible:
            return
        scenario, before, after = seen.case.scenario, seen.opened_before, seen.open_ports
        for port in sorted(after - before):
            if seen.result == 0 and seen.uses_port(port) is False:
                yield Broken(f"port {port} was opened in L0 and is free in the core")
        for port in sorted(before - after):
            if scenario.operation != "EVTCHNOP_reset" and seen.uses_port(port):
                yield Broken(f"port {port} was closed in L0 and is still in use in the core")
        if scenario.repeat > 1:
            return
        states = {port.number for port in scenario.ports}
        for port in sorted(_ports_named(seen) - states - after - before):
            if seen.uses_port(port):
                yield Broken(f"port {port} is not open in L0, and is in use in the core")


def _ports_named(seen: Call) -> set[int]:
    """Ports that L0 was asked about or handed out in this call."""
    return {
        value
        for call in seen.calls
        for name, value in call.arguments
        if name in ("port", "local_port") and call.hypercall == "event_channel_op"
    }


class SharesPage(StructureCall, Protocol):
    """The page that the core shares with L0."""

    def masked_ports(self) -> Collection[int]:
        """Ports that this call has masked there."""


class SharedPage(Rule[SharesPage]):
    name = Invariant.SHARED_PAGE
    reason = "a bit set for the wrong port takes another device's events away"

    def check(self, seen: SharesPage) -> Iterator[Broken]:
        if seen.struct is None:
            return
        asked = seen.asked("port")
        for port in sorted(seen.masked_ports()):
            if port != asked:
                yield Broken(f"port {port} is masked in L0's shared page, which nobody asked for")


class Unmasks(StructureCall, Protocol):
    """The page that L0 looks at before it tells anybody of an event."""

    @property
    def open_ports(self) -> frozenset[int]:
        """Those that are open in L0 now."""

    def stays_masked(self, port: int) -> bool:
        """Whether L0 still sees the port masked."""


class Unmasked(Rule[Unmasks]):
    """Public event_channel.h, EVTCHNOP_unmask: "Unmask the specified local event-channel port and deliver a
    notification to the appropriate VCPU if an event is pending".  Whether a core hands that on, or has L0
    unmask a port when it opens it and keeps the guest's mask itself, is its own affair.
    """

    name = Invariant.SHARED_PAGE
    reason = "a port that stays masked in L0 never tells its guest of anything"

    def check(self, seen: Unmasks) -> Iterator[Broken]:
        scenario, port = seen.case.scenario, seen.asked("port")
        if scenario.operation != "EVTCHNOP_unmask" or seen.result != 0 or not seen.plan.possible:
            return
        own = {each.number for each in scenario.ports if each.state is ChannelState.VIRQ}
        if port is not None and port in seen.open_ports - own and seen.stays_masked(port):
            yield Broken(f"port {port} is unmasked by the guest, and stays masked in L0's page")


class HasGuestMemory(Protocol):
    """The guest's memory around what it handed over."""

    def strayed(self) -> Iterable[str]:
        """Where it has changed, in words."""


class GuestMemory(Rule[HasGuestMemory]):
    name = Invariant.MEMORY
    reason = "around its structure, the guest's memory is none of the hypervisor's business"

    def check(self, seen: HasGuestMemory) -> Iterator[Broken]:
        for place in seen.strayed():
            yield Broken(f"guest memory is changed {place}")


class Area(Enum):
    """Memory that a core finds around it and that is not its own; the values say what is wrong where it
    has changed."""

    CPU_INFO = "the per-processor structure at the top of the stack is overwritten"
    HEAP = "the heap is overwritten beyond its last allocation"
    STRUCTURES = "hypervisor memory that belongs to nobody is overwritten"


class HasAreas(Protocol):
    """The memory around the core."""

    def unchanged(self, area: Area) -> bool: ...


class Memory(Rule[HasAreas]):
    name = Invariant.MEMORY
    reason = "only the guest's own buffers, the core's variables and what it was given may change"

    def check(self, seen: HasAreas) -> Iterator[Broken]:
        for area in Area:
            if not seen.unchanged(area):
                yield Broken(area.value)
