# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest asked for and was told: its structure, on the way down and on the way up."""

from __future__ import annotations

from collections.abc import Iterator

from emu.object.addresses import BUFFER
from emu.object.call import Run
from emu.object.invariants.invariant import Found, Invariant, guest_field
from emu.object.machine import Machine


class GuestStructure(Invariant):
    name = "guest buffer"
    reason = "behind the guest's structure its page may end, or hold what is not ours to change"

    def check(self, machine: Machine, run: Run) -> Found:
        context = run.context
        written = [(address, len(content)) for address, content in context.guest_writes]
        for name, begin, size in self._areas(machine, run):
            for verb, accesses in (("read", context.guest_reads), ("written", written)):
                for address, length in accesses:
                    if begin <= address < begin + size < address + length:
                        over = address + length - begin - size
                        yield f"{over} bytes are {verb} behind the {size} of the guest's {name}", 0

    @staticmethod
    def _areas(machine: Machine, run: Run) -> Iterator[tuple[str, int, int]]:
        """Name, address and size of what the guest has given the core to use."""
        case = run.case
        if case.struct is None or case.scenario.buffer != "buffer":
            return
        yield "structure", BUFFER, case.struct.size
        fields = dict(case.scenario.fields)
        if {"frame_list", "nr_frames"} <= fields.keys():
            width = 4 if case.mode == "compat" else 8
            count = machine.value(fields["nr_frames"], case)
            yield "list", machine.value(fields["frame_list"], case), width * count


class OutFields(Invariant):
    name = "out fields"
    reason = "what L0 answered is what the guest asked for: it must reach the guest's structure"

    def check(self, machine: Machine, run: Run) -> Found:
        case = run.case
        if run.result != 0 or case.struct is None or not machine.takes_buffer(case):
            return
        calls = run.context.l0.calls[run.calls_before :]
        last = next((c for c in reversed(calls) if c.op == case.scenario.operation), None)
        if last is None or last.result < 0:
            return
        answered = dict(last.arguments)
        for member in case.struct.members:
            seen = guest_field(machine, run, member.name)
            if member.out and member.name in answered and seen != answered[member.name]:
                yield (
                    f"L0 answered {member.name} = {answered[member.name]}, the guest sees {seen}",
                    0,
                )


class Translation(Invariant):
    name = "translation"
    reason = "an operation that is forwarded must ask L0 what the guest asked"

    def check(self, machine: Machine, run: Run) -> Found:
        case = run.case
        if case.struct is None or not machine.takes_buffer(case):
            return
        asked = case.struct.decode(run.buffer_before)
        for call in run.context.l0.calls[run.calls_before :]:
            if call.op != case.scenario.operation:
                continue
            for name, value in call.arguments:
                member = case.struct.member(name)
                if member is None or member.out or member.pointer:
                    continue
                if value != asked[name]:
                    yield f"the guest asked for {name} = {asked[name]}, L0 is asked for {value}", 0
