# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest is told of the time of its vcpus (public vcpu.h, struct vcpu_runstate_info): each vcpu has
its own, and by hypercall and in memory it is the same.

Pure functions of what was told; times are in nanoseconds of system time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

RUNSTATE = "VCPUOP_get_runstate_info"
UPDATE = 1 << 63
"""XEN_RUNSTATE_UPDATE, in `Runstate.state_entry_time` while the structure is being written."""


class State(IntEnum):
    """RUNSTATE_* of public vcpu.h."""

    RUNNING = 0
    RUNNABLE = 1
    BLOCKED = 2
    OFFLINE = 3


@dataclass(frozen=True, slots=True)
class Runstate:
    """``struct vcpu_runstate_info``."""

    state: int
    state_entry_time: int
    """System time at which it came into that state."""
    times: tuple[int, ...]
    """Time spent in each state."""

    @classmethod
    def of(cls, fields: Mapping[str, int]) -> Runstate:
        """From the structure's fields as `emu.abi` names them."""
        times = tuple(fields[f"time{state}"] for state in State)
        return cls(fields["state"], fields["state_entry_time"], times)

    @property
    def total(self) -> int:
        return sum(self.times)


@dataclass(frozen=True, slots=True)
class Look:
    """A runstate, and the guest's system time before and after it was asked for."""

    told: Runstate
    before: int
    after: int


def untrue(look: Look, allowed: Collection[State]) -> Iterator[str]:
    """What cannot be true of a vcpu that is in one of the ``allowed`` states."""
    told = look.told
    if told.state not in {*allowed}:
        wanted = " or ".join(state.name.lower() for state in allowed)
        yield f"its state is {name(told.state)}, not {wanted}"
    if told.state_entry_time & UPDATE:
        yield "it says that it is being written"
    elif told.state_entry_time > look.after:
        yield f"its state begins {told.state_entry_time - look.after} ns from now"


def drifted(first: Look, second: Look) -> Iterator[str]:
    """The sum of the times "is guaranteed not to drift from system time", and none of them runs backwards."""
    passed = second.told.total - first.told.total
    least, most = second.before - first.after, second.after - first.before
    if not least <= passed <= most:
        yield f"its times grow by {passed} ns while {least} to {most} ns pass"
    for state, was, now in zip(State, first.told.times, second.told.times, strict=True):
        if now < was:
            yield f"the time that it was {state.name.lower()} falls by {was - now} ns"


def disagree(area: Runstate, asked: Runstate) -> Iterator[str]:
    """What the memory area of a running vcpu says that the hypercall does not: it "is updated by the
    hypervisor each time the VCPU is scheduled", so all but the time spent running is the same since then."""
    if asked.state != State.RUNNING:
        return
    if area.state != State.RUNNING:
        yield f"the memory area has its state {name(area.state)} while it runs"
        return
    here, there = area.state_entry_time, asked.state_entry_time
    if here != there:
        yield f"the memory area has it scheduled at {here}, {RUNSTATE} at {there}"
    for state in State:
        one, other = area.times[state], asked.times[state]
        if one > other or (one != other and state is not State.RUNNING):
            yield f"the memory area has {one} ns {state.name.lower()}, {RUNSTATE} {other}"


def name(state: int) -> str:
    """Of a state, or the number where it is none."""
    return State(state).name.lower() if state in {*State} else str(state)
