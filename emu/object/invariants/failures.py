# SPDX-License-Identifier: GPL-2.0-or-later
"""What failed below must show above, and cost nothing."""

from __future__ import annotations

from emu import abi
from emu.object.call import Run
from emu.object.invariants.invariant import Found, Invariant, guest_field
from emu.object.machine import Machine


class FailureReported(Invariant):
    name = "failure lost"
    reason = "what failed below must not look like success above"

    def check(self, machine: Machine, run: Run) -> Found:
        if run.result is None or run.result < 0:
            return
        status = guest_field(machine, run, "status")
        if status is not None and status < 0:
            return
        if any(not interaction.legal for interaction in run.context.plan.injected):
            return
        for call in run.context.l0.calls[run.calls_before :]:
            if call.op == run.case.scenario.operation and call.result < 0:
                refusal = abi.result_name(call.result)
                yield f"L0 refused with {refusal}, and the result is {run.result}", 0
        for interaction in run.context.plan.injected:
            if interaction.legal and not interaction.ignorable:
                yield f"{interaction.kind} failed, and the result is {run.result}", 0


class ErrorCode(Invariant):
    name = "error code"
    reason = "the guest must learn what failed, or it takes it for something else"

    def check(self, machine: Machine, run: Run) -> Found:
        """Of one failure, where the call would else have gone well."""
        injected = run.context.plan.injected
        wanted = [machine.value(v, run.case) for v in run.case.scenario.result if v != "error"]
        if len(injected) != 1 or run.result is None or run.result >= 0 or run.result in wanted:
            return
        if "error" in run.case.scenario.result:
            return
        (failure,) = injected
        if failure.legal and not failure.ignorable and run.result != -failure.errno:
            failed, told = abi.result_name(-failure.errno), abi.result_name(run.result)
            yield f"{failure.kind} failed with {failed}, and the result is {told}", 0


class Refusal(Invariant):
    name = "refusal"
    reason = "an operation that L0 refuses has no answer: nothing may be written as if it were one"

    def check(self, machine: Machine, run: Run) -> Found:
        case = run.case
        if case.struct is None or not machine.takes_buffer(case):
            return
        refused = any(
            call.op == case.scenario.operation and call.result < 0
            for call in run.context.l0.calls[run.calls_before :]
        )
        for address, content in run.context.guest_writes if refused else ():
            yield f"L0 refused, and {len(content)} bytes are written to the guest ({address:#x})", 0


class Resources(Invariant):
    name = "resources"
    reason = "what a failing path does not give back is lost until the guest reboots"

    def check(self, machine: Machine, run: Run) -> Found:
        context = run.context
        as_it_should = all(i.legal for i in context.plan.injected)
        if run.result is not None and run.result < 0 and as_it_should:
            for port in context.l0.allocated:
                if port not in run.opened_before:
                    yield (
                        f"L0's port {port}, opened in this call, stays open although the call fails",
                        0,
                    )
        kept = _remembered(machine) if context.pages or context.blocks else b""
        for page in sorted(context.pages):
            if not self._kept(machine, run, page, kept):
                yield f"page {page:#x} is neither given back nor remembered", 0
            elif page not in context.l0.mapped:
                yield f"page {page:#x} is kept, and L0 has nothing mapped there", 0
        if context.mapped:
            yield "a page of the guest is still mapped at return", 0
        for block in sorted(context.blocks):
            if not self._kept(machine, run, block, kept):
                yield f"{context.blocks[block]} allocated bytes are neither freed nor remembered", 0

    @staticmethod
    def _kept(machine: Machine, run: Run, value: int, variables: bytes) -> bool:
        """Whether the value stands in the core's variables or in memory that it allocated."""
        needle = value.to_bytes(8, "little")
        if needle in variables:
            return True
        read = machine.memory.read
        return any(needle in read(a, s) for a, s in run.context.blocks.items() if a != value)


def _remembered(machine: Machine) -> bytes:
    """What the core's variables hold."""
    names = ("data", "variables", "domain")
    return b"".join(bytes(r.view) for r in machine.memory.regions if r.name in names)
