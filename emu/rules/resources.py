# SPDX-License-Identifier: GPL-2.0-or-later
"""What a call takes it gives back, or remembers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Protocol

from emu import abi
from emu.findings.invariant import Invariant
from emu.rules.base import Broken, Call, Rule
from emu.spaces import LinearAddr

LOST = "what a failing path does not give back is lost until the guest reboots"


class OpensPorts(Call, Protocol):
    """Ports of L0."""

    @property
    def failed(self) -> bool:
        """Whether the result is an error."""

    @property
    def opened_before(self) -> Collection[int]:
        """Ports that were open in L0 when the call began."""

    @property
    def left_open(self) -> Iterable[int]:
        """Ports that the call opened and has not closed."""


class Ports(Rule[OpensPorts]):
    name = Invariant.RESOURCES
    reason = LOST

    def check(self, seen: OpensPorts) -> Iterator[Broken]:
        for port in seen.left_open if seen.failed and seen.plan.possible else ():
            if port not in seen.opened_before:
                yield Broken(
                    f"L0's port {port}, opened in this call, stays open although the call fails"
                )


class GivesPorts(Protocol):
    """What the guest can do with a port that the call has given it."""

    @property
    def not_taken_back(self) -> tuple[int, int] | None:
        """(port, result) of EVTCHNOP_close of it, where that fails; None where nothing is wrong."""


class TakenBack(Rule[GivesPorts]):
    """Public event_channel.h, EVTCHNOP_close: it closes a port of the caller's own, and fails only for what
    is none."""

    name = Invariant.PORTS_AGREE
    reason = "a port that the guest is given is a port to whoever has given it"

    def check(self, seen: GivesPorts) -> Iterator[Broken]:
        if seen.not_taken_back is not None:
            port, result = seen.not_taken_back
            answer = abi.result_name(result)
            message = f"port {port}, which the guest has just been given, is closed with {answer}"
            yield Broken(message, operation="EVTCHNOP_close")


class Allocates(Protocol):
    """Pages and heap."""

    @property
    def pages(self) -> Collection[int]:
        """Unused pages that it took and has not given back."""

    @property
    def blocks(self) -> Mapping[LinearAddr, int]:
        """Address and size of the heap that it took and has not freed."""

    @property
    def guest_pages_mapped(self) -> int:
        """How many pages of the guest it has mapped and not unmapped."""

    def is_mapped(self, page: int) -> bool:
        """Whether L0 has something mapped at this page."""

    def remembers(self, value: int) -> bool:
        """Whether the value stands in the core's variables or in its heap."""


class Pages(Rule[Allocates]):
    name = Invariant.RESOURCES
    reason = LOST

    def check(self, seen: Allocates) -> Iterator[Broken]:
        for page in sorted(seen.pages):
            if not seen.remembers(page):
                yield Broken(f"page {page:#x} is neither given back nor remembered")
            elif not seen.is_mapped(page):
                yield Broken(f"page {page:#x} is kept, and L0 has nothing mapped there")


class GuestPages(Rule[Allocates]):
    name = Invariant.RESOURCES
    reason = LOST

    def check(self, seen: Allocates) -> Iterator[Broken]:
        if seen.guest_pages_mapped:
            yield Broken("a page of the guest is still mapped at return")


class Heap(Rule[Allocates]):
    name = Invariant.RESOURCES
    reason = LOST

    def check(self, seen: Allocates) -> Iterator[Broken]:
        for block, size in sorted(seen.blocks.items()):
            if not seen.remembers(block):
                yield Broken(f"{size} allocated bytes are neither freed nor remembered")


class TakesFrames(Protocol):
    @property
    def heap_frames(self) -> Collection[int]:
        """Frames of the hypervisor's heap that it took, and that neither the heap nor L0 has now."""


class HeapFrames(Rule[TakesFrames]):
    name = Invariant.RESOURCES
    reason = LOST

    def check(self, seen: TakesFrames) -> Iterator[Broken]:
        for frame in sorted(seen.heap_frames):
            yield Broken(
                f"frame {frame:#x} is taken from the heap, and neither the heap nor L0 has it"
            )
