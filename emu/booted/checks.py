# SPDX-License-Identifier: GPL-2.0-or-later
"""What must hold for every hypercall of a booted guest, whatever the image does with it.

The siblings of `emu.invariants` for an image of which nothing is modelled.  Each is a small class with
a name, the reason why it is one, and a check that yields (message, address) for what it finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from emu import abi
from emu.booted.drive import Answer
from emu.booted.machine import Machine
from emu.booted.traps import VECTOR_UD
from emu.elf import PAGE
from emu.findings.verdict import L0Call
from emu.interactions import Plan
from emu.profile.scenario import Case, ExpectedCall

Found = Iterator[tuple[str, int]]
BUFFER_OFFSET = 0x100
MAX_ERRNO = 4095


@dataclass(frozen=True, slots=True)
class Observed:
    """One hypercall and what was seen of it."""

    case: Case
    answer: Answer
    plan: Plan
    machine: Machine
    before: bytes
    """The guest's page of arguments when it asked."""
    after: bytes
    opened: frozenset[int]
    """Ports open in L0 when it asked."""
    has_buffer: bool
    """The argument is a structure in that page."""
    left_open: tuple[int, ...] = ()
    """Ports that L0 opened in this call and has not closed."""
    guest_pointers: tuple[tuple[str, int], ...] = ()
    """(operation, address) of guest memory that L0 was handed without EFLAGS.AC."""
    out: tuple[tuple[str, int], ...] = ()
    """What the scenario wants the guest to see."""
    listed: tuple[int, ...] = ()
    """The frames in the guest's list."""
    mapped: tuple[int | None, ...] = ()
    """Where L0 has mapped each of the grant frames that the scenario asks for."""
    later: Answer | None = None
    """A call that the guest made afterwards and that did not come back."""

    @property
    def struct(self) -> abi.Struct | None:
        return self.case.struct if self.has_buffer else None

    def asked(self, name: str) -> int | None:
        return self._field(self.before, name)

    def sees(self, name: str) -> int | None:
        """A field of the guest's structure as it stands now."""
        return self._field(self.after, name)

    def _field(self, page: bytes, name: str) -> int | None:
        struct = self.struct
        if struct is None or struct.member(name) is None:
            return None
        return struct.decode(page[BUFFER_OFFSET : BUFFER_OFFSET + struct.size])[name]

    def forwarded(self) -> L0Call | None:
        """The last call to L0 for the operation that the guest asked for."""
        own = (c for c in reversed(self.answer.calls) if c.op == self.case.scenario.operation)
        return next(own, None)


class Check:
    """Of one hypercall."""

    name: ClassVar[str]
    reason: ClassVar[str]
    forwarding: ClassVar[bool] = False
    """Holds where the image is to forward what the guest asks for, and not while it asks L0 on its own
    behalf: what one that is no shim yet does when its guest shuts down."""

    def check(self, seen: Observed) -> Found:
        raise NotImplementedError


class Returns(Check):
    name = "crash"
    reason = "no guest may bring down what it runs on"

    def check(self, seen: Observed) -> Found:
        end, plan = seen.answer.end, seen.plan
        if end is None:
            return
        if seen.case.scenario.ends:
            return
        if end.kind == "shutdown":
            if any(not i.legal for i in plan.injected):
                return
            yield f"the guest's call ends the domain: {seen.answer.told()}", seen.answer.culprit()
            return
        yield f"the guest's call does not come back: {end.message}", end.address


class Afterwards(Check):
    name = "crash"
    reason = "no guest may bring down what it runs on, with two calls no more than with one"

    def check(self, seen: Observed) -> Found:
        later = seen.later
        if later is not None and later.end is not None and later.end.kind != "loop":
            yield f"the guest's next call ends the domain: {later.told()}", later.culprit()


class Locks(Check):
    name = "locks"
    reason = "a lock that is held at return deadlocks the next caller"

    def check(self, seen: Observed) -> Found:
        later = seen.later
        if later is not None and later.end is not None and later.end.kind == "loop":
            yield f"the guest's next call does not come back: {later.told()}", later.culprit()


class Traps(Check):
    name = "trap"
    reason = "an invalid instruction in the hypervisor is a BUG or a WARN"

    def check(self, seen: Observed) -> Found:
        image = seen.machine.image
        impossible = any(not i.legal for i in seen.plan.injected)
        for vector, address in seen.answer.taken:
            own = any(load.virtual <= address < load.virtual + load.size for load in image.loads)
            if vector == VECTOR_UD and own and not impossible:
                yield "an invalid instruction (BUG or WARN)", address


class GuestPointers(Check):
    name = "SMAP"
    reason = "L0 reads with its caller's SMAP: a guest's pointer without EFLAGS.AC is -EFAULT"

    def check(self, seen: Observed) -> Found:
        for op, pointer in seen.guest_pointers:
            number = next((n for n, c in enumerate(seen.answer.calls) if c.op == op), None)
            callers = seen.answer.callers
            address = callers[number] if number is not None and number < len(callers) else 0
            yield (
                f"{op} is handed to L0 with a pointer to guest memory ({pointer:#x}), EFLAGS.AC clear",
                address,
            )


