# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest asked for and was told: its structure, on the way down and on the way up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from emu.abi import Mode
from emu.findings.invariant import Invariant
from emu.profile.scenario import Name, Value
from emu.rules import expected
from emu.rules.base import Broken, Call, Rule, StructureCall
from emu.spaces import LinearAddr


class Translation(Rule[StructureCall]):
    name = Invariant.TRANSLATION
    reason = "an operation that is forwarded must ask L0 what the guest asked"
    forwarding = True

    def check(self, seen: StructureCall) -> Iterator[Broken]:
        struct, operation = seen.struct, seen.case.scenario.operation
        if struct is None:
            return
        for call in seen.calls:
            for name, value in call.arguments if call.op == operation else ():
                member = struct.member(name)
                if member is None or member.out or member.pointer:
                    continue
                asked = seen.asked(name)
                if value != asked:
                    yield Broken(f"the guest asked for {name} = {asked}, L0 is asked for {value}")


class OutFields(Rule[StructureCall]):
    name = Invariant.OUT_FIELDS
    reason = "what L0 answered is what the guest asked for: it must reach the guest's structure"
    forwarding = True

    def check(self, seen: StructureCall) -> Iterator[Broken]:
        struct, operation = seen.struct, seen.case.scenario.operation
        if seen.result != 0 or struct is None:
            return
        last = next((call for call in reversed(seen.calls) if call.op == operation), None)
        if last is None or last.result < 0:
            return
        answered = dict(last.arguments)
        for member in struct.members:
            if not member.out or member.name not in answered:
                continue
            answer, sees = answered[member.name], seen.sees(member.name)
            if sees != answer:
                seen_as = expected.seen(sees).removeprefix("= ")
                yield Broken(f"L0 answered {member.name} = {answer}, the guest sees {seen_as}")


class Answered(Rule[StructureCall]):
    """Whatever the answer is; what it should be, where that is known, `OutFields` or the scenario says."""

    name = Invariant.OUT_FIELDS
    reason = "a call that succeeds has an answer, and the guest looks for it in its structure"

    def check(self, seen: StructureCall) -> Iterator[Broken]:
        struct, scenario = seen.struct, seen.case.scenario
        if seen.result != 0 or struct is None:
            return
        if any(call.op == scenario.operation for call in seen.calls):
            return
        known = {name for name, _ in scenario.out}
        for member in struct.members:
            if (
                member.out
                and member.name not in known
                and seen.sees(member.name) in expected.UNTOUCHED
            ):
                yield Broken(f"the result is 0, and the guest sees {member.name} untouched")


class Accesses(Call, Protocol):
    """Each access of the core to the guest's memory."""

    @property
    def guest_reads(self) -> Sequence[tuple[LinearAddr, int]]:
        """(address, size) of what it wanted to read."""

    @property
    def guest_writes(self) -> Sequence[tuple[LinearAddr, bytes]]:
        """(address, bytes) of what it wrote."""

    @property
    def buffer(self) -> LinearAddr:
        """Address of the guest's structure."""

    def value(self, value: Value) -> int:
        """A scenario's value as a number."""


class GuestBuffer(Rule[Accesses]):
    name = Invariant.GUEST_BUFFER
    reason = "behind the guest's structure its page may end, or hold what is not ours to change"

    def check(self, seen: Accesses) -> Iterator[Broken]:
        written = [(address, len(content)) for address, content in seen.guest_writes]
        for name, begin, size in self._areas(seen):
            for verb, accesses in (("read", seen.guest_reads), ("written", written)):
                for address, length in accesses:
                    if begin <= address < begin + size < address + length:
                        over = address + length - begin - size
                        yield Broken(
                            f"{over} bytes are {verb} beyond the {size} of the guest's {name}"
                        )

    @staticmethod
    def _areas(seen: Accesses) -> Iterator[tuple[str, LinearAddr, int]]:
        """Name, address and size of what the guest has given the core to use."""
        case = seen.case
        if case.struct is None or case.scenario.buffer is not Name.BUFFER:
            return
        yield "structure", seen.buffer, case.struct.size
        fields = dict(case.scenario.fields)
        if {"frame_list", "nr_frames"} <= fields.keys():
            width = 4 if case.mode is Mode.COMPAT else 8
            count = seen.value(fields["nr_frames"])
            yield "list", LinearAddr(seen.value(fields["frame_list"])), width * count
