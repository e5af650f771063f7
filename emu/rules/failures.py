# SPDX-License-Identifier: GPL-2.0-or-later
"""What failed below must show above."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from emu import abi
from emu.findings.invariant import Invariant
from emu.findings.verdict import L0Call
from emu.profile.scenario import Name, Value
from emu.rules.asking import COUNTED
from emu.rules.base import Broken, Call, Rule, StructureCall, refusals
from emu.spaces import LinearAddr


class Succeeds(StructureCall, Protocol):
    """Whether the result says that all went well."""

    @property
    def succeeded(self) -> bool:
        """False also for a call that did not return."""


def _claims_success(seen: Succeeds) -> bool:
    """A structure may have a status of its own, where the result only says that it was read; and who has
    asked for nothing has it, whatever failed."""
    status, count = seen.sees("status"), COUNTED.get(seen.case.scenario.operation, "")
    if count and seen.asked(count) == 0:
        return False
    return (status is None or status >= 0) and seen.plan.possible


class RefusalReported(Rule[Succeeds]):
    name = Invariant.FAILURE_LOST
    reason = "what L0 refused must not look like success above"

    def check(self, seen: Succeeds) -> Iterator[Broken]:
        for call in refusals(seen) if seen.succeeded else ():
            if not _claims_success(seen):
                return
            refusal = abi.result_name(call.result)
            yield Broken(f"L0 refused with {refusal}, and the result is {seen.result}")


class FailureReported(Rule[Succeeds]):
    name = Invariant.FAILURE_LOST
    reason = "what failed below must not look like success above"

    def check(self, seen: Succeeds) -> Iterator[Broken]:
        for failure in seen.plan.injected if seen.succeeded else ():
            if not _claims_success(seen):
                return
            if failure.legal and not failure.ignorable:
                yield Broken(f"{failure.kind} failed, and the result is {seen.result}")


class Answers(Succeeds, Protocol):
    """A result that is the core's own answer, with nothing between it and who looks."""

    def value(self, value: Value) -> int:
        """A scenario's value as a number."""


class ErrorCode(Rule[Answers]):
    name = Invariant.ERROR_CODE
    reason = "the guest must learn what failed, or it takes it for something else"

    def check(self, seen: Answers) -> Iterator[Broken]:
        """Of one failure, where the call would else have gone well."""
        injected, wanted, result = seen.plan.injected, seen.case.scenario.result, seen.result
        if len(injected) != 1 or result is None or result >= 0 or Name.ANY_ERROR in wanted:
            return
        (failure,) = injected
        if not failure.legal or failure.ignorable or result == -failure.errno:
            return
        if result not in [seen.value(value) for value in wanted]:
            failed, answered = abi.result_name(-failure.errno), abi.result_name(result)
            yield Broken(f"{failure.kind} failed with {failed}, and the result is {answered}")


class Repeats(Call, Protocol):
    """A call that is made once more."""

    @property
    def failed(self) -> bool:
        """Whether the result is an error."""

    @property
    def again(self) -> int | None:
        """What the same call comes to afterwards, with nothing failing; None where it was not made, or did
        not return."""

    def amiss_again(self) -> Iterable[str]:
        """What the guest sees of it, and should see otherwise, where it goes well."""

    @property
    def tells_nothing(self) -> bool:
        """Whether the call has no result: how much was done, its guest is told by others."""

    @property
    def calls_again(self) -> Sequence[L0Call]:
        """What it asked L0 for then."""


_GUESTS_OWN = ("copy ", "guest ")
"""Failures of the guest's own memory.  Public headers promise nothing to who hands in a bad pointer."""


def worth_asking_again(seen: Repeats) -> bool:
    """Whether only what L0 or an allocation refused for now has kept the call from going well."""
    said = seen.failed and seen.case.scenario.result == (0,)
    return (
        (said or left_undone(seen) > 0)
        and bool(seen.plan.injected)
        and all(
            failure.legal and not failure.ignorable and not failure.kind.startswith(_GUESTS_OWN)
            for failure in seen.plan.injected
        )
    )


def requested(seen: Call, calls: Iterable[L0Call]) -> int:
    """How often L0 is to do the guest's own operation, where it may do that in part."""
    own = seen.case.scenario.operation
    count = COUNTED.get(own, "")
    return sum(dict(call.arguments).get(count, 0) for call in calls if call.op == own)


def left_undone(seen: Repeats) -> int:
    """How much of that L0 had not done when it was asked last, in a call that tells its guest nothing."""
    own = [call for call in seen.calls if call.op == seen.case.scenario.operation]
    if not own or not seen.tells_nothing:
        return 0
    return requested(seen, own[-1:]) - max(own[-1].result, 0)


class GoesWellAgain(Rule[Repeats]):
    """No operation of public event_channel.h, grant_table.h, vcpu.h or sched.h is used up by failing: a guest
    that gets -ENOMEM or -EBUSY asks again, and so does who shares the hypervisor with it.  It is told then
    what it would have been told at first: L0 hands out the lowest number that is free."""

    name = Invariant.AGAIN
    forwarding = True
    reason = (
        "a call that failed for want of something has not happened: it goes well when that is there"
    )

    def check(self, seen: Repeats) -> Iterator[Broken]:
        if seen.again is None or not worth_asking_again(seen):
            return
        if seen.again:
            answer = abi.result_name(seen.again)
            yield Broken(f"asked again, when nothing fails, the result is {answer}")
            return
        left, asked = left_undone(seen), requested(seen, seen.calls_again)
        if asked < left:
            yield Broken(
                f"asked again, when nothing fails, L0 is asked for {asked}, and has left {left} undone"
            )
        for message in seen.amiss_again():
            yield Broken(f"asked again, when nothing fails, {message}")


class Writes(StructureCall, Protocol):
    """What was written to the guest."""

    @property
    def failed(self) -> bool:
        """Whether the result is an error."""

    @property
    def guest_writes(self) -> Sequence[tuple[LinearAddr, bytes]]:
        """(address, bytes), in order."""


class Refusal(Rule[Writes]):
    name = Invariant.REFUSAL
    reason = "an operation that fails has no answer: nothing may be written as if it were one"

    def check(self, seen: Writes) -> Iterator[Broken]:
        """A structure with a status of its own may say there what has failed; what was written before the
        guest's memory ended is its own loss."""
        if seen.struct is None:
            return
        why = ""
        if any(refusals(seen)):
            why = "L0 refused"
        elif seen.failed and seen.struct.member("status") is None and not _copy_failed(seen):
            why = f"the result is {abi.result_name(seen.result)}"
        for address, content in seen.guest_writes if why else ():
            yield Broken(f"{why}, and {len(content)} bytes are written to the guest ({address:#x})")


def _copy_failed(seen: Writes) -> bool:
    """Whether the guest's memory has, or could have by what the core says."""
    faulted = seen.result == -abi.ERRNO["EFAULT"]
    return faulted or any(i.kind.startswith(_GUESTS_OWN) for i in seen.plan.injected)