class FailureReported(Check):
    name = "failure lost"
    reason = "what failed below must not look like success above"

    def check(self, seen: Observed) -> Found:
        if seen.answer.result != 0:
            return
        status = seen.sees("status")
        if status is not None and status < 0:
            return
        for interaction in seen.plan.injected:
            if interaction.legal:
                yield f"{interaction.kind} failed, and the result is 0", 0


class Resources(Check):
    name = "resources"
    reason = "what a failing path does not give back is lost until the guest reboots"

    def check(self, seen: Observed) -> Found:
        result = seen.answer.result
        if result is None or not -MAX_ERRNO <= result < 0:
            return
        if any(not i.legal for i in seen.plan.injected):
            return
        for port in seen.left_open:
            if port not in seen.opened:
                yield (
                    f"L0's port {port}, opened in this call, stays open although the call fails",
                    0,
                )


class OutFields(Check):
    name = "out fields"
    reason = "what L0 answered is what the guest asked for: it must reach the guest's structure"
    forwarding = True

    def check(self, seen: Observed) -> Found:
        last, struct = seen.forwarded(), seen.struct
        if seen.answer.result != 0 or last is None or last.result < 0 or struct is None:
            return
        answered = dict(last.arguments)
        for member in struct.members:
            sees = seen.sees(member.name)
            if member.out and member.name in answered and sees != answered[member.name]:
                yield (
                    f"L0 answered {member.name} = {answered[member.name]}, the guest sees {sees}",
                    0,
                )


class Translation(Check):
    name = "translation"
    reason = "an operation that is forwarded must ask L0 what the guest asked"
    forwarding = True

    def check(self, seen: Observed) -> Found:
        struct = seen.struct
        if struct is None:
            return
        for call in seen.answer.calls:
            if call.op != seen.case.scenario.operation:
                continue
            for name, value in call.arguments:
                member, asked = struct.member(name), seen.asked(name)
                if member is None or member.out or member.pointer or asked is None:
                    continue
                if value != asked:
                    yield f"the guest asked for {name} = {asked}, L0 is asked for {value}", 0


class Memory(Check):
    name = "memory"
    reason = "around its structure, the guest's memory is none of the hypervisor's business"

    def check(self, seen: Observed) -> Found:
        struct = seen.case.struct
        end = BUFFER_OFFSET + (struct.size if struct is not None else 64)
        for start, stop in ((0, BUFFER_OFFSET), (end, PAGE)):
            if seen.before[start:stop] != seen.after[start:stop]:
                yield "guest memory is changed beside its structure", 0


CHECKS: tuple[Check, ...] = (
    Returns(),
    Afterwards(),
    Locks(),
    Traps(),
    GuestPointers(),
    FailureReported(),
    Resources(),
    OutFields(),
    Translation(),
    Memory(),
)


def unmet(seen: Observed) -> Iterator[str]:
    """What the scenario expects and was not seen, as far as it can be seen from outside."""
    scenario, answer = seen.case.scenario, seen.answer
    if answer.end is not None:
        yield from _missing(seen, scenario.expect)
        return
    if scenario.ends:
        yield "the call comes back, and should not"
    if answer.result in (-abi.ERRNO["ENOSYS"], -abi.ERRNO["EOPNOTSUPP"]) and not answer.calls:
        return
    wanted = scenario.result
    if wanted and not any(_is(value, answer.result) for value in wanted):
        spelled = " or ".join(
            value if isinstance(value, str) else abi.result_name(value) for value in wanted
        )
        yield f"the result is {abi.result_name(answer.result)}, not {spelled}"
    if scenario.silent and answer.calls:
        yield f"L0 is asked for {answer.calls[0].op}, and should not be"
    yield from _missing(seen, scenario.expect)
    for name, value in seen.out:
        sees = seen.sees(name)
        if sees != value:
            yield f"the guest sees {name} = {sees}, not {value}"
    for index, (listed, mapped) in enumerate(zip(seen.listed, seen.mapped, strict=True)):
        if mapped is None:
            yield f"grant frame {index} is not mapped in L0"
        elif listed != mapped:
            yield f"frame {index} of the guest's list is {listed:#x}, L0 has it at {mapped:#x}"


def _is(wanted: int | str, result: int | None) -> bool:
    if wanted == "error":
        return result is not None and result < 0
    return wanted == result


def _missing(seen: Observed, expected: tuple[ExpectedCall, ...]) -> Iterator[str]:
    calls = iter(seen.answer.calls)
    for wanted in expected:
        if not any(_matches(call, wanted) for call in calls):
            yield f"L0 is not asked for {wanted.op} as expected"
            return


def _matches(call: L0Call, wanted: ExpectedCall) -> bool:
    given = dict(call.arguments)
    return call.op == wanted.op and all(
        given.get(name) == value for name, value in wanted.fields if isinstance(value, int)
    )
